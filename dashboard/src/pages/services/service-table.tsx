/** Services, a line each, in the order that one chooses. */
import { ChevronDown, ChevronUp } from 'lucide-react'
import { memo } from 'react'
import { Link } from 'wouter'
import { bytes, duration, number } from '@/data/format'
import { RUNS } from '@/data/names'
import { useQuery } from '@/data/query'
import { useService } from '@/data/services'
import { usageOf } from '@/data/usage'
import { cx, ServiceSwatch, SparkLine } from '@/design/parts'
import { useNow } from '@/design/use-now'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import type { TextKey } from '@/i18n/en'
import { useText } from '@/i18n/text'
import { ErrorBadge, type ErrorCounts } from '@/pages/services/error-badge'
import { ServiceActions } from '@/pages/services/service-actions'
import { StatePill } from '@/pages/services/state-pill'
import { Waiting } from '@/pages/services/waiting'

interface Column {
  key: string
  title: TextKey
  right?: boolean
  compare: (a: ServiceStatus, b: ServiceStatus) => number
}

const byName = (a: ServiceStatus, b: ServiceStatus) => a.name.localeCompare(b.name)

const COLUMNS: readonly Column[] = [
  { key: 'name', title: 'services.name', compare: byName },
  { key: 'state', title: 'services.state', compare: (a, b) => a.state - b.state },
  {
    key: 'ports',
    title: 'services.ports',
    compare: (a, b) => (a.ports[0] ?? 65_536) - (b.ports[0] ?? 65_536),
  },
  {
    key: 'cpu',
    title: 'services.cpu',
    right: true,
    compare: (a, b) => b.cpuPercent - a.cpuPercent,
  },
  {
    key: 'memory',
    title: 'services.memory',
    right: true,
    compare: (a, b) => Number(b.memoryBytes - a.memoryBytes),
  },
  {
    key: 'restarts',
    title: 'services.restarts',
    right: true,
    compare: (a, b) => b.restarts - a.restarts,
  },
  {
    key: 'uptime',
    title: 'services.uptime',
    right: true,
    compare: (a, b) => Number(a.startedAtMs - b.startedAtMs),
  },
]

export function Uptime({ service }: { service: ServiceStatus }) {
  const now = useNow()
  return service.startedAtMs && RUNS.has(service.state)
    ? duration(now - Number(service.startedAtMs))
    : '–'
}

/** Sorted as the address says: `sort=cpu`, the other way round `sort=-cpu`. */
function useSorted(services: readonly ServiceStatus[]) {
  const query = useQuery()
  const sort = query.get('sort')
  const key = sort.replace(/^-/, '')
  const column = COLUMNS.find((each) => each.key === key)
  const sorted = column
    ? [...services].sort((a, b) => column.compare(a, b) || byName(a, b))
    : [...services]
  if (sort.startsWith('-')) sorted.reverse()
  const choose = (chosen: string) =>
    query.set({ sort: sort === chosen ? `-${chosen}` : sort === `-${chosen}` ? '' : chosen })
  return { sorted, sort, choose }
}

export function ServiceTable({
  services,
  errors,
}: {
  services: readonly ServiceStatus[]
  errors: ErrorCounts
}) {
  const t = useText()
  const { sorted, sort, choose } = useSorted(services)
  return (
    <div className="overflow-x-auto rounded-card border border-line bg-surface shadow-card">
      <table className="w-full min-w-[52rem] text-[13px]">
        <thead className="border-b border-line text-xs text-faint">
          <tr className="*:px-3 *:py-1.5 *:font-medium">
            {COLUMNS.map((column) => (
              <Heading key={column.key} column={column} sort={sort} choose={choose} />
            ))}
            <th>
              <span className="sr-only">{t('services.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((service) => (
            <Row key={service.name} name={service.name} errors={errors.get(service.name) ?? 0} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Heading({
  column: { key, title, right },
  sort,
  choose,
}: {
  column: Column
  sort: string
  choose: (key: string) => void
}) {
  const t = useText()
  const up = sort === key
  const down = sort === `-${key}`
  return (
    <th
      aria-sort={up ? 'ascending' : down ? 'descending' : undefined}
      className={right ? 'text-right' : 'text-left'}
    >
      <button
        type="button"
        onClick={() => choose(key)}
        title={t('services.sortBy', { column: t(title) })}
        className={cx(
          'inline-flex items-center gap-1 hover:text-text',
          (up || down) && 'font-semibold text-text',
        )}
      >
        {t(title)}
        {up && <ChevronUp size={13} aria-hidden />}
        {down && <ChevronDown size={13} aria-hidden />}
      </button>
    </th>
  )
}

/** Draws itself anew when its service changes: of many not all at once. */
const Row = memo(function Row({ name, errors }: { name: string; errors: number }) {
  const service = useService(name)
  if (!service) return null
  const runs = RUNS.has(service.state)
  const usage = usageOf(service.name)
  return (
    <tr
      data-service={service.name}
      data-state={ServiceState[service.state]}
      className="h-11 border-b border-line last:border-b-0 hover:bg-sunken/60 *:px-3"
    >
      <td>
        <span className="flex items-center gap-2">
          <ServiceSwatch name={service.name} />
          <Link
            href={`/services/${encodeURIComponent(service.name)}`}
            title={service.description}
            className="font-medium hover:text-accent hover:underline"
          >
            {service.name}
          </Link>
          {service.replicas > 1 && <span className="text-xs text-faint">×{service.replicas}</span>}
          <ErrorBadge name={name} count={errors} />
          {service.namespace && (
            <span className="ml-auto pl-3 text-xs text-faint">{service.namespace}</span>
          )}
        </span>
      </td>
      <td>
        <span className="flex flex-wrap items-center gap-x-2">
          <StatePill state={service.state} />
          <Waiting service={service} />
        </span>
      </td>
      <td className="max-w-40 truncate text-xs text-muted">{service.ports.join(', ') || '–'}</td>
      <td className="text-right">
        <span className="inline-flex items-center align-middle gap-2">
          {runs && usage && (
            <SparkLine
              width={48}
              height={16}
              lines={[
                { values: usage.cpu, colour: 'var(--color-edge-active)', least: 5, filled: true },
              ]}
            />
          )}
          <span className="w-14 whitespace-nowrap">
            {runs && service.memoryBytes ? `${number(service.cpuPercent, 1)} %` : '–'}
          </span>
        </span>
      </td>
      <td className="text-right whitespace-nowrap">
        {runs && service.memoryBytes ? bytes(service.memoryBytes) : '–'}
      </td>
      <td className="text-right">{service.restarts || '–'}</td>
      <td className="text-right whitespace-nowrap">
        <Uptime service={service} />
      </td>
      <td>
        <span className="flex justify-end">
          <ServiceActions service={service} compact />
        </span>
      </td>
    </tr>
  )
})
