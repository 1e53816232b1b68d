/** What the orchestrator runs: as a table, as cards, as a start-up plan; and one service whole. */
import { useEffect, useMemo, useState } from 'react'
import { Link, useRoute } from 'wouter'
import { logger } from '@/api/client'
import { startAll, stopAll } from '@/data/actions'
import { bytes, duration, number } from '@/data/format'
import { useAnswer } from '@/data/poll'
import { useQuery } from '@/data/query'
import { useServices } from '@/data/services'
import { Button, Command, Empty, ServiceSwatch, Tabs } from '@/design/parts'
import { LogLevel } from '@/gen/runtime/v1/logger_pb'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'
import { ServiceActions } from '@/pages/services/service-actions'
import { ServiceView } from '@/pages/services/service-view'
import { StartUp } from '@/pages/services/start-up'
import { StatePill } from '@/pages/services/state-pill'
import { Waiting } from '@/pages/services/waiting'

type Form = 'table' | 'cards' | 'startup'

export default function ServicesPage() {
  const [matched, params] = useRoute('/services/:name')
  return matched ? (
    <ServiceView key={params.name} name={decodeURIComponent(params.name)} />
  ) : (
    <Overview />
  )
}

function Overview() {
  const t = useText()
  const query = useQuery()
  const { ready, refused, list } = useServices()
  const form = (query.get('view') || 'table') as Form
  const words = query.get('find').toLowerCase()
  const onlyFailed = query.get('state') === 'failed'
  const shown = useMemo(
    () =>
      list.filter(
        (service) =>
          (!words ||
            `${service.name} ${service.label} ${service.namespace}`
              .toLowerCase()
              .includes(words)) &&
          (!onlyFailed || service.state === ServiceState.FAILED),
      ),
    [list, words, onlyFailed],
  )
  const errors = useErrorCounts()
  if (refused) return <Empty title={t('common.refused', { reason: refused })} />
  if (!ready) return <p className="p-6 text-muted">{t('common.loading')}</p>
  if (list.length === 0)
    return (
      <Empty title={t('services.empty')}>
        <p>{t('services.emptyWhat')}</p>
        <Command>muster up</Command>
      </Empty>
    )
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="mr-auto text-lg font-semibold">{t('services.title')}</h2>
        <input
          data-search
          type="search"
          aria-label={t('services.filter')}
          placeholder={t('services.filter')}
          value={query.get('find')}
          onChange={(event) => query.set({ find: event.target.value })}
          className="h-8 w-48 rounded-control border border-line bg-surface px-2.5 text-[13px] placeholder:text-faint"
        />
        <Tabs
          label={t('services.title')}
          value={form}
          onChange={(key) => query.set({ view: key === 'table' ? '' : key })}
          options={[
            ['table', t('services.table')],
            ['cards', t('services.cards')],
            ['startup', t('services.startup')],
          ]}
        />
        <Button onClick={startAll}>{t('action.startAll')}</Button>
        <Button look="danger" onClick={stopAll}>
          {t('action.stopAll')}
        </Button>
      </div>
      {form === 'table' && <Table services={shown} errors={errors} />}
      {form === 'cards' && <Cards services={shown} errors={errors} />}
      {form === 'startup' && <StartUp services={shown} />}
    </div>
  )
}

type ErrorCounts = ReadonlyMap<string, number>

/** Errors that each service has logged in the last hour. */
function useErrorCounts(): ErrorCounts {
  const { value } = useAnswer(
    (signal) =>
      logger.getLogHistogram(
        {
          query: { minLevel: LogLevel.ERROR, startTime: BigInt(Date.now() - 3_600_000) },
          buckets: 1,
        },
        { signal },
      ),
    [],
    10_000,
  )
  return useMemo(() => {
    const counts = new Map<string, number>()
    for (const [name, bucket] of Object.entries(value?.services ?? {})) {
      const sum = bucket.counts.slice(LogLevel.ERROR).reduce((all, count) => all + Number(count), 0)
      if (sum) counts.set(name, sum)
    }
    return counts
  }, [value])
}

function ErrorBadge({ service, errors }: { service: ServiceStatus; errors: ErrorCounts }) {
  const t = useText()
  const count = errors.get(service.name)
  if (!count) return null
  return (
    <Link
      href={`/logs?filter=${encodeURIComponent(`service:${service.name} level>=error`)}`}
      title={t('services.errors', { count })}
      aria-label={t('services.errors', { count })}
      className="rounded-full bg-unhealthy/15 px-1.5 text-[11px] font-semibold text-unhealthy-text hover:bg-unhealthy/25"
    >
      {count > 999 ? '999+' : count}
    </Link>
  )
}

function useNow(every: number): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}

const uptime = (service: ServiceStatus, now: number) =>
  service.startedAtMs ? duration(now - Number(service.startedAtMs)) : '–'

function Table({ services, errors }: { services: readonly ServiceStatus[]; errors: ErrorCounts }) {
  const t = useText()
  const now = useNow(1000)
  return (
    <div className="overflow-x-auto rounded-card border border-line bg-surface shadow-card">
      <table className="w-full min-w-[46rem] text-[13px]">
        <thead className="border-b border-line text-left text-xs text-faint">
          <tr className="*:px-3 *:py-2 *:font-medium">
            <th>{t('services.name')}</th>
            <th>{t('services.state')}</th>
            <th>{t('services.ports')}</th>
            <th className="text-right">{t('services.cpu')}</th>
            <th className="text-right">{t('services.memory')}</th>
            <th className="text-right">{t('services.restarts')}</th>
            <th className="text-right">{t('services.uptime')}</th>
            <th>
              <span className="sr-only">{t('services.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {services.map((service) => (
            <tr
              key={service.name}
              data-service={service.name}
              data-state={ServiceState[service.state]}
              className="border-b border-line last:border-b-0 hover:bg-sunken/60 *:px-3 *:py-1.5"
            >
              <td>
                <span className="flex items-center gap-2">
                  <ServiceSwatch name={service.name} />
                  <Link
                    href={`/services/${encodeURIComponent(service.name)}`}
                    className="font-medium hover:text-accent hover:underline"
                  >
                    {service.name}
                  </Link>
                  {service.replicas > 1 && (
                    <span className="text-xs text-faint">×{service.replicas}</span>
                  )}
                  <ErrorBadge service={service} errors={errors} />
                </span>
              </td>
              <td>
                <span className="flex flex-wrap items-center gap-2">
                  <StatePill state={service.state} />
                  <Waiting service={service} />
                </span>
              </td>
              <td className="font-mono text-xs">{service.ports.join(', ') || '–'}</td>
              <td className="text-right">{number(service.cpuPercent, 1)} %</td>
              <td className="text-right">
                {service.memoryBytes ? bytes(service.memoryBytes) : '–'}
              </td>
              <td className="text-right">{service.restarts || '–'}</td>
              <td className="text-right whitespace-nowrap">{uptime(service, now)}</td>
              <td>
                <span className="flex justify-end">
                  <ServiceActions service={service} compact />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Cards({ services, errors }: { services: readonly ServiceStatus[]; errors: ErrorCounts }) {
  const t = useText()
  const now = useNow(1000)
  return (
    <ul className="grid grid-cols-[repeat(auto-fill,minmax(17rem,1fr))] gap-3">
      {services.map((service) => (
        <li
          key={service.name}
          data-service={service.name}
          className="flex flex-col gap-2 rounded-card border border-line bg-surface p-3.5 shadow-card"
        >
          <span className="flex items-center gap-2">
            <ServiceSwatch name={service.name} />
            <Link
              href={`/services/${encodeURIComponent(service.name)}`}
              className="min-w-0 flex-1 truncate font-semibold hover:text-accent"
            >
              {service.label || service.name}
            </Link>
            <ErrorBadge service={service} errors={errors} />
          </span>
          <span className="flex flex-wrap items-center gap-2">
            <StatePill state={service.state} />
            <Waiting service={service} />
          </span>
          <p className="line-clamp-2 min-h-5 text-[13px] text-muted">
            {service.lastError || service.description}
          </p>
          <span className="flex items-center gap-3 text-xs text-faint">
            <span>{number(service.cpuPercent, 1)} %</span>
            <span>{service.memoryBytes ? bytes(service.memoryBytes) : '–'}</span>
            <span title={t('services.uptime')}>{uptime(service, now)}</span>
            <span className="ml-auto flex">
              <ServiceActions service={service} compact />
            </span>
          </span>
        </li>
      ))}
    </ul>
  )
}
