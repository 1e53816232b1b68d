/** What the graph shows of what there is: filters, groups, collapsed groups. Pure. */
import { edgeId } from '@/data/graph-keys'
import { HEALTH_TONE, LANGUAGE, STATE_TONE, type Tone } from '@/data/names'
import { ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import {
  ConnectionState,
  EdgeKind,
  type TopologyEdge,
  type TopologyNode,
} from '@/gen/runtime/v1/topology_pb'

export type Grouping = 'none' | 'namespace' | 'language'

export interface View {
  grouping: Grouping
  collapsed: ReadonlySet<string>
  hidden: ReadonlySet<string>
  /** Only this node and its neighbours; '' = all. */
  focus: string
  languages: ReadonlySet<string>
  discovery: boolean
  dependencies: boolean
}

/** An edge as it is drawn: several of the graph, where groups are collapsed. */
export interface DrawnEdge {
  id: string
  source: string
  target: string
  kind: EdgeKind
  /** Ids of the edges it stands for. */
  members: string[]
}

export interface Group {
  id: string
  name: string
  members: string[]
}

export interface Drawn {
  /** Names of services that are shown one by one. */
  nodes: string[]
  /** Groups shown as a frame around their members. */
  frames: Group[]
  /** Groups shown as one node. */
  collapsed: Group[]
  edges: DrawnEdge[]
}

export const groupId = (name: string) => `group:${name}`

export function groupOf(node: TopologyNode, grouping: Grouping): string {
  if (grouping === 'namespace') return node.namespace
  if (grouping === 'language') return LANGUAGE[node.language].name
  return ''
}

export function draw(
  nodes: ReadonlyMap<string, TopologyNode>,
  edges: ReadonlyMap<string, TopologyEdge>,
  view: View,
): Drawn {
  const shown = visibleNodes(nodes, edges, view)
  const groups = new Map<string, Group>()
  const standsFor = new Map<string, string>()
  const single: string[] = []
  for (const name of shown) {
    const group = groupOf(nodes.get(name)!, view.grouping)
    const collapsed = group !== '' && view.collapsed.has(group)
    standsFor.set(name, collapsed ? groupId(group) : name)
    if (!collapsed) single.push(name)
    if (group === '') continue
    const known = groups.get(group) ?? { id: groupId(group), name: group, members: [] }
    known.members.push(name)
    groups.set(group, known)
  }
  const all = [...groups.values()]
  return {
    nodes: single.sort(),
    frames: all.filter((group) => !view.collapsed.has(group.name)),
    collapsed: all.filter((group) => view.collapsed.has(group.name)),
    edges: drawnEdges(edges, standsFor, view),
  }
}

function visibleNodes(
  nodes: ReadonlyMap<string, TopologyNode>,
  edges: ReadonlyMap<string, TopologyEdge>,
  view: View,
): string[] {
  const near = view.focus && nodes.has(view.focus) ? neighbours(edges, view) : undefined
  const names: string[] = []
  for (const [name, node] of nodes) {
    if (view.hidden.has(name) || (near && !near.has(name))) continue
    if (view.languages.size && !view.languages.has(LANGUAGE[node.language].name)) continue
    if (node.builtin && !view.discovery && !near) continue
    names.push(name)
  }
  return names
}

function neighbours(edges: ReadonlyMap<string, TopologyEdge>, view: View): Set<string> {
  const near = new Set([view.focus])
  for (const edge of edges.values()) {
    if (!kindShown(edge.kind, view)) continue
    if (edge.source === view.focus) near.add(edge.target)
    if (edge.target === view.focus) near.add(edge.source)
  }
  return near
}

function kindShown(kind: EdgeKind, view: View): boolean {
  if (kind === EdgeKind.DISCOVERY) return view.discovery
  if (kind === EdgeKind.DEPENDENCY) return view.dependencies
  return true
}

function drawnEdges(
  edges: ReadonlyMap<string, TopologyEdge>,
  standsFor: ReadonlyMap<string, string>,
  view: View,
): DrawnEdge[] {
  const drawn = new Map<string, DrawnEdge>()
  for (const [id, edge] of edges) {
    const source = standsFor.get(edge.source)
    const target = standsFor.get(edge.target)
    if (!source || !target || source === target || !kindShown(edge.kind, view)) continue
    const drawnId = edgeId(source, target, edge.kind)
    const known = drawn.get(drawnId)
    if (known) known.members.push(id)
    else drawn.set(drawnId, { id: drawnId, source, target, kind: edge.kind, members: [id] })
  }
  return [...drawn.values()]
}

/** States in which nobody lives, as it should be. */
const AT_REST: ReadonlySet<ServiceState> = new Set([
  ServiceState.STOPPING,
  ServiceState.STOPPED,
  ServiceState.COMPLETED,
  ServiceState.SKIPPED,
])

export const atRest = (service: Pick<ServiceStatus, 'state'> | undefined): boolean =>
  service !== undefined && AT_REST.has(service.state)

/**
 * The fill of a node: what its signs of life, probes and calls say and, where nobody is there to
 * say anything, what the orchestrator knows of the service.
 */
export function toneOf(
  node: Pick<TopologyNode, 'state' | 'health'>,
  service: Pick<ServiceStatus, 'state'> | undefined,
): Tone {
  if (service && atRest(service)) return STATE_TONE[service.state]
  if (node.state === ConnectionState.DEAD) return 'unhealthy'
  const tone = HEALTH_TONE[node.health]
  if (tone !== 'unknown' || !service) return tone
  return service.state === ServiceState.BACKING_OFF ? 'unhealthy' : STATE_TONE[service.state]
}

const TONES: readonly Tone[] = ['unknown', 'healthy', 'starting', 'degraded', 'unhealthy']

export const worstTone = (tones: readonly Tone[]): Tone =>
  TONES[Math.max(0, ...tones.map((tone) => TONES.indexOf(tone)))] ?? 'unknown'

/** How an edge looks: the sum of what it stands for. */
export interface EdgeLook {
  rps: number
  errorRate: number
  /** p95, the worst; 0 = not measured. */
  latency: number
  active: boolean
}

export function lookOf(edge: DrawnEdge, edges: ReadonlyMap<string, TopologyEdge>): EdgeLook {
  const look = { rps: 0, errorRate: 0, latency: 0, active: false }
  for (const id of edge.members) {
    const member = edges.get(id)
    if (!member) continue
    look.errorRate =
      (look.errorRate * look.rps + member.errorRate * member.totalRps) /
      Math.max(look.rps + member.totalRps, 1e-9)
    look.rps += member.totalRps
    look.latency = Math.max(look.latency, member.latency?.p95Ms ?? 0)
    look.active ||= member.totalRps > 0
  }
  return look
}

/** An edge is slow, and orange, when 5 % of its calls take longer than this, in milliseconds. */
export const SLOW_MS = 300
/** … and red when more than this share of them fails. */
export const FAILING = 0.05

/** The specification's rule: 2 + log10(RPS + 1), up to 8. */
export const edgeWidth = (rps: number) => Math.min(2 + Math.log10(rps + 1), 8)
