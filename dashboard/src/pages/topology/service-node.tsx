/** One service in the graph: health is the fill, connection state the border and its shape. */
import { Handle, type NodeProps, Position, useStore } from '@xyflow/react'
import { memo } from 'react'
import { bytes, number, rate } from '@/data/format'
import { CONNECTION_TEXT, RUNS, STATE_TEXT, TONE_COLOUR, type Tone } from '@/data/names'
import { useService } from '@/data/services'
import { useNode } from '@/data/topology'
import { usageOf } from '@/data/usage'
import { cx, HealthMark, LanguageIcon, SparkLine } from '@/design/parts'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { ConnectionState, type TopologyNode } from '@/gen/runtime/v1/topology_pb'
import { text, useText } from '@/i18n/text'
import { NODE_HEIGHT, NODE_WIDTH } from '@/pages/topology/geometry'
import { atRest, toneOf } from '@/pages/topology/model'

/** How much of a node can be read at a zoom. */
type Detail = 'all' | 'name' | 'colour'

const detailAt = (zoom: number): Detail => (zoom >= 0.62 ? 'all' : zoom >= 0.26 ? 'name' : 'colour')

export const BORDER: Record<ConnectionState, string> = {
  [ConnectionState.CONNECTION_UNKNOWN]: 'border-dotted border-line-strong',
  [ConnectionState.REGISTERED]: 'border-solid border-starting/60',
  [ConnectionState.IDLE]: 'border-solid border-edge-idle/70',
  [ConnectionState.ACTIVE]: 'border-solid border-edge-active',
  [ConnectionState.STALE]: 'border-dashed border-degraded',
  [ConnectionState.DEAD]: 'border-dotted border-unhealthy',
}

/** Who gives no sign of life is paler. */
function fillOf(node: TopologyNode, tone: Tone): string {
  const pale = node.state === ConnectionState.STALE
  return pale ? `color-mix(in oklab, ${TONE_COLOUR[tone]} 55%, var(--surface))` : TONE_COLOUR[tone]
}

interface ViewProps {
  node: TopologyNode
  service: ServiceStatus | undefined
  tone: Tone
}

export const ServiceNode = memo(function ServiceNode({ id, selected }: NodeProps) {
  const node = useNode(id)
  const service = useService(id)
  const detail = useStore((state) => detailAt(state.transform[2]))
  if (!node) return null
  const tone = toneOf(node, service)
  const View = VIEW[detail]
  return (
    <div
      data-service={node.serviceName}
      data-state={ConnectionState[node.state]}
      data-health={tone}
      style={{ width: NODE_WIDTH, height: NODE_HEIGHT, ['--fill' as string]: fillOf(node, tone) }}
      className={cx(
        'flex overflow-hidden rounded-card border-2 shadow-card transition-[border-color,background-color,box-shadow] duration-300',
        detail === 'colour'
          ? 'bg-(--fill)'
          : 'bg-[color-mix(in_oklab,var(--fill)_9%,var(--surface))]',
        atRest(service) ? BORDER[ConnectionState.CONNECTION_UNKNOWN] : BORDER[node.state],
        selected && 'shadow-float ring-3 ring-accent ring-offset-2 ring-offset-canvas',
      )}
    >
      <Handle type="target" position={Position.Left} className="invisible!" isConnectable={false} />
      <Handle
        type="source"
        position={Position.Right}
        className="invisible!"
        isConnectable={false}
      />
      <View node={node} service={service} tone={tone} />
    </div>
  )
})

const VIEW = { all: WholeView, name: NameView, colour: ColourView }

function ColourView({ node }: ViewProps) {
  return (
    <span className="flex size-full items-center px-2 text-[24px] leading-tight font-semibold text-[#10131a]">
      <span className="line-clamp-2 break-all">{node.serviceName}</span>
    </span>
  )
}

function NameView({ node, tone }: ViewProps) {
  return (
    <>
      <span className="flex w-10 shrink-0 items-center justify-center bg-(--fill)">
        <span className="rounded-full bg-surface p-[3px]">
          <HealthMark tone={tone} size={22} />
        </span>
      </span>
      <span className="flex min-w-0 flex-1 items-center px-2.5 text-[20px] leading-[1.15] font-semibold">
        <span className="line-clamp-2 [overflow-wrap:anywhere]">{node.serviceName}</span>
      </span>
    </>
  )
}

function WholeView({ node, service, tone }: ViewProps) {
  useText()
  const { instanceCount: count, usableCount: usable } = node
  return (
    <>
      <span className="flex w-9 shrink-0 flex-col items-center justify-between bg-(--fill) py-2">
        <LanguageIcon language={node.language} />
        <span className="mt-auto rounded-full bg-surface p-[2px]">
          <HealthMark tone={tone} size={14} />
        </span>
      </span>
      <span className="flex min-w-0 flex-1 flex-col justify-between px-2.5 py-1.5">
        <span className="flex items-baseline gap-1.5">
          <span className="truncate text-[13.5px] font-semibold" title={node.serviceName}>
            {node.serviceName}
          </span>
          {count > 1 && (
            <span className="shrink-0 text-[11px] font-medium text-muted">
              {usable > 0 && usable < count ? `${usable}/${count}` : `×${count}`}
            </span>
          )}
        </span>
        <span className="truncate text-[11.5px] text-muted">{stateOf(node, service)}</span>
        <Consumption node={node} service={service} />
      </span>
    </>
  )
}

/** What it is doing, in a few words. */
function stateOf(node: TopologyNode, service: ServiceStatus | undefined): string {
  if (service?.waitingFor[0]) return `${text('services.waitsFor')} ${service.waitingFor.join(', ')}`
  const working = !service || (RUNS.has(service.state) && service.state !== ServiceState.STARTING)
  if (!working) return text(STATE_TEXT[service.state])
  if (node.incoming && node.incoming.totalRps > 0)
    return text('topology.rps', { rps: rate(node.incoming.totalRps) })
  if (service && node.state === ConnectionState.CONNECTION_UNKNOWN)
    return text(STATE_TEXT[service.state])
  return text(CONNECTION_TEXT[node.state])
}

function Consumption({
  node,
  service,
}: {
  node: TopologyNode
  service: ServiceStatus | undefined
}) {
  const usage = usageOf(node.serviceName)
  const cpu = node.metrics?.cpuPercent ?? service?.cpuPercent
  const memory = Number(node.metrics?.memoryBytes ?? service?.memoryBytes ?? 0)
  if (!usage || !memory) return <span className="h-4" />
  return (
    <span className="flex items-end justify-between gap-2 text-[11px] text-faint">
      <span className="truncate">
        {cpu !== undefined && `${number(cpu, 1)} % · `}
        {bytes(memory)}
      </span>
      <SparkLine
        width={56}
        height={16}
        lines={[
          { values: usage.memory, colour: 'var(--color-unknown)' },
          { values: usage.cpu, colour: 'var(--color-edge-active)', least: 5, filled: true },
        ]}
      />
    </span>
  )
}
