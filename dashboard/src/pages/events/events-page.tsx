/** What the runtime did, and why. */
import { create } from '@bufbuild/protobuf'
import { useEffect, useMemo, useState } from 'react'
import { Link } from 'wouter'
import { orchestrator } from '@/api/client'
import { watch } from '@/api/watch'
import { dateTime } from '@/data/format'
import { EVENT_TONE, eventText } from '@/data/names'
import { useQuery } from '@/data/query'
import { fits, PageBody, PageHead } from '@/design/page'
import { Empty, Refused, HealthMark, ServiceSwatch } from '@/design/parts'
import type { Revision } from '@/gen/runtime/v1/common_pb'
import {
  WatchEventsRequestSchema,
  type WatchEventsResponse,
} from '@/gen/runtime/v1/orchestrator_pb'
import type { ServiceEventType } from '@/gen/runtime/v1/service_pb'
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

export default function EventsPage() {
  const t = useText()
  const query = useQuery()
  const { events, refused } = useEvents()
  const find = query.get('find')
  const shown = useMemo(
    () =>
      events.filter(({ event }) =>
        fits(find, event?.service, event?.message, t(eventText(event?.type)), event?.actor),
      ),
    [events, find, t],
  )
  if (refused) return <Refused reason={refused} />
  return (
    <PageBody>
      <PageHead title={t('events.title')} filter={t('events.filter')} />
      {shown.length === 0 && (
        <Empty title={t(events.length ? 'events.noneFits' : 'events.empty')}>
          {events.length === 0 && <p>{t('events.emptyWhat')}</p>}
        </Empty>
      )}
      <ol className="divide-y divide-line rounded-card border border-line bg-surface shadow-card empty:hidden">
        {shown.map(({ event, gap }, at) =>
          event ? (
            <li
              key={`${event.revision?.epoch}-${event.revision?.number}-${at}`}
              className="px-4 py-2 text-[13px]"
            >
              <div className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 md:flex-nowrap">
                <span className="self-center">
                  <EventMark type={event.type} />
                </span>
                <span className="w-32 shrink-0 text-xs text-faint">
                  {dateTime(event.timestamp)}
                </span>
                {event.service ? (
                  <Link
                    href={`/services/${encodeURIComponent(event.service)}`}
                    className="flex shrink-0 items-center gap-2 font-medium hover:text-accent md:w-44"
                  >
                    <ServiceSwatch name={event.service} />
                    <span className="truncate">{event.service}</span>
                  </Link>
                ) : (
                  <span className="shrink-0 text-muted md:w-44">{t('events.runtime')}</span>
                )}
                <span className="shrink-0 text-xs text-muted md:w-36">
                  {t(eventText(event.type))}
                </span>
                <span className="min-w-0 flex-1 break-words max-md:basis-full">
                  {event.message}
                </span>
                {event.actor && (
                  <span className="shrink-0 text-xs text-faint" title={t('events.actor')}>
                    {event.actor}
                  </span>
                )}
              </div>
              {gap && <p className="text-xs text-degraded-text">{t('events.gap')}</p>}
            </li>
          ) : null,
        )}
      </ol>
    </PageBody>
  )
}

/** A sign where the event says how the service is; a dot where it does not. */
function EventMark({ type }: { type: ServiceEventType }) {
  const tone = EVENT_TONE[type]
  if (tone) return <HealthMark tone={tone} size={13} />
  return <span aria-hidden className="mx-[3.5px] block size-1.5 rounded-full bg-line-strong" />
}
