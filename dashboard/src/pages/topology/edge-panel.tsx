/** What is known of one connection. */
import { ArrowRight } from 'lucide-react'
import { Link } from 'wouter'
import { topology } from '@/api/client'
import { latency, number, percent, rate, timeOfDay } from '@/data/format'
import { useAnswer } from '@/data/poll'
import { cx, Field, Section } from '@/design/parts'
import { SidePanel } from '@/design/side-panel'
import type { GetTopologyEdgeResponse } from '@/gen/runtime/v1/topology_pb'
import { useText } from '@/i18n/text'
import { TrafficCharts } from '@/pages/topology/node-panel'

export function EdgePanel({ pair, close }: { pair: string; close: () => void }) {
  const t = useText()
  const [source = '', target = ''] = pair.split('~')
  const { value, error } = useAnswer(
    (signal) => topology.getTopologyEdge({ source, target }, { signal }),
    [pair],
    1000,
  )
  return (
    <SidePanel
      label={t('panel.edge', { source, target })}
      close={close}
      head={
        <h2 className="flex flex-wrap items-center gap-x-2 text-base font-semibold">
          <span className="truncate">{source}</span>
          <ArrowRight size={15} aria-hidden className="text-faint" />
          <span className="truncate">{target}</span>
        </h2>
      }
    >
      {error && !value && <p className="p-4 text-muted">{error}</p>}
      {value?.edge && <Figures answer={value} />}
      {value?.edge && (
        <Section title={t('panel.traffic')}>
          <TrafficCharts ask={{ source, target }} about={pair} />
        </Section>
      )}
      {value && value.methods.length > 0 && <Methods answer={value} />}
      {value && <Requests answer={value} />}
    </SidePanel>
  )
}

function Figures({ answer }: { answer: GetTopologyEdgeResponse }) {
  const t = useText()
  const edge = answer.edge!
  return (
    <dl className="grid grid-cols-3 gap-x-4 gap-y-3 px-4 py-3">
      <Field label={t('panel.rate')}>{t('topology.rps', { rps: rate(edge.totalRps) })}</Field>
      <Field label={t('panel.requests')}>{number(Number(edge.requestCount))}</Field>
      <Field label={t('panel.errors')}>{percent(edge.errorRate)}</Field>
      <Field label="p50">{edge.latency ? latency(edge.latency.p50Ms) : '–'}</Field>
      <Field label="p95">{edge.latency ? latency(edge.latency.p95Ms) : '–'}</Field>
      <Field label="p99">{edge.latency ? latency(edge.latency.p99Ms) : '–'}</Field>
      <Field label={t('panel.protocol')}>{edge.protocol || '–'}</Field>
    </dl>
  )
}

function Methods({ answer }: { answer: GetTopologyEdgeResponse }) {
  const t = useText()
  return (
    <Section title={t('panel.methods')}>
      <table className="w-full text-[13px]">
        <thead className="text-left text-xs text-faint">
          <tr>
            <th className="font-normal">{t('panel.method')}</th>
            <th className="text-right font-normal">{t('panel.rate')}</th>
            <th className="text-right font-normal">p95</th>
            <th className="text-right font-normal">{t('panel.errors')}</th>
          </tr>
        </thead>
        <tbody>
          {answer.methods.map(({ method, traffic }) => (
            <tr key={method}>
              <td className="max-w-40 truncate py-0.5 font-mono text-xs" title={method}>
                {method || '–'}
              </td>
              <td className="text-right">{rate(traffic?.totalRps ?? 0)}</td>
              <td className="text-right">
                {traffic?.latency ? latency(traffic.latency.p95Ms) : '–'}
              </td>
              <td className="text-right">{percent(traffic?.errorRate ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  )
}

function Requests({ answer }: { answer: GetTopologyEdgeResponse }) {
  const t = useText()
  return (
    <Section title={t('panel.latest')}>
      {answer.requests.length === 0 && (
        <p className="text-[13px] text-muted">{t('panel.noRequests')}</p>
      )}
      <ul className="flex flex-col gap-1 text-xs">
        {answer.requests.map((request, at) => (
          <li key={at} className="flex items-center gap-2">
            <span className="text-faint">{timeOfDay(request.timestamp, true)}</span>
            <span
              className={cx(
                'min-w-0 flex-1 truncate font-mono',
                !request.success && 'text-unhealthy-text',
              )}
              title={request.errorMessage}
            >
              {request.method}
            </span>
            <span>{latency(Number(request.latencyUs) / 1000)}</span>
            {request.correlationId && (
              <Link
                href={`/logs?corr=${encodeURIComponent(request.correlationId)}`}
                className="max-w-28 truncate font-mono text-accent hover:underline"
              >
                {request.correlationId}
              </Link>
            )}
          </li>
        ))}
      </ul>
    </Section>
  )
}
