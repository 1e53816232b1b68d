/** The nodes and frames of the graph as the graph library wants them. */
import { applyNodeChanges, type Node, type NodeChange } from '@xyflow/react'
import { useCallback, useEffect, useMemo, useState } from 'react'
import type { Query } from '@/data/query'
import { NODE_HEIGHT, NODE_WIDTH, type Point } from '@/pages/topology/geometry'
import type { GroupData } from '@/pages/topology/group-node'
import type { Drawn } from '@/pages/topology/model'
import { movePlace } from '@/pages/topology/places'

const FRAME_PADDING = 18
const FRAME_HEAD = 36

/** Their place is ours, their selection the address's. */
export function useFlowNodes(
  layout: string,
  drawn: Drawn,
  places: Readonly<Record<string, Point>>,
  selected: string,
  query: Query,
) {
  const toggle = useCallback(
    (name: string) => {
      const collapsed = query.list('collapsed')
      query.set({
        collapsed: collapsed.includes(name)
          ? collapsed.filter((each) => each !== name)
          : [...collapsed, name],
      })
    },
    [query],
  )
  const made = useMemo(
    () => flowNodes(drawn, places, selected, toggle),
    [drawn, places, selected, toggle],
  )
  const [nodes, setNodes] = useState<Node[]>(made)
  useEffect(
    () =>
      setNodes((before) => {
        const measured = new Map(before.map((each) => [each.id, each.measured]))
        return made.map((each) => ({ ...each, measured: measured.get(each.id) ?? each.measured }))
      }),
    [made],
  )
  // By the pointer or by the arrow keys: where a node is put, it stays.
  const onNodesChange = useCallback(
    (changes: NodeChange[]) => {
      for (const change of changes)
        if (change.type === 'position' && change.position)
          movePlace(layout, change.id, change.position)
      setNodes((before) => applyNodeChanges(changes, before))
    },
    [layout],
  )
  return { nodes, onNodesChange }
}

function flowNodes(
  drawn: Drawn,
  places: Readonly<Record<string, Point>>,
  selected: string,
  toggle: (name: string) => void,
): Node[] {
  const nodes: Node[] = []
  for (const group of drawn.frames) {
    const members = group.members.flatMap((name) => (places[name] ? [places[name]] : []))
    if (!members.length) continue
    const left = Math.min(...members.map((place) => place.x)) - FRAME_PADDING
    const top = Math.min(...members.map((place) => place.y)) - FRAME_HEAD
    const width = Math.max(...members.map((place) => place.x)) + NODE_WIDTH + FRAME_PADDING - left
    const height = Math.max(...members.map((place) => place.y)) + NODE_HEIGHT + FRAME_PADDING - top
    const data: GroupData = { ...group, width, height, toggle }
    nodes.push({
      id: `${group.id}:frame`,
      type: 'frame',
      position: { x: left, y: top },
      data,
      draggable: false,
      selectable: false,
      focusable: false,
      zIndex: -1,
    })
  }
  for (const name of drawn.nodes) {
    const place = places[name]
    if (!place) continue
    nodes.push({
      id: name,
      type: 'service',
      position: place,
      data: {},
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      selected: name === selected,
      ariaLabel: name,
    })
  }
  for (const group of drawn.collapsed) {
    const place = places[group.id]
    if (!place) continue
    const data: GroupData = { ...group, width: NODE_WIDTH, height: NODE_HEIGHT, toggle }
    nodes.push({ id: group.id, type: 'collapsed', position: place, data, ariaLabel: group.name })
  }
  return nodes
}
