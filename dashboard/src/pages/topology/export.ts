/** The graph as a picture: an SVG made from what is drawn, and a PNG made from that. */
import { HEALTH_TONE, LANGUAGE, TONE_COLOUR } from '@/data/names'
import { graph } from '@/data/topology'
import { EdgeKind } from '@/gen/runtime/v1/topology_pb'
import { colourOf, dashOf, labelOf } from '@/pages/topology/edge-painter'
import { curveBetween, NODE_HEIGHT, NODE_WIDTH, pointAt } from '@/pages/topology/geometry'
import { type Drawn, edgeWidth, lookOf } from '@/pages/topology/model'
import { usePlaces } from '@/pages/topology/places'

const MARGIN = 40
const SCALE = 2

const escape = (words: string) => words.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

function picture(drawn: Drawn): { svg: string; width: number; height: number } {
  const { places } = usePlaces.getState()
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const ids = [...drawn.nodes, ...drawn.collapsed.map((group) => group.id)].filter(
    (id) => places[id],
  )
  const xs = ids.map((id) => places[id]!.x)
  const ys = ids.map((id) => places[id]!.y)
  const left = Math.min(...xs, 0) - MARGIN
  const top = Math.min(...ys, 0) - MARGIN
  const width = Math.max(...xs, 0) + NODE_WIDTH + MARGIN - left
  const height = Math.max(...ys, 0) + NODE_HEIGHT + MARGIN - top
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}" font-family="system-ui, sans-serif">`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${colour('--canvas')}"/>`,
  ]
  for (const edge of drawn.edges) {
    const source = places[edge.source]
    const target = places[edge.target]
    if (!source || !target) continue
    const look = lookOf(edge, graph.edges)
    const curve = curveBetween(source, target, false)
    const points = Array.from(curve.points, (value) => value.toFixed(1))
    const pairs = points.flatMap((x, at) => (at % 2 ? [] : [`${x},${points[at + 1]}`]))
    const stroke = colourOf({ edge, look })
    const line = edge.kind === EdgeKind.CALL ? edgeWidth(look.rps) : 1.5
    parts.push(
      `<polyline points="${pairs.join(' ')}" fill="none" stroke="${stroke}" stroke-width="${line.toFixed(1)}" stroke-dasharray="${dashOf(edge.kind, !look.active).join(' ')}"/>`,
    )
    const end = pointAt(curve, 1, { x: 0, y: 0 })
    parts.push(
      `<path d="M0 0L-11 -4.5L-11 4.5z" fill="${stroke}" transform="translate(${end.x} ${end.y}) rotate(${(curve.angle * 180) / Math.PI})"/>`,
    )
    const words = labelOf({ edge, look, curve, faded: false } as Parameters<typeof labelOf>[0])
    const middle = pointAt(curve, 0.5, { x: 0, y: 0 })
    if (words)
      parts.push(
        `<text x="${middle.x}" y="${middle.y - 6}" text-anchor="middle" font-size="11" fill="${colour('--muted')}">${escape(words)}</text>`,
      )
  }
  for (const id of ids) {
    const place = places[id]!
    const node = graph.nodes.get(id)
    const name = node ? node.serviceName : id.replace(/^group:/, '')
    const fill = node ? TONE_COLOUR[HEALTH_TONE[node.health]] : colour('--line-strong')
    parts.push(
      `<g transform="translate(${place.x} ${place.y})"><rect width="${NODE_WIDTH}" height="${NODE_HEIGHT}" rx="10" fill="${colour('--surface')}" stroke="${fill}" stroke-width="2"/><rect width="36" height="${NODE_HEIGHT}" rx="10" fill="${fill}"/>`,
      `<text x="48" y="30" font-size="13" font-weight="600" fill="${colour('--text')}">${escape(name)}</text>`,
      `<text x="48" y="52" font-size="11" fill="${colour('--muted')}">${escape(node ? LANGUAGE[node.language].name : '')}</text></g>`,
    )
  }
  parts.push('</svg>')
  return { svg: parts.join('\n'), width, height }
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

export function exportSvg(drawn: Drawn): void {
  save(new Blob([picture(drawn).svg], { type: 'image/svg+xml' }), 'topology.svg')
}

export function exportPng(drawn: Drawn): void {
  const { svg, width, height } = picture(drawn)
  const image = new Image()
  image.onload = () => {
    const canvas = document.createElement('canvas')
    canvas.width = width * SCALE
    canvas.height = height * SCALE
    canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height)
    canvas.toBlob((blob) => blob && save(blob, 'topology.png'))
    URL.revokeObjectURL(image.src)
  }
  image.src = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }))
}
