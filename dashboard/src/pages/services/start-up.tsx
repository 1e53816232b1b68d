/** In which order services start, who waits for whom, and how long each took. */
import { Link } from 'wouter'
import { duration } from '@/data/format'
import { TONE_COLOUR, STATE_TONE } from '@/data/names'
import { ServiceSwatch } from '@/design/parts'
import type { ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'
import { StatePill } from '@/pages/services/state-pill'
import { Waiting } from '@/pages/services/waiting'

export function StartUp({ services }: { services: readonly ServiceStatus[] }) {
  const t = useText()
  const orders = [...new Set(services.map((service) => service.startOrder))].sort((a, b) => a - b)
  const times = services.flatMap((service) => {
    const times = span(service)
    return times ? [times] : []
  })
  const begin = Math.min(...times.map(([start]) => start))
  const end = Math.max(...times.map(([, ready]) => ready), begin + 1)
  return (
    <div className="flex flex-col gap-5">
      {orders.map((order) => (
        <section key={order}>
          <h3 className="mb-2 text-xs font-semibold text-faint">
            {t('services.order', { order })}
          </h3>
          <ul className="flex flex-col gap-1 rounded-card border border-line bg-surface p-2 shadow-card">
            {services
              .filter((service) => service.startOrder === order)
              .map((service) => (
                <li
                  key={service.name}
                  className="grid grid-cols-[minmax(0,1fr)_minmax(0,2fr)] items-center gap-3 px-2 py-1 md:grid-cols-[14rem_14rem_1fr]"
                >
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
                    <Waiting service={service} />
                  </span>
                  <Bar service={service} begin={begin} end={end} />
                </li>
              ))}
          </ul>
        </section>
      ))}
    </div>
  )
}

/** When its process began, and when it was ready. */
function span(service: ServiceStatus): [number, number] | undefined {
  const starts = service.instances.map((each) => Number(each.startedAtMs)).filter(Boolean)
  if (!starts.length) return undefined
  const start = Math.min(...starts)
  const ready = Math.max(...service.instances.map((each) => Number(each.readyAtMs)), start)
  return [start, ready]
}

function Bar({ service, begin, end }: { service: ServiceStatus; begin: number; end: number }) {
  const t = useText()
  const times = span(service)
  if (!times) return <span />
  const [start, ready] = times
  const share = (time: number) => ((time - begin) / (end - begin)) * 100
  return (
    <span className="relative mr-28 hidden h-5 items-center md:flex">
      <span
        aria-hidden
        className="absolute h-2 rounded-full"
        style={{
          left: `${share(start)}%`,
          width: `max(6px, ${share(ready) - share(start)}%)`,
          background: TONE_COLOUR[STATE_TONE[service.state]],
        }}
      />
      <span className="absolute left-full ml-3 w-28 text-[11px] whitespace-nowrap text-faint">
        {t('services.done', {
          time: ready - start < 1000 ? `${ready - start} ms` : duration(ready - start),
        })}
      </span>
    </span>
  )
}
