/** A group: a frame around its members, or one node in their place. */
import { Handle, type Node, type NodeProps, Position, useStore } from '@xyflow/react'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { memo } from 'react'
import { useServices } from '@/data/services'
import { graph, useStructure } from '@/data/topology'
import { HealthMark } from '@/design/parts'
import { useText } from '@/i18n/text'
import { NODE_HEIGHT, NODE_WIDTH } from '@/pages/topology/geometry'
import { toneOf, worstTone } from '@/pages/topology/model'

export type GroupData = {
  name: string
  members: string[]
  width: number
  height: number
  toggle: (name: string) => void
}

export const GroupFrame = memo(function GroupFrame({ data }: NodeProps<Node<GroupData>>) {
  const t = useText()
  const letters = useStore((state) =>
    Math.min(Math.max(12, Math.ceil(11 / state.transform[2])), 40),
  )
  return (
    <div
      style={{ width: data.width, height: data.height, fontSize: letters }}
      className="pointer-events-none rounded-[14px] border border-dashed border-line-strong bg-text/[0.025]"
    >
      <button
        type="button"
        onClick={() => data.toggle(data.name)}
        aria-label={`${t('topology.collapse')} ${data.name}`}
        className="nodrag pointer-events-auto m-1 flex items-center gap-1 rounded-control px-1.5 py-0.5 leading-tight font-semibold text-muted hover:bg-sunken"
      >
        <ChevronDown size="1em" aria-hidden />
        {data.name}
      </button>
    </div>
  )
})

export const CollapsedGroup = memo(function CollapsedGroup({ data }: NodeProps<Node<GroupData>>) {
  const t = useText()
  useStructure()
  const services = useServices((state) => state.byName)
  const worst = worstTone(
    data.members.map((name) => {
      const node = graph.nodes.get(name)
      return node ? toneOf(node, services.get(name)) : 'unknown'
    }),
  )
  return (
    <div
      style={{ width: NODE_WIDTH, height: NODE_HEIGHT }}
      className="relative flex items-center gap-2 rounded-card border-2 border-line-strong bg-surface px-3 shadow-[4px_4px_0_var(--line),8px_8px_0_var(--sunken)]"
    >
      <Handle type="target" position={Position.Left} className="invisible!" isConnectable={false} />
      <Handle
        type="source"
        position={Position.Right}
        className="invisible!"
        isConnectable={false}
      />
      <button
        type="button"
        onClick={() => data.toggle(data.name)}
        aria-label={`${t('topology.expand')} ${data.name}`}
        className="nodrag rounded-control p-1 hover:bg-sunken"
      >
        <ChevronRight size={16} aria-hidden />
      </button>
      <span className="min-w-0 flex-1">
        <span className="block truncate text-[13px] font-semibold">{data.name}</span>
        <span className="text-[11px] text-muted">
          {t('topology.collapsed', { count: data.members.length })}
        </span>
      </span>
      <HealthMark tone={worst} />
    </div>
  )
})
