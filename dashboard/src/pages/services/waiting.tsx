import { Link } from 'wouter'
import { duration } from '@/data/format'
import { useNow } from '@/design/use-now'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'

/** What it waits for: somebody, which leads there, or a while. */
export function Waiting({ service }: { service: ServiceStatus }) {
  const t = useText()
  if (service.state === ServiceState.BACKING_OFF) return <Pause until={service.nextStartMs} />
  if (service.waitingFor.length === 0) return null
  return (
    <span className="text-xs text-muted">
      {t('services.waitsFor')}{' '}
      {service.waitingFor.map((name, at) => (
        <span key={name}>
          {at > 0 && ', '}
          <Link
            href={`/services/${encodeURIComponent(name)}`}
            className="font-medium text-accent hover:underline"
          >
            {name}
          </Link>
        </span>
      ))}
    </span>
  )
}

function Pause({ until }: { until: bigint }) {
  const t = useText()
  const time = Number(until) - useNow()
  if (time <= 0) return null
  return (
    <span className="text-xs text-muted">{t('services.nextStart', { time: duration(time) })}</span>
  )
}
