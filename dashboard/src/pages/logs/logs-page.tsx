/** The logs of all services: live, searched, and read together as one request. */
import { create, toJsonString } from '@bufbuild/protobuf'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Copy, Download, Pause, Play, WrapText } from 'lucide-react'
import {
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from 'react'
import { dateTime, duration, number, timeOfDay } from '@/data/format'
import { LEVEL_NAME, LEVEL_TONE } from '@/data/names'
import { useQuery } from '@/data/query'
import { Button, cx, Empty } from '@/design/parts'
import { serviceTextColour } from '@/design/service-colour'
import { SidePanel } from '@/design/side-panel'
import { type LogEntry, LogEntrySchema } from '@/gen/runtime/v1/logger_pb'
import { useText } from '@/i18n/text'
import { FilterField } from '@/pages/logs/filter-field'
import { Histogram } from '@/pages/logs/histogram'
import { KEPT, LogStore, type LogView } from '@/pages/logs/log-store'
import { tell } from '@/shell/messages'

const ROW = 22

export default function LogsPage() {
  const t = useText()
  const query = useQuery()
  const view = useMemo<LogView>(
    () => ({
      filter: query.get('filter'),
      correlationId: query.get('corr'),
      from: Number(query.get('from')) || 0,
      to: Number(query.get('to')) || 0,
    }),
    [query],
  )
  const key = JSON.stringify(view)
  // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` is the view
  const store = useMemo(() => new LogStore(view), [key])
  useEffect(() => store.start(), [store])
  const state = useSyncExternalStore(store.subscribe, store.read)
  const wrap = query.get('wrap') === 'on'
  const entry = query.get('entry')
  const picked = useMemo(
    () => (entry ? state.entries.find(({ sequence }) => String(sequence) === entry) : undefined),
    [state.entries, entry],
  )
  const pick = useCallback(
    (chosen?: LogEntry) => query.set({ entry: chosen ? String(chosen.sequence) : '' }),
    [query],
  )
  const setFilter = useCallback((filter: string) => query.set({ filter }), [query])
  const bounded = !store.live
  const narrowed = bounded || view.filter !== '' || view.correlationId !== ''
  return (
    <div className="flex h-full">
      <div className="flex min-w-0 flex-1 flex-col">
        <div className="flex flex-col gap-2 border-b border-line bg-surface px-3 py-2.5 md:px-4">
          <div className="flex flex-wrap items-center gap-2">
            <h2 className="sr-only">{t('logs.title')}</h2>
            <FilterField value={view.filter} change={setFilter} />
            {!bounded && (
              <Button on={!store.paused} onClick={() => store.pause(!store.paused)}>
                {store.paused ? <Play size={14} aria-hidden /> : <Pause size={14} aria-hidden />}
                {store.paused ? t('logs.resume') : t('logs.pause')}
              </Button>
            )}
            <Button
              on={wrap}
              aria-label={t('logs.wrap')}
              title={t('logs.wrap')}
              onClick={() => query.set({ wrap: wrap ? '' : 'on' })}
            >
              <WrapText size={14} aria-hidden />
            </Button>
            <Button
              aria-label={t('common.copy')}
              title={t('common.copy')}
              onClick={() => copy(state.entries)}
            >
              <Copy size={14} aria-hidden />
            </Button>
            <Button
              aria-label={t('logs.export')}
              title={`${t('logs.export')} (NDJSON)`}
              onClick={() => save(state.entries)}
            >
              <Download size={14} aria-hidden />
            </Button>
          </div>
          <Histogram
            view={view}
            pick={(from, to) => query.set({ from: String(from), to: String(to) }, true)}
          />
          <Summary
            view={view}
            entries={state.entries}
            clear={() => query.set({ filter: '', corr: '', from: '', to: '' })}
          />
        </div>
        {state.refused && (
          <p className="px-4 py-2 text-[13px] text-unhealthy-text">{state.refused}</p>
        )}
        {state.entries.length > 0 ? (
          <Rows
            key={key}
            entries={state.entries}
            wrap={wrap}
            follow={!store.paused && !bounded}
            pause={(paused) => store.pause(paused)}
            older={() => void store.older()}
            picked={picked}
            pick={pick}
            showRequest={view.correlationId !== ''}
          />
        ) : (
          state.ready &&
          !state.refused && (
            <Empty title={t(narrowed ? 'logs.empty' : 'logs.nothing')}>
              <p>{t(narrowed ? 'logs.emptyFilter' : 'logs.emptyAll')}</p>
            </Empty>
          )
        )}
        {state.waiting > 0 && (
          <div className="border-t border-line bg-surface p-2 text-center">
            <Button onClick={() => store.pause(false)}>
              {t('logs.newer', { count: number(state.waiting) })}
            </Button>
          </div>
        )}
      </div>
      {picked && (
        <Detail
          entry={picked}
          close={() => pick()}
          request={(corr) => query.set({ corr, filter: '', from: '', to: '', entry: '' }, true)}
          filter={(words) => query.set({ filter: `${view.filter} ${words}`.trim() }, true)}
        />
      )}
    </div>
  )
}

function Summary({
  view,
  entries,
  clear,
}: {
  view: LogView
  entries: readonly LogEntry[]
  clear: () => void
}) {
  const t = useText()
  const first = entries[0]
  const last = entries[entries.length - 1]
  const filtered = view.filter || view.correlationId || view.from
  return (
    <div className="flex flex-wrap items-center gap-x-3 text-xs text-faint">
      {view.correlationId && (
        <strong className="text-text">{t('logs.request', { id: view.correlationId })}</strong>
      )}
      {view.correlationId && first && last ? (
        <span>
          {t('logs.requestSpan', {
            count: entries.length,
            time: `${Number(last.timestamp - first.timestamp)} ms`,
          })}
        </span>
      ) : (
        <span>
          {t('logs.entries', { count: number(entries.length) })}
          {entries.length >= KEPT && ` (${t('logs.atMost', { count: number(KEPT) })})`}
        </span>
      )}
      {view.from > 0 && (
        <span>
          {timeOfDay(view.from)} + {duration(view.to - view.from)}
        </span>
      )}
      {filtered ? (
        <button type="button" className="text-accent hover:underline" onClick={clear}>
          {t('logs.clear')}
        </button>
      ) : null}
    </div>
  )
}

interface RowsProps {
  entries: readonly LogEntry[]
  wrap: boolean
  follow: boolean
  pause: (paused: boolean) => void
  older: () => void
  picked: LogEntry | undefined
  pick: (entry: LogEntry) => void
  showRequest: boolean
}

function Rows({ entries, wrap, follow, pause, older, picked, pick, showRequest }: RowsProps) {
  const t = useText()
  const scroller = useRef<HTMLDivElement>(null)
  // Another function would have all rows measured anew.
  const getItemKey = useCallback((at: number) => String(entries[at]?.sequence ?? at), [entries])
  const rows = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 8,
    getItemKey,
  })
  useLayoutEffect(() => {
    if (follow) rows.scrollToIndex(entries.length - 1, { align: 'end' })
  }, [entries, follow, rows])
  const start = Number(entries[0]?.timestamp ?? 0)
  return (
    <div
      ref={scroller}
      role="log"
      aria-label={t('logs.title')}
      aria-live="off"
      tabIndex={0}
      onWheel={(event) => event.deltaY < 0 && follow && pause(true)}
      className="min-h-0 flex-1 overflow-auto bg-surface font-mono text-[12px] leading-[22px]"
    >
      <Button look="quiet" className="w-full font-sans" onClick={older}>
        {t('logs.older')}
      </Button>
      <div style={{ height: rows.getTotalSize() }} className="relative">
        {rows.getVirtualItems().map((item) => {
          const entry = entries[item.index]!
          return (
            <div
              key={item.key}
              ref={wrap ? rows.measureElement : undefined}
              data-index={item.index}
              data-log={entry.serviceName}
              onClick={() => pick(entry)}
              style={{ transform: `translateY(${item.start}px)` }}
              className={cx(
                'absolute top-0 left-0 flex w-full cursor-default gap-2 contain-content px-3 hover:bg-sunken md:px-4',
                wrap ? 'break-all whitespace-pre-wrap' : 'h-[22px] overflow-hidden whitespace-pre',
                picked?.sequence === entry.sequence && 'bg-accent-soft!',
              )}
            >
              <span className="shrink-0 text-faint" title={dateTime(entry.timestamp)}>
                {showRequest
                  ? `+${Number(entry.timestamp) - start} ms`.padStart(9)
                  : timeOfDay(entry.timestamp, true)}
              </span>
              <span
                title={entry.serviceName}
                className="hidden w-40 shrink-0 truncate font-medium sm:inline"
                style={{ color: serviceTextColour(entry.serviceName) }}
              >
                {entry.serviceName}
              </span>
              <span className={cx('w-10 shrink-0', LEVEL_TONE[entry.level])}>
                {LEVEL_NAME[entry.level]}
              </span>
              {entry.correlationId && !showRequest && (
                <span className="hidden max-w-40 shrink-0 truncate text-faint md:inline">
                  {entry.correlationId}
                </span>
              )}
              <span className={cx('min-w-0', entry.level >= 4 && 'text-unhealthy-text')}>
                {wrap ? entry.message : firstLine(entry.message)}
              </span>
            </div>
          )
        })}
      </div>
    </div>
  )
}

function firstLine(message: string): string {
  const end = message.indexOf('\n')
  return end < 0 ? message : `${message.slice(0, end)} ⏎`
}

function Detail({
  entry,
  close,
  request,
  filter,
}: {
  entry: LogEntry
  close: () => void
  request: (id: string) => void
  filter: (words: string) => void
}) {
  const t = useText()
  const attributes = { ...entry.metadata, ...(entry.attributes ?? {}) }
  return (
    <SidePanel
      label={t('logs.attributes')}
      close={close}
      head={
        <div className="text-[13px]">
          <h2 className="font-semibold">{entry.serviceName}</h2>
          <p className="text-xs text-faint">
            {timeOfDay(entry.timestamp, true)} · {LEVEL_NAME[entry.level]} · {entry.instance}
          </p>
        </div>
      }
    >
      <pre className="m-4 max-h-96 overflow-auto rounded-control bg-sunken p-3 font-mono text-xs break-words whitespace-pre-wrap">
        {entry.message}
      </pre>
      {entry.correlationId && (
        <p className="px-4">
          <Button onClick={() => request(entry.correlationId)}>
            {t('logs.request', { id: entry.correlationId })}
          </Button>
        </p>
      )}
      <dl className="flex flex-col gap-1 p-4 font-mono text-xs">
        {Object.entries(attributes).map(([name, value]) => {
          const words = typeof value === 'string' ? value : JSON.stringify(value)
          return (
            <div key={name} className="flex gap-2">
              <dt className="shrink-0 text-faint">{name}</dt>
              <dd>
                <button
                  type="button"
                  className="text-left break-all hover:text-accent hover:underline"
                  onClick={() =>
                    filter(`@${name}:${/[\s"]/.test(words) ? JSON.stringify(words) : words}`)
                  }
                >
                  {words}
                </button>
              </dd>
            </div>
          )
        })}
      </dl>
    </SidePanel>
  )
}

function copy(entries: readonly LogEntry[]): void {
  const lines = entries
    .slice(-5000)
    .map(
      (entry) =>
        `${timeOfDay(entry.timestamp, true)} ${entry.serviceName} ${LEVEL_NAME[entry.level]} ${entry.message}`,
    )
  void navigator.clipboard.writeText(lines.join('\n')).then(() => tell(`${lines.length} ✓`))
}

function save(entries: readonly LogEntry[]): void {
  const lines = entries.map((entry) =>
    toJsonString(LogEntrySchema, create(LogEntrySchema, entry), { useProtoFieldName: true }),
  )
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([lines.join('\n')], { type: 'application/x-ndjson' }))
  link.download = 'logs.ndjson'
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
