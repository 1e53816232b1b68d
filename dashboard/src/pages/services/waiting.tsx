import { Link } from 'wouter'
import type { ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'

/** Whom it waits for; leads there. */
export function Waiting({ service }: { service: ServiceStatus }) {
  const t = useText()
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
