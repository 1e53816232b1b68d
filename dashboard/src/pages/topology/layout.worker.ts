/** Arranges a graph in layers, left to right, away from the page's own thread. */
import dagre from '@dagrejs/dagre'
import { NODE_HEIGHT, NODE_WIDTH, type Point } from '@/pages/topology/geometry'

export interface LayoutJob {
  number: number
  nodes: string[]
  edges: [source: string, target: string][]
  /** Nodes that stand below the others, between those they are tied to: the way of discovery. */
  aside: [name: string, neighbours: string[]][]
  /** Nodes that are to stay together. */
  groups: [name: string, members: string[]][]
}

export interface LayoutResult {
  number: number
  places: Record<string, Point>
}

/** Above this many nodes the exact ranking takes too long; the simple one looks nearly as good. */
const EXACT_NODES = 120
const ROW_GAP = 30
const COLUMN_GAP = 40
const LAYER_GAP = 90
const ASIDE_GAP = 70

function arrange(job: LayoutJob): Record<string, Point> {
  const graph = new dagre.graphlib.Graph({ compound: true })
  graph.setGraph({
    rankdir: 'LR',
    nodesep: 30,
    ranksep: 124,
    ranker: job.nodes.length > EXACT_NODES ? 'longest-path' : 'network-simplex',
  })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const name of job.nodes) graph.setNode(name, { width: NODE_WIDTH, height: NODE_HEIGHT })
  for (const [name, members] of job.groups) {
    graph.setNode(name, {})
    for (const member of members) graph.setParent(member, name)
  }
  for (const [source, target] of job.edges) graph.setEdge(source, target)
  dagre.layout(graph)
  const places: Record<string, Point> = {}
  for (const name of job.nodes) {
    const node = graph.node(name)
    places[name] = { x: (node.x ?? 0) - NODE_WIDTH / 2, y: (node.y ?? 0) - NODE_HEIGHT / 2 }
  }
  const dense = job.nodes.length > EXACT_NODES && job.groups.length === 0 ? compact(places) : places
  return placeAside(dense, job.aside)
}

function placeAside(places: Record<string, Point>, aside: LayoutJob['aside']) {
  const all = Object.values(places)
  const y = all.length ? Math.max(...all.map((place) => place.y)) + NODE_HEIGHT + ASIDE_GAP : 0
  aside.forEach(([name, neighbours], at) => {
    const near = neighbours.flatMap((other) => places[other]?.x ?? [])
    const middle = near.length ? (Math.min(...near) + Math.max(...near)) / 2 : 0
    places[name] = { x: middle + at * (NODE_WIDTH + COLUMN_GAP), y }
  })
  return places
}

/**
 * Many edges that pass a layer leave wide gaps in it. Large graphs keep their layers and the order
 * within them, and give up the gaps; a layer that is too tall becomes several columns.
 */
function compact(places: Record<string, Point>): Record<string, Point> {
  const layers = new Map<number, string[]>()
  for (const [name, { x }] of Object.entries(places)) {
    const layer = layers.get(Math.round(x)) ?? []
    layer.push(name)
    layers.set(Math.round(x), layer)
  }
  const tallest = Math.ceil(Math.sqrt(Object.keys(places).length) * 1.8)
  const dense: Record<string, Point> = {}
  let x = 0
  for (const at of [...layers.keys()].sort((a, b) => a - b)) {
    const layer = layers.get(at)!.sort((a, b) => places[a]!.y - places[b]!.y)
    const columns = Math.ceil(layer.length / tallest)
    const rows = Math.ceil(layer.length / columns)
    layer.forEach((name, index) => {
      const row = Math.floor(index / columns)
      dense[name] = {
        x: x + (index % columns) * (NODE_WIDTH + COLUMN_GAP),
        y:
          (row - (rows - 1) / 2) * (NODE_HEIGHT + ROW_GAP) +
          ((index % columns) * ROW_GAP) / columns,
      }
    })
    x += columns * (NODE_WIDTH + COLUMN_GAP) + LAYER_GAP
  }
  return dense
}

self.onmessage = ({ data }: MessageEvent<LayoutJob>) => {
  const result: LayoutResult = { number: data.number, places: arrange(data) }
  self.postMessage(result)
}
