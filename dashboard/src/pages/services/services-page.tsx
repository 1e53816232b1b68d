/** What the orchestrator runs: as a table, as cards, as a start-up plan; and one service whole. */
import { X } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { Link, useRoute } from 'wouter'
import { useMayControl } from '@/api/session'
import { startAll, stopAll } from '@/data/actions'
import { bytes, number } from '@/data/format'
import { RUNS } from '@/data/names'
import { useQuery } from '@/data/query'
import { useServices } from '@/data/services'
import { NARROW, useMedia } from '@/design/media'
import { fits, PageBody, PageHead } from '@/design/page'
import { Button, Command, Empty, Refused, ServiceSwatch, Tabs } from '@/design/parts'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'
import { ErrorBadge, type ErrorCounts, useErrorCounts } from '@/pages/services/error-badge'
import { ServiceActions } from '@/pages/services/service-actions'
import { ServiceTable, Uptime } from '@/pages/services/service-table'
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
  const narrow = useMedia(NARROW)
  const form = (query.get('view') || (narrow ? 'cards' : 'table')) as Form
  const find = query.get('find')
  const onlyFailed = query.get('state') === 'failed'
  const shown = useMemo(
    () =>
      list.filter(
        (service) =>
          fits(find, service.name, service.label, service.namespace, service.description) &&
          (!onlyFailed || service.state === ServiceState.FAILED),
      ),
    [list, find, onlyFailed],
  )
  const errors = useErrorCounts()
  if (refused) return <Refused reason={refused} />
  if (!ready) return <p className="p-6 text-muted">{t('common.loading')}</p>
  if (list.length === 0)
    return (
      <Empty title={t('services.empty')}>
        <p>{t('services.emptyWhat')}</p>
        <Command>muster up</Command>
      </Empty>
    )
  return (
    <PageBody>
      <PageHead title={t('services.title')} filter={t('services.filter')}>
        {onlyFailed && (
          <Button on onClick={() => query.set({ state: '' })}>
            {t('services.onlyFailed')}
            <X size={14} aria-hidden />
          </Button>
        )}
        <Tabs
          label={t('services.title')}
          value={form}
          onChange={(key) => query.set({ view: key === (narrow ? 'cards' : 'table') ? '' : key })}
          options={[
            ['table', t('services.table')],
            ['cards', t('services.cards')],
            ['startup', t('services.startup')],
          ]}
        />
        <AllActions />
      </PageHead>
      {shown.length === 0 && <Empty title={t('services.noneFits')} />}
      {shown.length > 0 && form === 'table' && <ServiceTable services={shown} errors={errors} />}
      {form === 'cards' && <Cards services={shown} errors={errors} />}
      {shown.length > 0 && form === 'startup' && <StartUp services={shown} />}
    </PageBody>
  )
}

/** How long a button asks whether that is meant. */
const DOUBT = 4000

/** Starting and stopping everything; the latter asks once more. */
function AllActions() {
  const t = useText()
  const may = useMayControl()
  const [sure, setSure] = useState(false)
  useEffect(() => {
    if (!sure) return
    const timer = setTimeout(() => setSure(false), DOUBT)
    return () => clearTimeout(timer)
  }, [sure])
  const title = may ? undefined : t('action.notAllowed')
  const stop = () => {
    setSure(!sure)
    if (sure) stopAll()
  }
  return (
    <span className="flex gap-2">
      <Button onClick={startAll} disabled={!may} title={title}>
        {t('action.startAll')}
      </Button>
      <Button look="danger" onClick={stop} disabled={!may} title={title}>
        {t(sure ? 'action.really' : 'action.stopAll')}
      </Button>
    </span>
  )
}

function Cards({ services, errors }: { services: readonly ServiceStatus[]; errors: ErrorCounts }) {
  const t = useText()
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
            <ErrorBadge name={service.name} count={errors.get(service.name) ?? 0} />
            {service.namespace && <span className="text-xs text-faint">{service.namespace}</span>}
          </span>
          <span className="flex flex-wrap items-center gap-2">
            <StatePill state={service.state} />
            <Waiting service={service} />
          </span>
          <p className="line-clamp-2 min-h-5 text-[13px] text-muted">
            {service.lastError || service.description}
          </p>
          <span className="mt-auto flex h-8 items-center gap-3 text-xs text-faint">
            {RUNS.has(service.state) && service.memoryBytes > 0 && (
              <>
                <span>{number(service.cpuPercent, 1)} %</span>
                <span>{bytes(service.memoryBytes)}</span>
                <span title={t('services.uptime')}>
                  <Uptime service={service} />
                </span>
              </>
            )}
            <span className="ml-auto flex">
              <ServiceActions service={service} compact />
            </span>
          </span>
        </li>
      ))}
    </ul>
  )
}
