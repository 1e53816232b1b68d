/** How the entries that match spread over time; a stretch leads to its entries. */
import { logger } from '@/api/client'
import { dateTime, timeOfDay } from '@/data/format'
import { useAnswer } from '@/data/poll'
import { moveByArrows } from '@/design/roving'
import { LogLevel } from '@/gen/runtime/v1/logger_pb'
import { useText } from '@/i18n/text'
import type { LogView } from '@/pages/logs/log-store'

const BUCKETS = 90
const LIVE_SPAN = 15 * 60_000

export function Histogram({
  view,
  pick,
}: {
  view: LogView
  pick: (from: number, to: number) => void
}) {
  const t = useText()
  const live = view.from === 0 && view.to === 0
  const { value } = useAnswer(
    (signal) =>
      logger.getLogHistogram(
        {
          query: {
            filter: view.filter,
            correlationId: view.correlationId,
            startTime: BigInt(live ? Date.now() - LIVE_SPAN : view.from),
            endTime: BigInt(view.to),
          },
          buckets: BUCKETS,
        },
        { signal },
      ),
    [view.filter, view.correlationId, view.from, view.to],
    live ? 2000 : 0,
  )
  const sums =
    value?.buckets.map((bucket) => bucket.counts.reduce((sum, n) => sum + Number(n), 0)) ?? []
  const top = Math.max(1, ...sums)
  const end = Number(value?.startTime ?? 0) + sums.length * Number(value?.intervalMs ?? 0)
  return (
    <div>
      <div
        role="group"
        aria-label={t('logs.histogram')}
        onKeyDown={moveByArrows}
        className="flex h-11 items-end gap-px"
      >
        {value?.buckets.map((bucket, at) => {
          const start = Number(value.startTime) + at * Number(value.intervalMs)
          const count = (level: LogLevel) => Number(bucket.counts[level] ?? 0)
          const bad = count(LogLevel.ERROR) + count(LogLevel.FATAL)
          const odd = count(LogLevel.WARN)
          const words = `${dateTime(start)}: ${t('logs.entries', { count: sums[at] ?? 0 })}`
          const share = (n: number) => `${(n / top) * 100}%`
          return (
            <button
              key={start}
              type="button"
              tabIndex={at === sums.length - 1 ? 0 : -1}
              title={words}
              aria-label={words}
              onClick={() => pick(start, start + Number(value.intervalMs))}
              className="flex h-full min-w-0 flex-1 flex-col justify-end rounded-[2px] hover:bg-sunken"
            >
              <span className="w-full bg-unhealthy" style={{ height: share(bad) }} />
              <span className="w-full bg-degraded" style={{ height: share(odd) }} />
              <span
                className="w-full bg-edge-active/55"
                style={{ height: share((sums[at] ?? 0) - bad - odd) }}
              />
            </button>
          )
        })}
      </div>
      <div
        aria-hidden
        className="mt-0.5 flex justify-between border-t border-line pt-0.5 text-[10.5px] text-faint"
      >
        <span>{value && timeOfDay(value.startTime).slice(0, 5)}</span>
        <span>{value && timeOfDay((Number(value.startTime) + end) / 2).slice(0, 5)}</span>
        <span>{value && (live ? t('logs.now') : timeOfDay(end).slice(0, 5))}</span>
      </div>
    </div>
  )
}
