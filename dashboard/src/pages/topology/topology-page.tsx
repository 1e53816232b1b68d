/** The live graph of who talks to whom. */
import '@xyflow/react/dist/base.css'
import {
  MiniMap,
  type Node,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from '@xyflow/react'
import { type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { TONE_COLOUR } from '@/data/names'
import { type Query, useQuery } from '@/data/query'
import { useServices } from '@/data/services'
import { graph, useStructure } from '@/data/topology'
import { UPRIGHT, useMedia } from '@/design/media'
import { Command, Empty, Refused } from '@/design/parts'
import { useText } from '@/i18n/text'
import { ContextMenu, type MenuPlace } from '@/pages/topology/context-menu'
import { EdgeCanvas } from '@/pages/topology/edge-canvas'
import { EdgePainter } from '@/pages/topology/edge-painter'
import { EdgePanel } from '@/pages/topology/edge-panel'
import { useFlowNodes } from '@/pages/topology/flow-nodes'
import { NODE_HEIGHT, NODE_WIDTH } from '@/pages/topology/geometry'
import { CollapsedGroup, GroupFrame } from '@/pages/topology/group-node'
import { draw, type Drawn, type Grouping, toneOf, type View } from '@/pages/topology/model'
import { NodePanel } from '@/pages/topology/node-panel'
import { arrange, isTall, layoutName, movePlace, settle, usePlaces } from '@/pages/topology/places'
import { ServiceNode } from '@/pages/topology/service-node'
import { Toolbar } from '@/pages/topology/toolbar'
import { fitAll, keepViewport, useFirstView, useInSight } from '@/pages/topology/viewport'

const NODE_TYPES = { service: ServiceNode, frame: GroupFrame, collapsed: CollapsedGroup }
/** Above this many nodes those out of sight are left out of the document. */
const MANY_NODES = 120
/** Of more than these edges those of the node under the pointer stand out. */
const MANY_EDGES = 60
/** With so many the overview is always of use. */
const MANY_IN_SIGHT = 40

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
  const layout = layoutName(view.grouping, useMedia(UPRIGHT))
  useEffect(() => settle(layout, drawn), [layout, drawn])
  if (graph.refused) return <Refused reason={graph.refused} />
  if (!graph.ready) return <p className="p-6 text-muted">{t('common.loading')}</p>
  if (graph.nodes.size === 0)
    return (
      <Empty title={t('topology.empty')}>
        <p>{t('topology.emptyWhat')}</p>
        <Command>muster up</Command>
      </Empty>
    )
  return <Graph layout={layout} drawn={drawn} view={view} query={query} />
}

interface GraphProps {
  layout: string
  drawn: Drawn
  view: View
  query: Query
}

function Graph({ layout, drawn, view, query }: GraphProps) {
  const t = useText()
  const flow = useReactFlow()
  const places = usePlaces(layout)
  const [painter] = useState(() => new EdgePainter())
  const [hovered, setHovered] = useState('')
  const [touched, setTouched] = useState('')
  const [menu, setMenu] = useState<MenuPlace | undefined>()
  const node = query.get('node')
  const edge = query.get('edge')
  const selectedEdge = useMemo(
    () => drawn.edges.find((each) => `${each.source}~${each.target}` === edge)?.id ?? '',
    [drawn, edge],
  )
  const { nodes, onNodesChange } = useFlowNodes(layout, drawn, places, node, query)
  const shown = useFirstView(layout)
  useInSight(shown && node ? places[node] : undefined)
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
  useGraphKeys(
    () => fitAll(layout, flow),
    () => select({}),
  )
  return (
    <div className="flex h-full">
      <div className={`relative min-w-0 flex-1 ${hovered ? 'cursor-pointer' : ''}`}>
        <ReactFlow
          aria-label={t('topology.graph')}
          ariaLabelConfig={{
            'node.a11yDescription.default': t('topology.nodeKeys'),
            'node.a11yDescription.keyboardDisabled': t('topology.nodeKeys'),
          }}
          nodes={nodes}
          nodeTypes={NODE_TYPES}
          onNodesChange={onNodesChange}
          onNodeClick={(_, clicked) => clicked.type === 'service' && select({ node: clicked.id })}
          onNodeDoubleClick={(_, clicked) => query.set({ focus: clicked.id })}
          onNodeMouseEnter={(_, entered) =>
            drawn.edges.length > MANY_EDGES && setTouched(entered.id)
          }
          onNodeMouseLeave={() => setTouched('')}
          onNodeContextMenu={(event, clicked) => {
            event.preventDefault()
            if (clicked.type === 'service')
              setMenu({ name: clicked.id, x: event.clientX, y: event.clientY })
          }}
          onNodeDragStop={(_, dragged) => movePlace(layout, dragged.id, dragged.position)}
          onKeyDown={(event) => {
            const id = event.key === 'Enter' && focusedNode(event.target)
            if (id && graph.nodes.has(id)) select({ node: id })
          }}
          onPaneClick={(event) => selectEdge(edgeAt(event))}
          onPaneMouseMove={(event) => setHovered(edgeAt(event))}
          onPaneMouseLeave={() => setHovered('')}
          onMoveStart={() => setMenu(undefined)}
          onMoveEnd={(event, viewport) => event && keepViewport(layout, viewport)}
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
            tall={isTall(layout)}
            selected={selectedEdge}
            hovered={hovered}
            near={touched || node}
            showIdle={query.get('idle') !== 'off'}
          />
          <Overview />
        </ReactFlow>
        <Toolbar
          query={query}
          view={view}
          drawn={drawn}
          layout={layout}
          arrange={() => arrange(layout, drawn, () => fitAll(layout, flow))}
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

/** The graph in small, where there is more of it than can be seen at a time. */
function Overview() {
  const t = useText()
  const needed = useStore(
    ({ nodes, transform: [x, y, zoom], width, height }) =>
      nodes.length > MANY_IN_SIGHT ||
      nodes.some(
        ({ position }) =>
          position.x * zoom + x < 0 ||
          position.y * zoom + y < 0 ||
          (position.x + NODE_WIDTH) * zoom + x > width ||
          (position.y + NODE_HEIGHT) * zoom + y > height,
      ),
  )
  if (!needed) return null
  return (
    <MiniMap
      pannable
      zoomable
      ariaLabel={t('topology.miniMap')}
      nodeColor={(each) => miniColour(each)}
      nodeBorderRadius={8}
      maskColor="color-mix(in srgb, var(--canvas) 70%, transparent)"
      style={{ width: 168, height: 112 }}
      className="hidden! overflow-hidden rounded-card border border-line bg-surface! shadow-card md:block!"
    />
  )
}

function miniColour({ id, type }: Node): string {
  const node = type === 'service' ? graph.nodes.get(id) : undefined
  return node ? TONE_COLOUR[toneOf(node, useServices.getState().byName.get(id))] : 'var(--line)'
}

const focusedNode = (target: EventTarget) =>
  target instanceof HTMLElement && target.classList.contains('react-flow__node')
    ? target.dataset['id']
    : undefined

function useGraphKeys(fit: () => void, close: () => void): void {
  const latest = useRef({ fit, close })
  latest.current = { fit, close }
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (
        event.target instanceof HTMLElement &&
        event.target.closest('input, textarea, select, dialog')
      )
        return
      if (event.key === 'f' && !event.ctrlKey && !event.metaKey) latest.current.fit()
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
