/** The live graph of who talks to whom. */
import '@xyflow/react/dist/base.css'
import {
  applyNodeChanges,
  MiniMap,
  type Node,
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  useNodesInitialized,
  useReactFlow,
} from '@xyflow/react'
import { type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { HEALTH_TONE, TONE_COLOUR } from '@/data/names'
import { type Query, useQuery } from '@/data/query'
import { graph, useStructure } from '@/data/topology'
import { Command, Empty } from '@/design/parts'
import { useText } from '@/i18n/text'
import { ContextMenu, type MenuPlace } from '@/pages/topology/context-menu'
import { EdgeCanvas } from '@/pages/topology/edge-canvas'
import { EdgePainter } from '@/pages/topology/edge-painter'
import { EdgePanel } from '@/pages/topology/edge-panel'
import { NODE_HEIGHT, NODE_WIDTH, type Point } from '@/pages/topology/geometry'
import { CollapsedGroup, type GroupData, GroupFrame } from '@/pages/topology/group-node'
import { draw, type Drawn, type Grouping, type View } from '@/pages/topology/model'
import { NodePanel } from '@/pages/topology/node-panel'
import { arrange, movePlace, settle, usePlaces } from '@/pages/topology/places'
import { ServiceNode } from '@/pages/topology/service-node'
import { Toolbar } from '@/pages/topology/toolbar'

const NODE_TYPES = { service: ServiceNode, frame: GroupFrame, collapsed: CollapsedGroup }
const FRAME_PADDING = 22
const FRAME_HEAD = 34
/** Above this many nodes those out of sight are left out of the document. */
const MANY_NODES = 120

export default function TopologyPage() {
  useEffect(graph.use, [])
  return (
    <ReactFlowProvider>
      <Topology />
    </ReactFlowProvider>
  )
}

function useView(query: Query): View {
  return useMemo(
    () => ({
      grouping: (query.get('group') || 'none') as Grouping,
      collapsed: new Set(query.list('collapsed')),
      hidden: new Set(query.list('hidden')),
      focus: query.get('focus'),
      languages: new Set(query.list('languages')),
      discovery: query.get('discovery') !== 'off',
      dependencies: query.get('dependencies') === 'on',
    }),
    [query],
  )
}

function Topology() {
  const t = useText()
  const query = useQuery()
  const view = useView(query)
  const structure = useStructure()
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the graph is mutable; `structure` says when
  const drawn = useMemo(() => draw(graph.nodes, graph.edges, view), [structure, view])
  useEffect(() => settle(drawn), [drawn])
  if (graph.refused) return <Empty title={t('common.refused', { reason: graph.refused })} />
  if (!graph.ready) return <p className="p-6 text-muted">{t('common.loading')}</p>
  if (graph.nodes.size === 0)
    return (
      <Empty title={t('topology.empty')}>
        <p>{t('topology.emptyWhat')}</p>
        <Command>muster up</Command>
      </Empty>
    )
  return <Graph drawn={drawn} view={view} query={query} />
}

function Graph({ drawn, view, query }: { drawn: Drawn; view: View; query: Query }) {
  const t = useText()
  const flow = useReactFlow()
  const places = usePlaces((state) => state.places)
  const [painter] = useState(() => new EdgePainter())
  const [hovered, setHovered] = useState('')
  const [menu, setMenu] = useState<MenuPlace | undefined>()
  const node = query.get('node')
  const edge = query.get('edge')
  const selectedEdge = useMemo(
    () => drawn.edges.find((each) => `${each.source}~${each.target}` === edge)?.id ?? '',
    [drawn, edge],
  )
  const { nodes, onNodesChange } = useFlowNodes(drawn, places, node, query)
  useFirstFit()
  const select = useCallback(
    (values: { node?: string; edge?: string }) =>
      query.set({ node: values.node ?? '', edge: values.edge ?? '' }),
    [query],
  )
  const edgeAt = (event: MouseEvent) => {
    const point = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY })
    return painter.at(point.x, point.y, flow.getZoom())
  }
  const selectEdge = (id: string) => {
    const found = drawn.edges.find((each) => each.id === id)
    select(found ? { edge: `${found.source}~${found.target}` } : {})
  }
  useGraphKeys(flow.fitView, () => select({}))
  return (
    <div className="flex h-full">
      <div className={`relative min-w-0 flex-1 ${hovered ? 'cursor-pointer' : ''}`}>
        <ReactFlow
          aria-label={t('topology.graph')}
          nodes={nodes}
          nodeTypes={NODE_TYPES}
          onNodesChange={onNodesChange}
          onNodeClick={(_, clicked) => clicked.type === 'service' && select({ node: clicked.id })}
          onNodeDoubleClick={(_, clicked) => query.set({ focus: clicked.id })}
          onNodeContextMenu={(event, clicked) => {
            event.preventDefault()
            if (clicked.type === 'service')
              setMenu({ name: clicked.id, x: event.clientX, y: event.clientY })
          }}
          onNodeDragStop={(_, dragged) => movePlace(dragged.id, dragged.position)}
          onPaneClick={(event) => selectEdge(edgeAt(event))}
          onPaneMouseMove={(event) => setHovered(edgeAt(event))}
          onPaneMouseLeave={() => setHovered('')}
          onMoveStart={() => setMenu(undefined)}
          onlyRenderVisibleElements={nodes.length > MANY_NODES}
          nodesConnectable={false}
          deleteKeyCode={null}
          minZoom={0.04}
          maxZoom={2}
          proOptions={{ hideAttribution: true }}
        >
          <EdgeCanvas
            painter={painter}
            edges={drawn.edges}
            places={places}
            selected={selectedEdge}
            hovered={hovered}
            showIdle={query.get('idle') !== 'off'}
          />
          <MiniMap
            pannable
            zoomable
            ariaLabel={t('topology.miniMap')}
            nodeColor={(each) => miniColour(each)}
            nodeBorderRadius={8}
            maskColor="color-mix(in srgb, var(--canvas) 70%, transparent)"
            className="hidden! rounded-card border border-line bg-surface! md:block!"
          />
        </ReactFlow>
        <Toolbar
          query={query}
          view={view}
          drawn={drawn}
          arrange={() => arrange(drawn, () => void flow.fitView({ duration: 300 }))}
        />
        <EdgeList drawn={drawn} select={selectEdge} />
        {menu && <ContextMenu place={menu} query={query} close={() => setMenu(undefined)} />}
      </div>
      {node && graph.nodes.has(node) && (
        <NodePanel key={node} name={node} close={() => select({})} />
      )}
      {edge && <EdgePanel key={edge} pair={edge} close={() => select({})} />}
    </div>
  )
}

function miniColour(each: Node): string {
  const node = each.type === 'service' ? graph.nodes.get(each.id) : undefined
  return node ? TONE_COLOUR[HEALTH_TONE[node.health]] : 'var(--line)'
}

/** The nodes as the graph library wants them: their place is ours, their selection the address's. */
function useFlowNodes(
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
  const onNodesChange = useCallback((changes: NodeChange[]) => {
    for (const change of changes)
      if (change.type === 'position' && change.position && change.dragging)
        movePlace(change.id, change.position)
    setNodes((before) => applyNodeChanges(changes, before))
  }, [])
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

/** Fits the graph once, when it is first there; later it stays where the reader has put it. */
function useFirstFit(): void {
  const flow = useReactFlow()
  const there = useNodesInitialized()
  const done = useRef(false)
  useEffect(() => {
    if (!there || done.current) return
    done.current = true
    void flow.fitView({ maxZoom: 1.15, padding: 0.16 })
  }, [there, flow])
}

function useGraphKeys(fit: (options: object) => unknown, close: () => void): void {
  const latest = useRef({ fit, close })
  latest.current = { fit, close }
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (
        event.target instanceof HTMLElement &&
        event.target.closest('input, textarea, select, dialog')
      )
        return
      if (event.key === 'f' && !event.ctrlKey && !event.metaKey)
        latest.current.fit({ duration: 300 })
      if (event.key === 'Escape') latest.current.close()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
}

/** The edges for those who do not see them, and for the keyboard. */
function EdgeList({ drawn, select }: { drawn: Drawn; select: (id: string) => void }) {
  const t = useText()
  return (
    <nav
      aria-label={t('topology.edges')}
      className="sr-only focus-within:not-sr-only focus-within:absolute focus-within:bottom-3 focus-within:left-3 focus-within:max-h-60 focus-within:overflow-auto focus-within:rounded-card focus-within:border focus-within:border-line focus-within:bg-raised focus-within:p-2 focus-within:shadow-float"
    >
      <ul>
        {drawn.edges.slice(0, 500).map((edge) => (
          <li key={edge.id}>
            <button type="button" onClick={() => select(edge.id)}>
              {edge.source} → {edge.target}
            </button>
          </li>
        ))}
      </ul>
    </nav>
  )
}
