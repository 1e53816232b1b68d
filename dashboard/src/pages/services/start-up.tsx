/** In which order services start, who waits for whom, and how long each took. */
import { Link } from 'wouter'
import { duration } from '@/data/format'
import { RUNS, STATE_TONE, TONE_COLOUR } from '@/data/names'
import { cx, ServiceSwatch } from '@/design/parts'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'
import { StatePill } from '@/pages/services/state-pill'
import { Waiting } from '@/pages/services/waiting'

export function StartUp({ services }: { services: readonly ServiceStatus[] }) {
  const t = useText()
  const orders = [...new Set(services.map((service) => service.startOrder))].sort((a, b) => a - b)
  const span = wholeSpan(services)
  return (
    <div className="flex flex-col gap-5">
      {orders.map((order) => (
        <section key={order}>
          {orders.length > 1 && (
            <h3 className="mb-2 text-xs font-semibold text-faint">
              {t('services.order', { order })}
            </h3>
          )}
          <ul className="flex flex-col divide-y divide-line rounded-card border border-line bg-surface shadow-card">
            {services
              .filter((service) => service.startOrder === order)
              .sort((a, b) => (begin(a) ?? Infinity) - (begin(b) ?? Infinity))
              .map((service) => (
                <Row key={service.name} service={service} span={span} />
              ))}
          </ul>
        </section>
      ))}
    </div>
  )
}

function Row({ service, span }: { service: ServiceStatus; span: Span }) {
  const t = useText()
  return (
    <li className="grid grid-cols-1 items-center gap-x-4 gap-y-1.5 px-4 py-2 md:grid-cols-[11rem_minmax(10rem,17rem)_1fr]">
      <span className="flex min-w-0 items-center gap-2">
        <ServiceSwatch name={service.name} />
        <Link
          href={`/services/${encodeURIComponent(service.name)}`}
          className="truncate font-medium hover:text-accent"
        >
          {service.name}
        </Link>
      </span>
      <span className="flex flex-wrap items-center gap-2">
        <StatePill state={service.state} />
        {service.waitingFor.length > 0 || service.state === ServiceState.BACKING_OFF ? (
          <Waiting service={service} />
        ) : (
          <Needs service={service} label={t('services.needs')} />
        )}
      </span>
      <Bar service={service} span={span} />
    </li>
  )
}

/** What has to be there before it; what is not there stands out. */
function Needs({ service, label }: { service: ServiceStatus; label: string }) {
  if (service.dependencies.length === 0) return null
  return (
    <span className="text-xs text-faint">
      {label}{' '}
      {service.dependencies.map(({ serviceName, satisfied, message }, at) => (
        <span key={serviceName}>
          {at > 0 && ', '}
          <Link
            href={`/services/${encodeURIComponent(serviceName)}`}
            title={message}
            className={cx('hover:underline', satisfied ? 'text-muted' : 'text-degraded-text')}
          >
            {serviceName}
          </Link>
        </span>
      ))}
    </span>
  )
}

type Span = readonly [start: number, end: number]

/** When its present processes began. */
function begin(service: ServiceStatus): number | undefined {
  const starts = service.instances.map((each) => Number(each.startedAtMs)).filter(Boolean)
  return starts.length ? Math.min(...starts) : undefined
}

/** From there until the last of them was ready. */
function spanOf(service: ServiceStatus): Span | undefined {
  const start = begin(service)
  const ready = Math.max(0, ...service.instances.map((each) => Number(each.readyAtMs)))
  const there = RUNS.has(service.state) || service.state === ServiceState.COMPLETED
  return start && there && ready >= start ? [start, ready] : undefined
}

/** The start of all of them: without those who came back later, which would squeeze the others. */
function wholeSpan(services: readonly ServiceStatus[]): Span {
  const spans = services.flatMap((service) =>
    service.restarts === 0 ? [spanOf(service) ?? []].filter((span) => span.length) : [],
  ) as Span[]
  const start = Math.min(...spans.map(([first]) => first))
  return [start, Math.max(...spans.map(([, last]) => last), start + 1)]
}

function Bar({ service, span: [first, last] }: { service: ServiceStatus; span: Span }) {
  const t = useText()
  const own = spanOf(service)
  if (!own) return <span />
  const [start, ready] = own
  const share = (time: number) =>
    Math.min(100, Math.max(0, ((time - first) / (last - first)) * 100))
  const took = ready - start
  const later = service.restarts > 0 || start > last
  return (
    <span className="flex items-center gap-4">
      <span aria-hidden className="relative h-2 flex-1 rounded-full bg-sunken">
        {!later && (
          <span
            className="absolute h-2 rounded-full"
            style={{
              left: `min(${share(start)}%, 100% - 6px)`,
              width: `max(6px, ${share(ready) - share(start)}%)`,
              background: TONE_COLOUR[STATE_TONE[service.state]],
            }}
          />
        )}
      </span>
      <span className="w-36 text-right text-[11.5px] whitespace-nowrap text-faint">
        {service.restarts > 0
          ? t('services.restarted', { count: service.restarts })
          : t('services.done', { time: took < 1000 ? `${took} ms` : duration(took) })}
      </span>
    </span>
  )
}
