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

export type Places = Readonly<Record<string, Point>>

/** Each way of looking at the graph has its own arrangement, so that coming back moves nothing. */
interface Layouts {
  layouts: Readonly<Record<string, Places>>
}

const useLayouts = create<Layouts>()(
  persist((): Layouts => ({ layouts: {} }), { name: 'muster.layouts' }),
)

const NOWHERE: Places = {}

export const usePlaces = (layout: string): Places =>
  useLayouts((state) => state.layouts[layout] ?? NOWHERE)

export const placesOf = (layout: string): Places => useLayouts.getState().layouts[layout] ?? NOWHERE

function setPlaces(layout: string, places: Places): void {
  useLayouts.setState(({ layouts }) => ({ layouts: { ...layouts, [layout]: places } }))
}

export function movePlace(layout: string, name: string, place: Point): void {
  setPlaces(layout, { ...placesOf(layout), [name]: place })
}

/** What names the arrangement of a grouping, on a wide or a narrow screen. */
export const layoutName = (grouping: string, tall: boolean) =>
  tall ? `${grouping} tall` : grouping

export const isTall = (layout: string) => layout.endsWith(' tall')

let worker: Worker | undefined
let jobs = 0
let waiting: number | undefined

/** Gives every node a place, without moving those that have one. */
export function settle(layout: string, drawn: Drawn): void {
  const ids = [...drawn.nodes, ...drawn.collapsed.map((group) => group.id)]
  const places = placesOf(layout)
  const without = ids.filter((id) => !places[id])
  if (without.length === 0 || waiting !== undefined) return
  if (without.length > ids.length * NEWCOMERS) arrange(layout, drawn)
  else placeBeside(layout, drawn, ids, without)
}

function placeBeside(layout: string, drawn: Drawn, ids: string[], without: string[]): void {
  const places = { ...placesOf(layout) }
  const at = (names: readonly string[]) =>
    names.flatMap((name) => (places[name] ? [places[name]] : []))
  for (const id of without) {
    const group = drawn.collapsed.find((each) => each.id === id)
    const inside = at(group?.members ?? [])
    const beside = at(
      drawn.edges.flatMap(({ source, target }) =>
        target === id ? [source] : source === id ? [target] : [],
      ),
    )
    places[id] = inside.length ? middle(inside) : freePlace(at(ids), beside)
  }
  setPlaces(layout, places)
}

const middle = (points: readonly Point[]): Point => ({
  x: points.reduce((sum, point) => sum + point.x, 0) / points.length,
  y: points.reduce((sum, point) => sum + point.y, 0) / points.length,
})

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
export function arrange(layout: string, drawn: Drawn, done?: () => void): void {
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
    tall: isTall(layout),
  }
  waiting = job.number
  worker.onmessage = ({ data }: MessageEvent<LayoutResult>) => {
    if (data.number !== waiting) return
    waiting = undefined
    const kept = Object.entries(placesOf(layout)).slice(-REMEMBERED)
    setPlaces(layout, { ...Object.fromEntries(kept), ...data.places })
    done?.()
  }
  worker.onerror = () => (waiting = undefined)
  worker.postMessage(job)
}
