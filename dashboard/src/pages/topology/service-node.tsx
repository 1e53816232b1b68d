/** One service in the graph: health is the fill, connection state the border and its shape. */
import { Handle, type NodeProps, Position, useStore } from '@xyflow/react'
import { memo } from 'react'
import { bytes, number, rate } from '@/data/format'
import { CONNECTION_TEXT, HEALTH_TONE, TONE_COLOUR, type Tone } from '@/data/names'
import { graph, useNode } from '@/data/topology'
import { cx, HealthMark, LanguageIcon, SparkLine } from '@/design/parts'
import { ConnectionState, type TopologyNode } from '@/gen/runtime/v1/topology_pb'
import { useText } from '@/i18n/text'
import { NODE_HEIGHT, NODE_WIDTH } from '@/pages/topology/geometry'

/** Farther away than this, a node shows its name and health only. */
const FAR = 0.5

/** Who gives no sign of life is paler. */
function fillOf(node: TopologyNode, tone: Tone): string {
  const pale = node.state === ConnectionState.STALE
  return pale ? `color-mix(in oklab, ${TONE_COLOUR[tone]} 55%, var(--surface))` : TONE_COLOUR[tone]
}

const BORDER: Record<ConnectionState, string> = {
  [ConnectionState.CONNECTION_UNKNOWN]: 'border-dotted border-line-strong',
  [ConnectionState.REGISTERED]: 'border-solid border-starting/60',
  [ConnectionState.IDLE]: 'border-solid border-edge-idle/70',
  [ConnectionState.ACTIVE]: 'border-solid border-edge-active',
  [ConnectionState.STALE]: 'border-dashed border-degraded',
  [ConnectionState.DEAD]: 'border-dotted border-unhealthy',
}

export const ServiceNode = memo(function ServiceNode({ id, selected }: NodeProps) {
  const node = useNode(id)
  const far = useStore((state) => state.transform[2] < FAR)
  if (!node) return null
  const tone = node.state === ConnectionState.DEAD ? 'unhealthy' : HEALTH_TONE[node.health]
  return (
    <div
      data-service={node.serviceName}
      data-state={ConnectionState[node.state]}
      data-health={tone}
      style={{ width: NODE_WIDTH, height: NODE_HEIGHT, ['--fill' as string]: fillOf(node, tone) }}
      className={cx(
        'flex overflow-hidden rounded-card border-2 shadow-card transition-[border-color,opacity,box-shadow] duration-300',
        far ? 'bg-(--fill)' : 'bg-surface',
        BORDER[node.state],
        selected && 'shadow-float ring-2 ring-accent ring-offset-1 ring-offset-canvas',
      )}
    >
      <Handle type="target" position={Position.Left} className="invisible!" isConnectable={false} />
      <Handle
        type="source"
        position={Position.Right}
        className="invisible!"
        isConnectable={false}
      />
      {far ? <Distant node={node} /> : <Near node={node} />}
    </div>
  )
})

function Distant({ node }: { node: TopologyNode }) {
  return (
    <span className="flex size-full items-center px-2 text-[22px] leading-tight font-semibold text-[#10131a]">
      <span className="line-clamp-2 break-all">{node.serviceName}</span>
    </span>
  )
}

function Near({ node }: { node: TopologyNode }) {
  const t = useText()
  const tone = node.state === ConnectionState.DEAD ? 'unhealthy' : HEALTH_TONE[node.health]
  return (
    <>
      <span className="flex w-9 shrink-0 flex-col items-center justify-between bg-(--fill) py-2">
        <LanguageIcon language={node.language} />
        <span className="rounded-full bg-surface p-[2px]">
          <HealthMark tone={tone} size={14} />
        </span>
      </span>
      <span className="flex min-w-0 flex-1 flex-col justify-between px-2.5 py-1.5">
        <span className="truncate text-[13px] font-semibold" title={node.serviceName}>
          {node.serviceName}
        </span>
        <span className="flex items-center justify-between text-[11px] text-muted">
          <span>
            {node.incoming && node.incoming.totalRps > 0
              ? t('topology.rps', { rps: rate(node.incoming.totalRps) })
              : t(CONNECTION_TEXT[node.state])}
          </span>
          {node.instanceCount > 1 && (
            <span className="rounded-full bg-sunken px-1.5 font-medium">
              {node.usableCount}/{node.instanceCount}
            </span>
          )}
        </span>
        <Usage node={node} />
      </span>
    </>
  )
}

function Usage({ node }: { node: TopologyNode }) {
  const spark = graph.sparks.get(node.serviceName)
  if (!node.metrics) return <span className="h-[16px]" />
  return (
    <span className="flex items-end justify-between gap-2 text-[11px] text-faint">
      <span className="truncate">
        {node.metrics.cpuPercent !== undefined && `${number(node.metrics.cpuPercent, 1)} % · `}
        {node.metrics.memoryBytes !== undefined && bytes(node.metrics.memoryBytes)}
      </span>
      <span className="text-edge-active">
        <SparkLine values={spark?.cpu ?? []} width={52} height={16} />
      </span>
    </span>
  )
}
