/** Arranges a graph in layers, left to right, away from the page's own thread. */
import dagre from '@dagrejs/dagre'
import { NODE_HEIGHT, NODE_WIDTH, type Point } from '@/pages/topology/geometry'

export interface LayoutJob {
  number: number
  nodes: string[]
  edges: [source: string, target: string][]
  /** Nodes that are to stay together. */
  groups: [name: string, members: string[]][]
}

export interface LayoutResult {
  number: number
  places: Record<string, Point>
}

/** Above this many nodes the exact ranking takes too long; the simple one looks nearly as good. */
const EXACT_NODES = 120

function arrange(job: LayoutJob): Record<string, Point> {
  const graph = new dagre.graphlib.Graph({ compound: true })
  graph.setGraph({
    rankdir: 'LR',
    nodesep: 30,
    ranksep: 104,
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
  return places
}

self.onmessage = ({ data }: MessageEvent<LayoutJob>) => {
  const result: LayoutResult = { number: data.number, places: arrange(data) }
  self.postMessage(result)
}
