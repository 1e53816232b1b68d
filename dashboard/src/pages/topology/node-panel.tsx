/** What is known of one service of the graph. */
import { ExternalLink } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { Link } from 'wouter'
import { logger, topology } from '@/api/client'
import { bytes, dateTime, latency, number, percent, rate, timeOfDay } from '@/data/format'
import {
  CONNECTION_TEXT,
  HEALTH_TONE,
  LANGUAGE,
  LEVEL_NAME,
  LEVEL_TONE,
  RUNS,
  STATE_TEXT,
  TONE_TEXT,
} from '@/data/names'
import { useAnswer } from '@/data/poll'
import { useService } from '@/data/services'
import { graph, useNode } from '@/data/topology'
import { usageOf } from '@/data/usage'
import { cx, Field, HealthMark, LanguageIcon, Pill, Section } from '@/design/parts'
import { SidePanel } from '@/design/side-panel'
import { LogOrder } from '@/gen/runtime/v1/logger_pb'
import type { ServiceStatus } from '@/gen/runtime/v1/service_pb'
import type { TopologyNode } from '@/gen/runtime/v1/topology_pb'
import { useText } from '@/i18n/text'
import { toneOf } from '@/pages/topology/model'
import { HealthHour } from '@/pages/services/health-hour'
import { ServiceActions } from '@/pages/services/service-actions'
import { Waiting } from '@/pages/services/waiting'

const SeriesChart = lazy(() => import('@/design/series-chart'))

export function NodePanel({ name, close }: { name: string; close: () => void }) {
  const t = useText()
  const node = useNode(name)
  const service = useService(name)
  if (!node) return null
  return (
    <SidePanel
      label={t('panel.node', { name })}
      close={close}
      head={<Head node={node} service={service} />}
    >
      {service && (
        <div className="flex flex-wrap gap-2 px-4 pt-3">
          <ServiceActions service={service} />
        </div>
      )}
      <Figures node={node} service={service} />
      <Traffic name={name} />
      <Consumption name={name} />
      <Instances name={name} />
      <HealthHour name={name} height={22} />
      <Recent name={name} />
    </SidePanel>
  )
}

interface NodeProps {
  node: TopologyNode
  service: ServiceStatus | undefined
}

function Head({ node, service }: NodeProps) {
  const t = useText()
  const tone = toneOf(node, service)
  const state = service && !RUNS.has(service.state) ? STATE_TEXT[service.state] : TONE_TEXT[tone]
  const message = service?.lastError || node.healthMessage
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-center gap-2">
        <LanguageIcon language={node.language} />
        <h2 className="truncate text-base font-semibold">{node.serviceName}</h2>
        <Link
          href={`/services/${encodeURIComponent(node.serviceName)}`}
          aria-label={t('topology.open')}
          className="text-muted hover:text-text"
        >
          <ExternalLink size={15} aria-hidden />
        </Link>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        <Pill tone={tone}>
          <HealthMark tone={tone} size={12} />
          {t(state)}
        </Pill>
        <Pill tone="unknown">{t(CONNECTION_TEXT[node.state])}</Pill>
        <span className="text-xs text-faint">
          {t('panel.since', { time: timeOfDay(node.changedAtMs) })}
        </span>
      </div>
      {message && <p className="text-[13px] text-muted">{message}</p>}
      {service && <Waiting service={service} />}
    </div>
  )
}

function Figures({ node, service }: NodeProps) {
  const t = useText()
  const traffic = node.incoming
  const cpu = node.metrics?.cpuPercent ?? service?.cpuPercent
  const memory = node.metrics?.memoryBytes ?? service?.memoryBytes
  return (
    <dl className="grid grid-cols-3 gap-x-4 gap-y-3 px-4 py-3">
      <Field label={t('panel.rate')}>
        {t('topology.rps', { rps: rate(traffic?.totalRps ?? 0) })}
      </Field>
      <Field label={t('panel.errors')}>{percent(traffic?.errorRate ?? 0)}</Field>
      <Field label={t('panel.latency')}>
        {traffic?.latency ? latency(traffic.latency.p95Ms) : '–'}
      </Field>
      <Field label={t('panel.cpu')}>{cpu !== undefined ? `${number(cpu, 1)} %` : '–'}</Field>
      <Field label={t('panel.memory')}>{memory ? bytes(memory) : '–'}</Field>
      <Field label={t('panel.requests')}>{number(Number(traffic?.requestCount ?? 0))}</Field>
      <Field label={t('panel.language')}>{LANGUAGE[node.language].name || '–'}</Field>
      <Field label={t('panel.version')}>{node.version || '–'}</Field>
      <Field label={t('panel.namespace')}>{node.namespace || '–'}</Field>
    </dl>
  )
}

/** Seconds that one point of a chart stands for: ten minutes are wider than the panel otherwise. */
const POINT = 5

/** The mean of each few values, of those that there are. */
function means(values: readonly number[]): number[] {
  const result: number[] = []
  for (let at = 0; at < values.length; at += POINT) {
    const few = values.slice(at, at + POINT).filter((value) => !Number.isNaN(value))
    result.push(few.length ? few.reduce((sum, value) => sum + value, 0) / few.length : NaN)
  }
  return result
}

/** Two series of an edge or a node: rate and latency. */
export function TrafficCharts({
  ask,
  about,
}: {
  ask: { serviceName: string } | { source: string; target: string }
  about: string
}) {
  const t = useText()
  const { value } = useAnswer(
    (signal) => topology.getTopologySeries(ask, { signal }),
    [about],
    2000,
  )
  if (!value) return null
  if (value.rps.length < 2 * POINT)
    return <p className="text-[13px] text-muted">{t('panel.noTraffic')}</p>
  const step = value.stepMs * POINT
  const rps = means(value.rps)
  const errors = means(value.rps.map((n, at) => n * (value.errorRate[at] ?? 0)))
  const times = rps.map((_, at) => (Number(value.startTime) + at * step) / 1000)
  return (
    <Suspense fallback={<div className="h-56" />}>
      <div className="flex flex-col gap-3">
        <SeriesChart
          label={t('panel.rate')}
          times={times}
          format={(n) => rate(n)}
          least={1}
          series={[
            { label: t('panel.rate'), colour: '#3b82f6', values: rps },
            {
              label: t('panel.errors'),
              colour: '#ef4444',
              values: errors,
            },
          ]}
        />
        <SeriesChart
          label={t('panel.latency')}
          times={times}
          format={(n) => latency(n)}
          least={1}
          series={[
            { label: 'p99', colour: '#8b5cf6', values: means(value.p99Ms) },
            { label: 'p95', colour: '#f59e0b', values: means(value.p95Ms) },
            { label: 'p50', colour: '#10b981', values: means(value.p50Ms) },
          ]}
        />
      </div>
    </Suspense>
  )
}

function Traffic({ name }: { name: string }) {
  const t = useText()
  return (
    <Section title={t('panel.traffic')}>
      <TrafficCharts ask={{ serviceName: name }} about={name} />
    </Section>
  )
}

/** Processor and memory since the page was opened. */
function Consumption({ name }: { name: string }) {
  const t = useText()
  useNode(name)
  useService(name)
  const usage = usageOf(name)
  if (!usage || usage.times.length < 2) return null
  return (
    <Section title={t('panel.usage')}>
      <Suspense fallback={<div className="h-56" />}>
        <div className="flex flex-col gap-3">
          <SeriesChart
            label={t('panel.cpu')}
            times={usage.times}
            format={(n) => `${number(n)} %`}
            series={[{ label: t('panel.cpu'), colour: '#3b82f6', values: usage.cpu }]}
            least={5}
            height={80}
          />
          <SeriesChart
            label={t('panel.memory')}
            times={usage.times}
            format={(n) => bytes(n)}
            series={[{ label: t('panel.memory'), colour: '#8b5cf6', values: usage.memory }]}
            height={80}
          />
        </div>
      </Suspense>
    </Section>
  )
}

function Instances({ name }: { name: string }) {
  const t = useText()
  useNode(name)
  const instances = graph.instancesOf(name)
  if (!instances.length) return null
  return (
    <Section title={t('panel.instances')}>
      <ul className="flex flex-col gap-2">
        {instances.map((instance) => (
          <li key={instance.serviceId} className="flex items-center gap-2 text-[13px]">
            <HealthMark tone={HEALTH_TONE[instance.health]} />
            <span className="min-w-0 flex-1 truncate font-mono text-xs" title={instance.serviceId}>
              {instance.instanceId || instance.serviceId}
            </span>
            <span className="text-xs text-muted">{instance.address}</span>
            <span className="text-xs text-faint" title={t('panel.lastBeat')}>
              {instance.lastHeartbeat
                ? timeOfDay(instance.lastHeartbeat)
                : t(CONNECTION_TEXT[instance.state])}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  )
}

function Recent({ name }: { name: string }) {
  const t = useText()
  const { value } = useAnswer(
    async (signal) => {
      const entries = []
      const query = { serviceNames: [name], limit: 12, order: LogOrder.NEWEST_FIRST }
      for await (const entry of logger.queryLogs(query, { signal })) entries.push(entry)
      return entries
    },
    [name],
    3000,
  )
  return (
    <Section
      title={t('panel.recentLogs')}
      side={
        <Link
          href={`/logs?filter=${encodeURIComponent(`service:${name}`)}`}
          className="text-xs text-accent hover:underline"
        >
          {t('topology.logs')}
        </Link>
      }
    >
      {value?.length ? (
        <ul className="flex flex-col gap-0.5 font-mono text-[11.5px]">
          {value.map((entry) => (
            <li
              key={String(entry.sequence)}
              className="flex gap-2"
              title={dateTime(entry.timestamp)}
            >
              <span className="shrink-0 text-faint">{timeOfDay(entry.timestamp)}</span>
              <span className={cx('w-10 shrink-0', LEVEL_TONE[entry.level])}>
                {LEVEL_NAME[entry.level]}
              </span>
              <span className="truncate">{entry.message}</span>
            </li>
          ))}
        </ul>
      ) : (
        <p className="text-[13px] text-muted">{t('panel.noLogs')}</p>
      )}
    </Section>
  )
}
