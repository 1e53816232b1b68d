/** How every service is and was, what went wrong and when. */
import { Link, useLocation } from 'wouter'
import { health } from '@/api/client'
import { dateTime, duration, latency, number } from '@/data/format'
import { HEALTH_TONE, TONE_TEXT } from '@/data/names'
import { useAnswer } from '@/data/poll'
import { useQuery } from '@/data/query'
import { HealthBars } from '@/design/health-bars'
import { fits, PageBody, PageHead } from '@/design/page'
import { Empty, HealthMark, Pill, ServiceSwatch, Tabs } from '@/design/parts'
import {
  type HealthHistory,
  type HealthIncident,
  HealthResolution,
  type HealthStatus,
  type HealthSummary,
} from '@/gen/runtime/v1/health_pb'
import { useText } from '@/i18n/text'

type Scale = 'minute' | 'hour' | 'day'

const SPAN: Record<Scale, { resolution: HealthResolution; length: number; step: number }> = {
  minute: { resolution: HealthResolution.MINUTE, length: 3_600_000 * 1.5, step: 60_000 },
  hour: { resolution: HealthResolution.HOUR, length: 3_600_000 * 72, step: 3_600_000 },
  day: { resolution: HealthResolution.DAY, length: 86_400_000 * 90, step: 86_400_000 },
}

export default function HealthPage() {
  const t = useText()
  const query = useQuery()
  const scale = (query.get('scale') || 'minute') as Scale
  const { resolution, length } = SPAN[scale]
  const history = useAnswer(
    (signal) =>
      health.getHealthHistory({ resolution, startTime: BigInt(Date.now() - length) }, { signal }),
    [scale],
    5000,
  )
  const now = useAnswer((signal) => health.listHealth({}, { signal }), [], 2000)
  if (history.error && !history.value)
    return <Empty title={t('common.failed', { reason: history.error })} />
  if (!history.value) return <p className="p-6 text-muted">{t('common.loading')}</p>
  const statuses = new Map(now.value?.statuses.map((status) => [status.serviceName, status]))
  const shown = history.value.histories.filter((each) => fits(query.get('find'), each.serviceName))
  const incidents = shown
    .flatMap((each) => each.incidents)
    .sort((a, b) => Number(b.startTime - a.startTime))
  return (
    <PageBody>
      <PageHead title={t('health.title')} filter={t('services.filter')}>
        <Tabs
          label={t('health.title')}
          value={scale}
          onChange={(key) => query.set({ scale: key === 'minute' ? '' : key })}
          options={[
            ['minute', t('health.minute')],
            ['hour', t('health.hour')],
            ['day', t('health.day')],
          ]}
        />
      </PageHead>
      {shown.length === 0 && (
        <Empty title={t(history.value.histories.length ? 'services.noneFits' : 'health.empty')}>
          {history.value.histories.length === 0 && <p>{t('health.emptyWhat')}</p>}
        </Empty>
      )}
      <ul className="flex flex-col divide-y divide-line rounded-card border border-line bg-surface shadow-card empty:hidden">
        {shown.map((each) => (
          <Row
            key={each.serviceName}
            history={each}
            status={statuses.get(each.serviceName)}
            step={SPAN[scale].step}
          />
        ))}
      </ul>
      {shown.length > 0 && <Incidents incidents={incidents} />}
      <Beats />
    </PageBody>
  )
}

export function logsAt(name: string, start: number, end: number): string {
  return `/logs?filter=${encodeURIComponent(`service:${name}`)}&from=${start}&to=${end}`
}

function Row({
  history,
  status,
  step,
}: {
  history: HealthHistory
  status: HealthStatus | undefined
  step: number
}) {
  const t = useText()
  const [, navigate] = useLocation()
  const tone = HEALTH_TONE[status?.state ?? 0]
  const name = history.serviceName
  // Downwards: 100 % is for those who were never down.
  const rounded = Math.floor(history.uptimePercent * 100) / 100
  const pick = (summary: HealthSummary) =>
    navigate(logsAt(name, Number(summary.startTime), Number(summary.startTime) + step))
  return (
    <li
      data-service={name}
      className="grid grid-cols-1 items-center gap-x-4 gap-y-2 px-4 py-2.5 md:grid-cols-[15rem_1fr_7rem]"
    >
      <span className="flex min-w-0 items-center gap-2.5">
        <HealthMark tone={tone} size={16} />
        <span className="min-w-0">
          <Link
            href={`/services/${encodeURIComponent(name)}`}
            className="block truncate font-medium hover:text-accent hover:underline"
          >
            {name}
          </Link>
          <span className="block truncate text-xs text-muted" title={status?.message}>
            {status?.message || t(TONE_TEXT[tone])}
          </span>
        </span>
      </span>
      <HealthBars summaries={history.summaries} onPick={pick} height={26} />
      <span className="text-[13px] whitespace-nowrap text-muted max-md:-mt-1 max-md:text-xs md:text-right">
        {t('health.uptime', {
          percent: `${number(rounded, rounded === 100 ? 0 : 2)} %`,
        })}
      </span>
    </li>
  )
}

function Incidents({ incidents }: { incidents: readonly HealthIncident[] }) {
  const t = useText()
  return (
    <section className="rounded-card border border-line bg-surface shadow-card">
      <h3 className="border-b border-line px-4 py-2.5 font-semibold">{t('health.incidents')}</h3>
      {incidents.length === 0 && <p className="px-4 py-3 text-muted">{t('health.noIncidents')}</p>}
      <ul className="divide-y divide-line">
        {incidents.slice(0, 100).map((incident) => {
          const tone = HEALTH_TONE[incident.worstState]
          const start = Number(incident.startTime)
          const end = Number(incident.endTime)
          return (
            <li
              key={`${incident.serviceName}${start}`}
              className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2 text-[13px]"
            >
              <Pill tone={tone}>
                <HealthMark tone={tone} size={12} />
                {t(TONE_TEXT[tone])}
              </Pill>
              <ServiceSwatch name={incident.serviceName} />
              <strong className="font-medium">{incident.serviceName}</strong>
              <span className="text-muted">{incident.message}</span>
              <span className="ml-auto text-xs text-faint">
                {dateTime(start)} · {end ? duration(end - start) : t('health.ongoing')}
              </span>
              <Link
                href={logsAt(incident.serviceName, start - 30_000, (end || Date.now()) + 30_000)}
                className="text-xs text-accent hover:underline"
              >
                {t('health.logsThen')}
              </Link>
            </li>
          )
        })}
      </ul>
    </section>
  )
}

const milliseconds = (value: number | undefined) => (value === undefined ? '–' : latency(value))

function Beats() {
  const t = useText()
  const { value } = useAnswer((signal) => health.listHeartbeats({}, { signal }), [], 5000)
  if (!value?.statistics.length) return null
  return (
    <section className="overflow-x-auto rounded-card border border-line bg-surface shadow-card">
      <h3 className="border-b border-line px-4 py-2.5 font-semibold">{t('health.beats')}</h3>
      <table className="w-full min-w-[40rem] text-[13px]">
        <thead className="text-left text-xs text-faint">
          <tr className="*:px-4 *:py-2 *:font-medium">
            <th>{t('services.name')}</th>
            <th className="text-right">{t('health.expected')}</th>
            <th className="text-right">{t('health.received')}</th>
            <th className="text-right">{t('health.missed')}</th>
            <th className="text-right">{t('health.inARow')}</th>
            <th className="text-right">{t('health.latencyMin')}</th>
            <th className="text-right">{t('health.latencyAvg')}</th>
            <th className="text-right">{t('health.latencyMax')}</th>
          </tr>
        </thead>
        <tbody>
          {value.statistics.map((each) => (
            <tr
              key={each.serviceName + each.serviceId}
              className="border-t border-line *:px-4 *:py-1.5 *:not-first:text-right"
            >
              <td>{each.serviceName}</td>
              <td>{String(each.beatsExpected)}</td>
              <td>{String(each.beatsReceived)}</td>
              <td>{String(each.beatsMissed)}</td>
              <td>{each.consecutiveFailures}</td>
              <td>{milliseconds(each.latencyMinMs)}</td>
              <td>{milliseconds(each.latencyAvgMs)}</td>
              <td>{milliseconds(each.latencyMaxMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
