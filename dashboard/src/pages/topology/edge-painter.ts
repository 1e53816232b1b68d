/** Draws edges: what they look like is decided here and nowhere else. */
import { latency, percent, rate } from '@/data/format'
import { graph } from '@/data/topology'
import { ConnectionState, EdgeKind } from '@/gen/runtime/v1/topology_pb'
import {
  type Curve,
  curveBetween,
  distance,
  labelShares,
  type Point,
  pointAt,
} from '@/pages/topology/geometry'
import {
  type DrawnEdge,
  type EdgeLook,
  edgeWidth,
  FAILING,
  lookOf,
  SLOW_MS,
} from '@/pages/topology/model'

type Transform = readonly [x: number, y: number, zoom: number]

interface Line {
  edge: DrawnEdge
  curve: Curve
  look: EdgeLook
  /** Where its label stands, as a share of the way; undefined: there is no room. */
  label: number | undefined
  /** One of its ends does not live. */
  faded: boolean
}

export const EDGE_COLOUR = {
  active: '#3b82f6',
  idle: '#94a3b8',
  slow: '#f97316',
  failing: '#ef4444',
  discovery: '#8b5cf6',
}

/** Particles in sight at a time. */
const PARTICLES = 700
/** Labels are drawn from this zoom on, and with all their figures from the next. */
const LABEL_ZOOM = 0.5
const WHOLE_LABEL_ZOOM = 0.72
/** The letters of a label are no smaller than this on the screen, in pixels. */
const LEAST_LETTERS = 10
/** How near the pointer has to be, in pixels. */
const REACH = 8

export class EdgePainter {
  selected = ''
  hovered = ''
  /** The node whose edges stand out from the others; '' = none. */
  near = ''
  showIdle = true
  /** Something has changed that the lines show. */
  dirty = true
  /** Figures have changed. */
  stale = false
  /** Calls flow over an edge that is shown. */
  flowing = false
  private lines: Line[] = []
  private curves = new Map<string, { key: string; curve: Curve }>()
  private view: Transform = [0, 0, 0]
  private surface = '#fff'
  private border = '#eee'
  private words = '#333'
  private family = 'sans-serif'

  setEdges(edges: readonly DrawnEdge[], places: Readonly<Record<string, Point>>, tall: boolean) {
    const present = new Set(edges.map((edge) => `${edge.source}\n${edge.target}`))
    const curves = new Map<string, { key: string; curve: Curve }>()
    this.lines = []
    for (const edge of edges) {
      const source = places[edge.source]
      const target = places[edge.target]
      if (!source || !target) continue
      const twin = present.has(`${edge.target}\n${edge.source}`)
      const key = `${source.x},${source.y},${target.x},${target.y},${twin},${tall}`
      const known = this.curves.get(edge.id)
      const entry =
        known?.key === key ? known : { key, curve: curveBetween(source, target, { twin, tall }) }
      curves.set(edge.id, entry)
      const look = lookOf(edge, graph.edges)
      this.lines.push({ edge, curve: entry.curve, look, label: undefined, faded: false })
    }
    this.curves = curves
    this.placeLabels(places)
    this.readFigures()
  }

  private placeLabels(places: Readonly<Record<string, Point>>): void {
    const calls = this.lines.filter((line) => line.edge.kind === EdgeKind.CALL)
    const ends = new Set(this.lines.flatMap(({ edge }) => [edge.source, edge.target]))
    const shares = labelShares(
      calls.map((line) => line.curve),
      [...ends].flatMap((name) => places[name] ?? []),
    )
    calls.forEach((line, at) => (line.label = shares[at]))
  }

  readFigures(): void {
    this.flowing = false
    for (const line of this.lines) {
      line.look = lookOf(line.edge, graph.edges)
      line.faded = isGone(line.edge.source) || isGone(line.edge.target)
      this.flowing ||= line.look.active && !line.faded
    }
  }

  readTheme(): void {
    const style = getComputedStyle(document.documentElement)
    this.surface = style.getPropertyValue('--surface')
    this.border = style.getPropertyValue('--line')
    this.words = style.getPropertyValue('--muted')
    this.family = getComputedStyle(document.body).fontFamily
  }

  changedView(view: Transform): boolean {
    return view[0] !== this.view[0] || view[1] !== this.view[1] || view[2] !== this.view[2]
  }

  /** The edge under a point of the graph; '' = none. */
  at(x: number, y: number, zoom: number): string {
    let nearest = ''
    let least = REACH / zoom
    for (const { edge, curve, look } of this.lines) {
      if (!this.showIdle && !look.active) continue
      const away = distance(curve, x, y)
      if (away < least) {
        least = away
        nearest = edge.id
      }
    }
    return nearest
  }

  private isAside({ edge }: Line): boolean {
    return this.near !== '' && edge.source !== this.near && edge.target !== this.near
  }

  drawLines(context: CanvasRenderingContext2D, view: Transform): void {
    this.view = [view[0], view[1], view[2]]
    begin(context, view)
    const marked = this.selected || this.hovered
    for (const line of this.lines) if (line.edge.id !== marked) this.drawLine(context, line, false)
    for (const line of this.lines) if (line.edge.id === marked) this.drawLine(context, line, true)
  }

  drawLabels(context: CanvasRenderingContext2D, view: Transform): void {
    begin(context, view)
    const zoom = view[2]
    if (zoom < LABEL_ZOOM) return
    const size = Math.max(11, LEAST_LETTERS / zoom)
    context.font = `500 ${size}px ${this.family}`
    context.textAlign = 'center'
    context.textBaseline = 'middle'
    for (const line of this.lines) this.drawLabel(context, line, size, zoom >= WHOLE_LABEL_ZOOM)
  }

  private drawLine(context: CanvasRenderingContext2D, line: Line, marked: boolean): void {
    const { edge, curve, look, faded } = line
    if (!this.showIdle && !look.active && !marked) return
    const quiet = !look.active
    const width = edge.kind === EdgeKind.CALL ? edgeWidth(look.rps) : 1.5
    const colour = colourOf(line)
    context.globalAlpha = this.isAside(line) ? 0.12 : faded ? 0.22 : marked ? 1 : quiet ? 0.6 : 0.75
    if (marked) {
      context.strokeStyle = this.surface
      context.lineWidth = width + 6
      context.setLineDash([])
      context.stroke(curve.path)
    }
    context.strokeStyle = colour
    context.lineWidth = marked ? width + 1.5 : width
    context.setLineDash(dashOf(edge.kind, quiet))
    context.stroke(curve.path)
    context.setLineDash([])
    arrow(context, curve, colour, 7 + width)
    context.globalAlpha = 1
  }

  private drawLabel(
    context: CanvasRenderingContext2D,
    line: Line,
    size: number,
    whole: boolean,
  ): void {
    const marked = line.edge.id === this.selected || line.edge.id === this.hovered
    const words = labelOf(line, whole)
    if (!words || (this.isAside(line) && !marked)) return
    if (line.label === undefined && !marked && !this.near) return
    const middle = pointAt(line.curve, line.label ?? 0.5, spot)
    const width = context.measureText(words).width + size
    const height = size * 1.64
    context.globalAlpha = line.faded ? 0.3 : 1
    context.beginPath()
    context.roundRect(middle.x - width / 2, middle.y - height / 2, width, height, height / 2)
    context.fillStyle = this.surface
    context.fill()
    context.strokeStyle = this.border
    context.lineWidth = 1
    context.stroke()
    context.fillStyle = line.look.errorRate > FAILING ? EDGE_COLOUR.failing : this.words
    context.fillText(words, middle.x, middle.y + 0.5)
    context.globalAlpha = 1
  }

  drawParticles(context: CanvasRenderingContext2D, view: Transform, now: number): void {
    begin(context, view)
    let left = PARTICLES
    for (const line of this.lines) {
      if (!line.look.active || line.faded || this.isAside(line)) continue
      const count = Math.min(left, particleCount(line.look.rps))
      const travel = travelTime(line.look.latency)
      const failing = Math.round(count * line.look.errorRate + (line.look.errorRate > 0 ? 0.49 : 0))
      for (let n = 0; n < count; n++) {
        const place = pointAt(line.curve, (now / travel + n / count) % 1, spot)
        if (n < failing) diamond(context, place)
        else dot(context, place, colourOf(line))
      }
      left -= count
      if (left <= 0) break
    }
  }
}

const spot: Point = { x: 0, y: 0 }

function begin(context: CanvasRenderingContext2D, [x, y, zoom]: Transform): void {
  const ratio = window.devicePixelRatio || 1
  context.setTransform(1, 0, 0, 1, 0, 0)
  context.clearRect(0, 0, context.canvas.width, context.canvas.height)
  context.setTransform(zoom * ratio, 0, 0, zoom * ratio, x * ratio, y * ratio)
}

function isGone(name: string): boolean {
  const state = graph.nodes.get(name)?.state
  return state === ConnectionState.DEAD || state === ConnectionState.STALE
}

export function colourOf({ edge, look }: { edge: DrawnEdge; look: EdgeLook }): string {
  if (edge.kind === EdgeKind.DISCOVERY) return EDGE_COLOUR.discovery
  if (!look.active) return EDGE_COLOUR.idle
  if (look.errorRate > FAILING) return EDGE_COLOUR.failing
  return look.latency >= SLOW_MS ? EDGE_COLOUR.slow : EDGE_COLOUR.active
}

export function dashOf(kind: EdgeKind, quiet: boolean): number[] {
  if (kind === EdgeKind.DISCOVERY) return [2, 5]
  if (kind === EdgeKind.DEPENDENCY) return [1, 4]
  return quiet ? [7, 6] : []
}

/** "120 /s · 3.2 ms", or the rate alone; nothing when nothing flows. */
export function labelOf(
  { edge, look }: { edge: DrawnEdge; look: EdgeLook },
  whole: boolean,
): string {
  if (edge.kind !== EdgeKind.CALL || !look.active) return ''
  if (!whole) return `${rate(look.rps)} /s`
  const parts = [`${rate(look.rps)} /s`]
  if (look.latency) parts.push(latency(look.latency))
  if (look.errorRate > 0) parts.push(percent(look.errorRate))
  return parts.join(' · ')
}

/** Density is the rate … */
const particleCount = (rps: number) => Math.max(1, Math.min(8, Math.round(2 * Math.log10(rps + 1))))
/** … and speed the latency: milliseconds from end to end. */
const travelTime = (ms: number) => 1100 + Math.min(ms, 1500) * 3

function dot(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.fillStyle = colour
  context.beginPath()
  context.arc(x, y, 3.2, 0, Math.PI * 2)
  context.fill()
}

function diamond(context: CanvasRenderingContext2D, { x, y }: Point): void {
  context.fillStyle = EDGE_COLOUR.failing
  context.beginPath()
  context.moveTo(x, y - 5)
  context.lineTo(x + 5, y)
  context.lineTo(x, y + 5)
  context.lineTo(x - 5, y)
  context.fill()
}

function arrow(context: CanvasRenderingContext2D, curve: Curve, colour: string, size: number) {
  const end = curve.points.length - 2
  const x = curve.points[end]!
  const y = curve.points[end + 1]!
  const { angle } = curve
  context.fillStyle = colour
  context.beginPath()
  context.moveTo(x, y)
  context.lineTo(x - size * Math.cos(angle - 0.42), y - size * Math.sin(angle - 0.42))
  context.lineTo(x - size * Math.cos(angle + 0.42), y - size * Math.sin(angle + 0.42))
  context.fill()
}
