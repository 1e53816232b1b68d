/** Arranges a graph in layers, left to right or top to bottom, away from the page's own thread. */
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
  /** From top to bottom, a few nodes abreast: for a phone. */
  tall: boolean
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
/** Nodes abreast in a tall graph, and the space between its rows. */
const ABREAST = 3
const TALL_GAP = 58
/** Between the layers of a wide graph; more where they are few: crossing edges' labels find room. */
const LAYER_ROOM = 128
const FEW_LAYERS = 3
const MORE_ROOM = 48

function arrange(job: LayoutJob): Record<string, Point> {
  const graph = new dagre.graphlib.Graph({ compound: true })
  graph.setGraph({
    rankdir: job.tall ? 'TB' : 'LR',
    nodesep: 32,
    ranksep: job.tall ? TALL_GAP : LAYER_ROOM,
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
  return placeAside(job.groups.length ? places : dense(job, places), job.aside)
}

function dense(job: LayoutJob, places: Record<string, Point>): Record<string, Point> {
  if (job.tall) return fewAbreast(places)
  return job.nodes.length > EXACT_NODES ? compact(places) : roomy(places)
}

function roomy(places: Record<string, Point>): Record<string, Point> {
  const layers = layersBy(places, 'x', 'y')
  if (layers.length <= FEW_LAYERS)
    layers.forEach((names, at) => names.forEach((name) => (places[name]!.x += at * MORE_ROOM)))
  return places
}

/** Breaks wide layers into rows. */
function fewAbreast(places: Record<string, Point>): Record<string, Point> {
  const result: Record<string, Point> = {}
  let y = 0
  for (const layer of layersBy(places, 'y', 'x'))
    for (let at = 0; at < layer.length; at += ABREAST) {
      const row = layer.slice(at, at + ABREAST)
      row.forEach((name, index) => {
        result[name] = { x: (index - (row.length - 1) / 2) * (NODE_WIDTH + ROW_GAP), y }
      })
      y += NODE_HEIGHT + TALL_GAP
    }
  return result
}

/** The names of each layer, in order; layers lie along one axis, their members along the other. */
function layersBy(places: Record<string, Point>, along: 'x' | 'y', within: 'x' | 'y'): string[][] {
  const layers = new Map<number, string[]>()
  for (const [name, place] of Object.entries(places)) {
    const at = Math.round(place[along])
    layers.set(at, [...(layers.get(at) ?? []), name])
  }
  return [...layers.entries()]
    .sort(([a], [b]) => a - b)
    .map(([, names]) => names.sort((a, b) => places[a]![within] - places[b]![within]))
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
  const tallest = Math.ceil(Math.sqrt(Object.keys(places).length) * 1.8)
  const result: Record<string, Point> = {}
  let x = 0
  for (const layer of layersBy(places, 'x', 'y')) {
    const columns = Math.ceil(layer.length / tallest)
    const rows = Math.ceil(layer.length / columns)
    layer.forEach((name, index) => {
      const row = Math.floor(index / columns)
      result[name] = {
        x: x + (index % columns) * (NODE_WIDTH + COLUMN_GAP),
        y:
          (row - (rows - 1) / 2) * (NODE_HEIGHT + ROW_GAP) +
          ((index % columns) * ROW_GAP) / columns,
      }
    })
    x += columns * (NODE_WIDTH + COLUMN_GAP) + LAYER_GAP
  }
  return result
}

self.onmessage = ({ data }: MessageEvent<LayoutJob>) => {
  const result: LayoutResult = { number: data.number, places: arrange(data) }
  self.postMessage(result)
}
