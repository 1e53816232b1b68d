/** Where each node stands: arranged once, then kept; dragging moves one, and is remembered. */
import { create } from 'zustand'
import { persist } from 'zustand/middleware'
import { graph } from '@/data/topology'
import { EdgeKind } from '@/gen/runtime/v1/topology_pb'
import { freePlace, type Point } from '@/pages/topology/geometry'
import type { LayoutJob, LayoutResult } from '@/pages/topology/layout.worker'
import type { Drawn } from '@/pages/topology/model'

/** More than this many new nodes at once are worth arranging everything anew. */
const NEWCOMERS = 0.5
/** Places remembered; the oldest go first. */
const REMEMBERED = 3000

interface Places {
  places: Record<string, Point>
}

export const usePlaces = create<Places>()(
  persist((): Places => ({ places: {} }), { name: 'muster.places' }),
)

export function movePlace(name: string, place: Point): void {
  usePlaces.setState(({ places }) => ({ places: { ...places, [name]: place } }))
}

let worker: Worker | undefined
let jobs = 0
let waiting: number | undefined

/** Gives every node a place, without moving those that have one. */
export function settle(drawn: Drawn): void {
  const ids = [...drawn.nodes, ...drawn.collapsed.map((group) => group.id)]
  const { places } = usePlaces.getState()
  const without = ids.filter((id) => !places[id])
  if (without.length === 0 || waiting !== undefined) return
  if (without.length > ids.length * NEWCOMERS) arrange(drawn)
  else placeBeside(drawn, ids, without)
}

function placeBeside(drawn: Drawn, ids: string[], without: string[]): void {
  const places = { ...usePlaces.getState().places }
  for (const id of without) {
    const taken = ids.flatMap((other) => (places[other] ? [places[other]] : []))
    const beside = drawn.edges.flatMap((edge) => {
      const other = edge.target === id ? edge.source : edge.source === id ? edge.target : undefined
      const place = other === undefined ? undefined : places[other]
      return place ? [place] : []
    })
    places[id] = freePlace(taken, beside)
  }
  usePlaces.setState({ places })
}

/** Nodes that only discovery leads to, with those on its way; as the broker. */
function discoveryOnly(drawn: Drawn): Map<string, string[]> {
  const ties = new Map<string, string[]>()
  const called = new Set<string>()
  for (const { source, target, kind } of drawn.edges) {
    if (kind !== EdgeKind.DISCOVERY) called.add(source).add(target)
    else
      for (const [name, other] of [
        [source, target],
        [target, source],
      ] as const)
        ties.set(name, [...(ties.get(name) ?? []), other])
  }
  for (const name of [...ties.keys()])
    if (called.has(name) || !graph.nodes.get(name)?.builtin) ties.delete(name)
  return ties
}

/** Arranges everything anew. `done` is told when nodes stand where they belong. */
export function arrange(drawn: Drawn, done?: () => void): void {
  worker ??= new Worker(new URL('./layout.worker.ts', import.meta.url), { type: 'module' })
  const aside = discoveryOnly(drawn)
  const job: LayoutJob = {
    number: ++jobs,
    nodes: [
      ...drawn.nodes.filter((name) => !aside.has(name)),
      ...drawn.collapsed.map((group) => group.id),
    ],
    edges: drawn.edges
      .filter((edge) => edge.kind !== EdgeKind.DISCOVERY)
      .map((edge) => [edge.source, edge.target]),
    aside: [...aside],
    groups: drawn.frames.map((group) => [`${group.id}:frame`, group.members]),
  }
  waiting = job.number
  worker.onmessage = ({ data }: MessageEvent<LayoutResult>) => {
    if (data.number !== waiting) return
    waiting = undefined
    const kept = Object.entries(usePlaces.getState().places).slice(-REMEMBERED)
    usePlaces.setState({ places: { ...Object.fromEntries(kept), ...data.places } })
    done?.()
  }
  worker.onerror = () => (waiting = undefined)
  worker.postMessage(job)
}
