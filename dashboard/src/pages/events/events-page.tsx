/** What the runtime did, and why. */
import { create } from '@bufbuild/protobuf'
import { useEffect, useMemo, useState } from 'react'
import { Link } from 'wouter'
import { orchestrator } from '@/api/client'
import { watch } from '@/api/watch'
import { dateTime } from '@/data/format'
import { EVENT_TONE } from '@/data/names'
import { useQuery } from '@/data/query'
import { Empty, HealthMark, ServiceSwatch } from '@/design/parts'
import type { Revision } from '@/gen/runtime/v1/common_pb'
import {
  WatchEventsRequestSchema,
  type WatchEventsResponse,
} from '@/gen/runtime/v1/orchestrator_pb'
import { ServiceEventType } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'

const REPLAY = 500
const KEPT = 2000

function useEvents(): { events: readonly WatchEventsResponse[]; refused: string } {
  const [events, setEvents] = useState<readonly WatchEventsResponse[]>([])
  const [refused, setRefused] = useState('')
  useEffect(() => {
    let revision: Revision | undefined
    return watch<WatchEventsResponse>({
      open: (signal) =>
        orchestrator.watchEvents(
          create(WatchEventsRequestSchema, { replay: REPLAY, resumeAfter: revision }),
          { signal },
        ),
      take: (answer) => {
        revision = answer.event?.revision ?? revision
        setEvents((before) => [answer, ...before].slice(0, KEPT))
      },
      refused: (error) => setRefused(error.rawMessage),
    })
  }, [])
  return { events, refused }
}

/** SERVICE_EVENT_TYPE_BACKING_OFF → "backing off" */
const eventName = (type: ServiceEventType) =>
  (ServiceEventType[type] ?? '').toLowerCase().replaceAll('_', ' ')

export default function EventsPage() {
  const t = useText()
  const query = useQuery()
  const { events, refused } = useEvents()
  const words = query.get('find').toLowerCase()
  const shown = useMemo(
    () =>
      events.filter(({ event }) =>
        `${event?.service} ${event?.message} ${eventName(event?.type ?? 0)} ${event?.actor}`
          .toLowerCase()
          .includes(words),
      ),
    [events, words],
  )
  if (refused) return <Empty title={t('common.refused', { reason: refused })} />
  return (
    <div className="mx-auto flex max-w-5xl flex-col gap-4 p-4 md:p-6">
      <div className="flex items-center gap-2">
        <h2 className="mr-auto text-lg font-semibold">{t('events.title')}</h2>
        <input
          data-search
          type="search"
          aria-label={t('events.filter')}
          placeholder={t('events.filter')}
          value={query.get('find')}
          onChange={(event) => query.set({ find: event.target.value })}
          className="h-8 w-56 rounded-control border border-line bg-surface px-2.5 text-[13px] placeholder:text-faint"
        />
      </div>
      {shown.length === 0 && <Empty title={t('events.empty')} />}
      <ol className="divide-y divide-line rounded-card border border-line bg-surface shadow-card empty:hidden">
        {shown.map(({ event, gap }, at) =>
          event ? (
            <li
              key={`${event.revision?.epoch}-${event.revision?.number}-${at}`}
              className="px-4 py-2 text-[13px]"
            >
              <div className="flex flex-wrap items-center gap-x-3">
                <HealthMark tone={EVENT_TONE[event.type] ?? 'unknown'} size={13} />
                <span className="w-32 text-xs text-faint">{dateTime(event.timestamp)}</span>
                {event.service ? (
                  <Link
                    href={`/services/${encodeURIComponent(event.service)}`}
                    className="flex items-center gap-2 font-medium hover:text-accent"
                  >
                    <ServiceSwatch name={event.service} />
                    {event.service}
                  </Link>
                ) : (
                  <span className="text-muted">{t('events.runtime')}</span>
                )}
                <span className="text-xs text-faint">{eventName(event.type)}</span>
                <span className="min-w-0 flex-1">{event.message}</span>
                {event.actor && <span className="text-xs text-faint">{event.actor}</span>}
              </div>
              {gap && <p className="text-xs text-degraded-text">{t('events.gap')}</p>}
            </li>
          ) : null,
        )}
      </ol>
    </div>
  )
}
