/** Where nodes and edges lie. Lengths are those of the graph, before zoom. Pure. */

export const NODE_WIDTH = 208
export const NODE_HEIGHT = 74
const GAP = 36

export interface Point {
  x: number
  y: number
}

export interface Curve {
  /** Points on the edge, x and y in turn, from source to target. */
  points: Float32Array
  path: Path2D
  /** Direction at the end, in radians. */
  angle: number
}

const STEPS = 20

/** How edges lie to one another. */
export interface Course {
  /** There is an edge back, beside which this one keeps. */
  twin: boolean
  /** The graph goes from top to bottom, not from left to right. */
  tall: boolean
}

/** From the side of the source that faces the target to the target's side that faces the source. */
export function curveBetween(source: Point, target: Point, course: Course): Curve {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = controlPoints(source, target, course)
  const points = new Float32Array((STEPS + 1) * 2)
  for (let step = 0; step <= STEPS; step++) {
    const t = step / STEPS
    const u = 1 - t
    const a = u * u * u
    const b = 3 * u * u * t
    const c = 3 * u * t * t
    const d = t * t * t
    points[step * 2] = a * x0 + b * x1 + c * x2 + d * x3
    points[step * 2 + 1] = a * y0 + b * y1 + c * y2 + d * y3
  }
  const path = new Path2D()
  path.moveTo(x0, y0)
  path.bezierCurveTo(x1, y1, x2, y2, x3, y3)
  return { points, path, angle: Math.atan2(y3 - y2, x3 - x2) }
}

type Control = [number, number, number, number, number, number, number, number]

function controlPoints(source: Point, target: Point, { twin, tall }: Course): Control {
  const middle = NODE_HEIGHT / 2
  const across = !tall || Math.abs(target.y - source.y) < NODE_HEIGHT
  if (across && target.x >= source.x + NODE_WIDTH + 24) {
    const shift = twin ? 9 : 0
    const x0 = source.x + NODE_WIDTH
    const x3 = target.x
    const reach = Math.max(36, (x3 - x0) * 0.45)
    const y0 = source.y + middle + shift
    const y3 = target.y + middle + shift
    return [x0, y0, x0 + reach, y0, x3 - reach, y3, x3, y3]
  }
  if (across && source.x >= target.x + NODE_WIDTH + 24) {
    const x0 = source.x
    const x3 = target.x + NODE_WIDTH
    const reach = Math.max(36, (x0 - x3) * 0.45)
    const y0 = source.y + middle - (twin ? 9 : 0)
    const y3 = target.y + middle - (twin ? 9 : 0)
    return [x0, y0, x0 - reach, y0, x3 + reach, y3, x3, y3]
  }
  const down = target.y > source.y
  const x0 = source.x + NODE_WIDTH / 2 + (twin ? (down ? 14 : -14) : 0)
  const x3 = target.x + NODE_WIDTH / 2 + (twin ? (down ? 14 : -14) : 0)
  const y0 = down ? source.y + NODE_HEIGHT : source.y
  const y3 = down ? target.y : target.y + NODE_HEIGHT
  const reach = Math.max(24, Math.abs(y3 - y0) * 0.45) * (down ? 1 : -1)
  return [x0, y0, x0, y0 + reach, x3, y3 - reach, x3, y3]
}

/** The point at a share of the way, 0 to 1. */
export function pointAt(curve: Curve, share: number, out: Point): Point {
  const at = Math.min(Math.max(share, 0), 1) * STEPS
  const index = Math.min(Math.floor(at), STEPS - 1)
  const rest = at - index
  const p = curve.points
  out.x = p[index * 2]! * (1 - rest) + p[index * 2 + 2]! * rest
  out.y = p[index * 2 + 1]! * (1 - rest) + p[index * 2 + 3]! * rest
  return out
}

/** The distance of a point from the curve, in the graph's lengths. */
export function distance(curve: Curve, x: number, y: number): number {
  let least = Infinity
  const p = curve.points
  for (let at = 0; at < p.length - 2; at += 2)
    least = Math.min(least, segmentDistance(p[at]!, p[at + 1]!, p[at + 2]!, p[at + 3]!, x, y))
  return least
}

function segmentDistance(ax: number, ay: number, bx: number, by: number, x: number, y: number) {
  const dx = bx - ax
  const dy = by - ay
  const square = dx * dx + dy * dy
  const t = square ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square)) : 0
  return Math.hypot(x - ax - t * dx, y - ay - t * dy)
}

/**
 * A place for a node that comes to an arranged graph: beside its neighbours where there are any,
 * and upon nobody.
 */
export function freePlace(taken: readonly Point[], beside: readonly Point[]): Point {
  const from = beside[0] ?? taken[0] ?? { x: 0, y: 0 }
  const start = beside.length
    ? { x: mean(beside.map((p) => p.x)) + NODE_WIDTH + 90, y: mean(beside.map((p) => p.y)) }
    : { x: from.x, y: Math.max(0, ...taken.map((p) => p.y)) + NODE_HEIGHT + GAP }
  for (let ring = 0; ring < 400; ring++) {
    const step = Math.ceil(ring / 2) * (ring % 2 ? 1 : -1)
    const place = {
      x: start.x + Math.floor(ring / 40) * (NODE_WIDTH + 90),
      y: start.y + (step % 20) * (NODE_HEIGHT + GAP),
    }
    if (!taken.some((other) => overlaps(other, place))) return place
  }
  return start
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

function overlaps(a: Point, b: Point): boolean {
  return Math.abs(a.x - b.x) < NODE_WIDTH + GAP / 2 && Math.abs(a.y - b.y) < NODE_HEIGHT + GAP / 2
}

/** The size of most labels of edges. */
const LABEL_WIDTH = 112
const LABEL_HEIGHT = 22
/** Where on its edge a label may stand, the best place first; fewer where there are many edges. */
const LABEL_SHARES = [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73]
const MANY_LABELS = 250
/** Up to so many edges every label is shown, upon others if need be. */
const FEW_LABELS = 60
/** With more there is room for none, and looking for it takes longer than a frame. */
const MOST_LABELS = 600

/**
 * Places for labels, one a curve, as shares of the way: upon no node and no other label; undefined
 * where that cannot be had. They depend on the curves alone, so that no figure moves one.
 */
export function labelShares(
  curves: readonly Curve[],
  nodes: readonly Point[],
): (number | undefined)[] {
  if (curves.length > MOST_LABELS) return curves.map(() => undefined)
  const shares = curves.length > MANY_LABELS ? LABEL_SHARES.slice(0, 2) : LABEL_SHARES
  const instead = curves.length > FEW_LABELS ? undefined : 0.5
  const taken: Point[] = []
  const spot = { x: 0, y: 0 }
  return curves.map((curve) => {
    const found = shares.find((share) => {
      pointAt(curve, share, spot)
      return !nodes.some((node) => hitsNode(spot, node)) && !taken.some((at) => hitsLabel(spot, at))
    })
    const share = found ?? instead
    if (share !== undefined) taken.push({ ...pointAt(curve, share, spot) })
    return share
  })
}

const hitsLabel = (a: Point, b: Point) =>
  Math.abs(a.x - b.x) < LABEL_WIDTH && Math.abs(a.y - b.y) < LABEL_HEIGHT

const hitsNode = (label: Point, node: Point) =>
  label.x + LABEL_WIDTH / 2 > node.x &&
  label.x - LABEL_WIDTH / 2 < node.x + NODE_WIDTH &&
  label.y + LABEL_HEIGHT / 2 > node.y &&
  label.y - LABEL_HEIGHT / 2 < node.y + NODE_HEIGHT
