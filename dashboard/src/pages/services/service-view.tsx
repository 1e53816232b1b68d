/** One service: what it is, does, prints, was, and how it is configured. */
import { ChevronLeft, type LucideIcon, ScrollText, Share2 } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { Link } from 'wouter'
import { orchestrator } from '@/api/client'
import { useMayControl } from '@/api/session'
import { scale } from '@/data/actions'
import { bytes, dateTime, duration, number } from '@/data/format'
import { RUNS, STATE_TONE, type Tone } from '@/data/names'
import { useAnswer } from '@/data/poll'
import { useQuery } from '@/data/query'
import { useServices } from '@/data/services'
import { PageBody } from '@/design/page'
import { Button, cx, Empty, Field, Refused, Section, ServiceSwatch, Tabs } from '@/design/parts'
import { ServiceKind, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'
import { ValueTable } from '@/pages/configuration/value-table'
import { HealthHour } from '@/pages/services/health-hour'
import { ServiceActions } from '@/pages/services/service-actions'
import { StatePill } from '@/pages/services/state-pill'
import { Waiting } from '@/pages/services/waiting'

const Output = lazy(() => import('@/pages/services/output'))

type Tab = 'overview' | 'output' | 'config' | 'history'

export function ServiceView({ name }: { name: string }) {
  const t = useText()
  const query = useQuery()
  const service = useServices((services) => services.byName.get(name))
  const { ready, refused } = useServices()
  const tab = (query.get('tab') || 'overview') as Tab
  if (refused && !service) return <Refused reason={refused} />
  if (!service)
    return ready ? (
      <Empty title={t('services.notThere', { name })}>
        <Link href="/services" className="text-accent hover:underline">
          {t('services.title')}
        </Link>
      </Empty>
    ) : (
      <p className="p-6 text-muted">{t('common.loading')}</p>
    )
  return (
    <PageBody full>
      <div className="flex flex-wrap items-center gap-2">
        <Link
          href="/services"
          aria-label={t('services.title')}
          className="text-muted hover:text-text"
        >
          <ChevronLeft size={18} aria-hidden />
        </Link>
        <ServiceSwatch name={name} />
        <h2 className="text-lg font-semibold">{service.label || name}</h2>
        <StatePill state={service.state} />
        <Waiting service={service} />
        <span className="flex-1" />
        <ServiceLink
          href={`/topology?node=${encodeURIComponent(name)}`}
          title={t('services.graph')}
          icon={Share2}
        />
        <ServiceLink
          href={`/logs?filter=${encodeURIComponent(`service:${name}`)}`}
          title={t('topology.logs')}
          icon={ScrollText}
        />
        <ServiceActions service={service} />
      </div>
      <Tabs
        label={name}
        value={tab}
        onChange={(key) => query.set({ tab: key === 'overview' ? '' : key })}
        options={[
          ['overview', t('services.overview')],
          ['output', t('services.output')],
          ['history', t('services.history')],
          ['config', t('services.config')],
        ]}
      />
      {tab === 'overview' && <Overview service={service} />}
      {tab === 'output' && (
        <Suspense fallback={<p className="text-muted">{t('common.loading')}</p>}>
          <Output service={service} />
        </Suspense>
      )}
      {tab === 'history' && <History name={name} />}
      {tab === 'config' && <Configuration name={name} />}
    </PageBody>
  )
}

function ServiceLink({
  href,
  title,
  icon: Icon,
}: {
  href: string
  title: string
  icon: LucideIcon
}) {
  return (
    <Link
      href={href}
      className="inline-flex h-8 items-center gap-1.5 rounded-control px-2 text-[13px] font-medium text-muted hover:bg-sunken hover:text-text"
    >
      <Icon size={14} aria-hidden />
      {title}
    </Link>
  )
}

const ALARM: Partial<Record<Tone, string>> = {
  degraded: 'bg-degraded/8',
  unhealthy: 'bg-unhealthy/8',
}

function Overview({ service }: { service: ServiceStatus }) {
  const t = useText()
  const runs = RUNS.has(service.state)
  return (
    <div className="grid gap-4 md:grid-cols-[1fr_20rem]">
      <div className="flex flex-col rounded-card border border-line bg-surface shadow-card">
        {(service.lastError || service.healthMessage) && (
          <p
            className={cx(
              'border-b border-line px-4 py-2.5 text-[13px] break-words',
              ALARM[STATE_TONE[service.state]] ?? 'text-muted',
            )}
          >
            {service.lastError || service.healthMessage}
          </p>
        )}
        {service.lastOutput.length > 0 && (
          <Section title={t('services.lastOutput')}>
            <pre className="max-h-56 overflow-auto rounded-control bg-sunken p-2 font-mono text-xs">
              {service.lastOutput.join('\n')}
            </pre>
          </Section>
        )}
        <dl className="grid grid-cols-2 gap-4 px-4 py-3 sm:grid-cols-4">
          <Field label={t('services.cpu')}>
            {runs && service.memoryBytes ? `${number(service.cpuPercent, 1)} %` : '–'}
          </Field>
          <Field label={t('services.memory')}>
            {runs && service.memoryBytes ? bytes(service.memoryBytes) : '–'}
          </Field>
          <Field label={t('services.restarts')}>{service.restarts}</Field>
          <Field label={t('services.ports')}>{service.ports.join(', ') || '–'}</Field>
        </dl>
        {service.commandLine.length > 0 && (
          <Section title={t('services.commandLine')}>
            <code className="font-mono text-xs break-all">{service.commandLine.join(' ')}</code>
          </Section>
        )}
        <Instances service={service} />
        <HealthHour name={service.name} />
      </div>
      <div className="flex flex-col gap-4">
        <Dependencies service={service} />
        {service.kind === ServiceKind.PROCESS && <Scale key={service.replicas} service={service} />}
      </div>
    </div>
  )
}

function Instances({ service }: { service: ServiceStatus }) {
  const t = useText()
  return (
    <Section title={t('services.instances')}>
      <ul className="flex flex-col divide-y divide-line text-[13px]">
        {service.instances.map((instance) => (
          <li
            key={instance.instanceId}
            className="flex flex-wrap items-center gap-x-4 gap-y-1 py-1.5"
          >
            <StatePill state={instance.state} />
            <span className="font-mono text-xs">{instance.instanceId}</span>
            {instance.pid > 0 && <span className="text-xs text-muted">PID {instance.pid}</span>}
            {instance.memoryBytes > 0 && (
              <span className="text-xs text-muted">
                {number(instance.cpuPercent, 1)} % · {bytes(instance.memoryBytes)}
              </span>
            )}
            {instance.ports.length > 0 && (
              <span className="text-xs text-muted">:{instance.ports.join(', :')}</span>
            )}
            {instance.exitCode !== undefined && (
              <span className="text-xs text-muted">
                {t('services.exitCode', { code: instance.exitCode })}
              </span>
            )}
            {instance.exitSignal !== undefined && (
              <span className="text-xs text-muted">
                {t('services.exitSignal', { signal: instance.exitSignal })}
              </span>
            )}
          </li>
        ))}
      </ul>
    </Section>
  )
}

function Dependencies({ service }: { service: ServiceStatus }) {
  const t = useText()
  return (
    <div className="rounded-card border border-line bg-surface shadow-card">
      <Section title={t('services.dependencies')}>
        {service.dependencies.length === 0 && (
          <p className="text-[13px] text-muted">{t('common.none')}</p>
        )}
        <ul className="flex flex-col gap-1.5 text-[13px]">
          {service.dependencies.map((dependency) => (
            <li key={dependency.serviceName}>
              <span aria-hidden>{dependency.satisfied ? '✓ ' : '… '}</span>
              <Link
                href={`/services/${encodeURIComponent(dependency.serviceName)}`}
                className="font-medium hover:text-accent hover:underline"
              >
                {dependency.serviceName}
              </Link>
              {dependency.message && (
                <span className="block text-xs text-muted">{dependency.message}</span>
              )}
            </li>
          ))}
        </ul>
      </Section>
      <Section title={t('services.dependants')}>
        {service.dependants.length === 0 && (
          <p className="text-[13px] text-muted">{t('common.none')}</p>
        )}
        <ul className="flex flex-col gap-1 text-[13px]">
          {service.dependants.map((name) => (
            <li key={name}>
              <Link
                href={`/services/${encodeURIComponent(name)}`}
                className="font-medium hover:text-accent hover:underline"
              >
                {name}
              </Link>
            </li>
          ))}
        </ul>
      </Section>
    </div>
  )
}

function Scale({ service }: { service: ServiceStatus }) {
  const t = useText()
  const may = useMayControl()
  const [count, setCount] = useState(service.replicas)
  return (
    <form
      className="flex items-end gap-2 rounded-card border border-line bg-surface p-4 shadow-card"
      onSubmit={(event) => {
        event.preventDefault()
        void scale(service.name, count)
      }}
    >
      <label className="flex flex-1 flex-col gap-1 text-xs text-faint">
        {t('services.replicas')}
        <input
          type="number"
          min={0}
          max={1000}
          value={count}
          onChange={(event) => setCount(Number(event.target.value))}
          className="h-8 rounded-control border border-line bg-surface px-2 text-[13px] text-text"
        />
      </label>
      <Button
        type="submit"
        disabled={!may || count === service.replicas}
        title={may ? undefined : t('action.notAllowed')}
      >
        {t('action.scale')}
      </Button>
    </form>
  )
}

function History({ name }: { name: string }) {
  const t = useText()
  const { value, error } = useAnswer(
    (signal) => orchestrator.listRuns({ serviceName: name, limit: 100 }, { signal }),
    [name],
    3000,
  )
  if (error && !value) return <p className="text-muted">{error}</p>
  return (
    <div className="overflow-x-auto rounded-card border border-line bg-surface shadow-card">
      <table className="w-full min-w-[40rem] text-[13px]">
        <thead className="border-b border-line text-left text-xs text-faint">
          <tr className="*:px-3 *:py-2 *:font-medium">
            <th>#</th>
            <th>{t('services.started')}</th>
            <th>{t('services.ended')}</th>
            <th>{t('services.uptime')}</th>
            <th>{t('services.exit')}</th>
            <th>{t('services.reason')}</th>
          </tr>
        </thead>
        <tbody>
          {value?.runs.map((run) => (
            <tr
              key={`${run.instanceId}${run.run}`}
              className="border-b border-line last:border-b-0 *:px-3 *:py-1.5"
            >
              <td className="font-mono text-xs">{String(run.run)}</td>
              <td>{dateTime(run.startedAtMs)}</td>
              <td>{run.stoppedAtMs ? dateTime(run.stoppedAtMs) : '–'}</td>
              <td>
                {duration(Number(run.stoppedAtMs || BigInt(Date.now())) - Number(run.startedAtMs))}
              </td>
              <td>
                {run.exitCode !== undefined
                  ? t('services.exitCode', { code: run.exitCode })
                  : run.exitSignal !== undefined
                    ? t('services.exitSignal', { signal: run.exitSignal })
                    : '–'}
              </td>
              <td className="text-muted">
                {[run.startReason, run.stopReason].filter(Boolean).join(' · ')}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Configuration({ name }: { name: string }) {
  const t = useText()
  const { value, error } = useAnswer(
    (signal) => orchestrator.getConfiguration({ serviceName: name }, { signal }),
    [name],
  )
  if (error && !value) return <p className="text-muted">{error}</p>
  if (!value) return <p className="text-muted">{t('common.loading')}</p>
  return <ValueTable values={value.values} under={`services.${name}.`} />
}
