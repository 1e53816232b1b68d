/** The graph as a picture: an SVG made from what is drawn, and a PNG made from that. */
import { bytes, rate } from '@/data/format'
import { LANGUAGE, STATE_TEXT, TONE_COLOUR } from '@/data/names'
import { useServices } from '@/data/services'
import { graph } from '@/data/topology'
import { EdgeKind } from '@/gen/runtime/v1/topology_pb'
import { text } from '@/i18n/text'
import { colourOf, dashOf, labelOf } from '@/pages/topology/edge-painter'
import {
  curveBetween,
  labelShares,
  NODE_HEIGHT,
  NODE_WIDTH,
  pointAt,
} from '@/pages/topology/geometry'
import { type Drawn, type DrawnEdge, edgeWidth, lookOf, toneOf } from '@/pages/topology/model'
import { isTall, type Places, placesOf } from '@/pages/topology/places'

const MARGIN = 40
const SCALE = 2

const escape = (words: string) => words.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)

interface Picture {
  svg: string
  width: number
  height: number
}

function picture(layout: string, drawn: Drawn): Picture {
  const places = placesOf(layout)
  const colour = themeColour()
  const ids = [...drawn.nodes, ...drawn.collapsed.map((group) => group.id)].filter(
    (id) => places[id],
  )
  const xs = ids.map((id) => places[id]!.x)
  const ys = ids.map((id) => places[id]!.y)
  const left = Math.min(...xs) - MARGIN
  const top = Math.min(...ys) - MARGIN
  const width = Math.max(...xs) + NODE_WIDTH + MARGIN - left
  const height = Math.max(...ys) + NODE_HEIGHT + MARGIN - top
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}" font-family="Inter, system-ui, sans-serif">`,
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="${colour('--canvas')}"/>`,
    ...edgeParts(drawn.edges, places, isTall(layout), colour),
    ...ids.map((id) => nodePart(id, places, drawn, colour)),
    '</svg>',
  ].join('\n')
  return { svg, width, height }
}

type Colour = (variable: string) => string

function themeColour(): Colour {
  const style = getComputedStyle(document.documentElement)
  return (variable) => style.getPropertyValue(variable).trim()
}

function edgeParts(edges: DrawnEdge[], places: Places, tall: boolean, colour: Colour): string[] {
  const present = new Set(edges.map(({ source, target }) => `${source}\n${target}`))
  const lines = edges.flatMap((edge) => {
    const { source, target } = edge
    const from = places[source]
    const to = places[target]
    if (!from || !to) return []
    const twin = present.has(`${target}\n${source}`)
    return [
      { edge, look: lookOf(edge, graph.edges), curve: curveBetween(from, to, { twin, tall }) },
    ]
  })
  const shares = labelShares(
    lines.map((line) => line.curve),
    Object.values(places),
  )
  const spot = { x: 0, y: 0 }
  const strokes = lines.map(({ edge, look, curve }) => {
    const stroke = colourOf({ edge, look })
    const points = Array.from(curve.points, (value) => value.toFixed(1)).join(' ')
    const width = edge.kind === EdgeKind.CALL ? edgeWidth(look.rps) : 1.5
    const end = pointAt(curve, 1, spot)
    return (
      `<polyline points="${points}" fill="none" stroke="${stroke}" stroke-opacity="0.8" stroke-width="${width.toFixed(1)}" stroke-dasharray="${dashOf(edge.kind, !look.active).join(' ')}"/>` +
      `<path d="M0 0L-11 -4.5L-11 4.5z" fill="${stroke}" transform="translate(${end.x} ${end.y}) rotate(${(curve.angle * 180) / Math.PI})"/>`
    )
  })
  const labels = lines.map((line, at) => {
    const words = labelOf(line, true)
    const share = shares[at]
    if (!words || share === undefined) return ''
    const { x, y } = pointAt(line.curve, share, spot)
    const width = words.length * 5.9 + 12
    return (
      `<rect x="${x - width / 2}" y="${y - 9}" width="${width}" height="18" rx="9" fill="${colour('--surface')}" stroke="${colour('--line')}"/>` +
      `<text x="${x}" y="${y + 4}" text-anchor="middle" font-size="11" fill="${colour('--muted')}">${escape(words)}</text>`
    )
  })
  return [...strokes, ...labels]
}

function nodePart(id: string, places: Places, drawn: Drawn, colour: Colour): string {
  const { x, y } = places[id]!
  const node = graph.nodes.get(id)
  const service = useServices.getState().byName.get(id)
  const group = drawn.collapsed.find((each) => each.id === id)
  const fill = node ? TONE_COLOUR[toneOf(node, service)] : colour('--line-strong')
  const language = node ? LANGUAGE[node.language] : undefined
  const mark = language?.name
    ? `<rect x="8" y="8" width="22" height="22" rx="5" fill="${language.colour}"/><text x="19" y="23" text-anchor="middle" font-size="${language.mark.length > 2 ? 8 : 10}" font-weight="700" fill="#fff">${escape(language.mark)}</text>`
    : ''
  const rps = node?.incoming?.totalRps
  const state = rps
    ? text('topology.rps', { rps: rate(rps) })
    : service
      ? text(STATE_TEXT[service.state])
      : group
        ? text('topology.collapsed', { count: group.members.length })
        : ''
  const memory = service?.memoryBytes ? bytes(service.memoryBytes) : ''
  return (
    `<g transform="translate(${x} ${y})"><rect width="${NODE_WIDTH}" height="${NODE_HEIGHT}" rx="10" fill="${colour('--surface')}"/>` +
    `<path d="M10 0H38V${NODE_HEIGHT}H10Q0 ${NODE_HEIGHT} 0 ${NODE_HEIGHT - 10}V10Q0 0 10 0z" fill="${fill}"/>` +
    `<rect width="${NODE_WIDTH}" height="${NODE_HEIGHT}" rx="10" fill="none" stroke="${fill}" stroke-width="2"/>${mark}` +
    `<text x="49" y="23" font-size="13.5" font-weight="600" fill="${colour('--text')}">${escape(group?.name ?? id)}</text>` +
    `<text x="49" y="43" font-size="11.5" fill="${colour('--muted')}">${escape(state)}</text>` +
    `<text x="49" y="62" font-size="11" fill="${colour('--faint')}">${escape(memory)}</text></g>`
  )
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

export function exportSvg(layout: string, drawn: Drawn): void {
  save(new Blob([picture(layout, drawn).svg], { type: 'image/svg+xml' }), 'topology.svg')
}

export function exportPng(layout: string, drawn: Drawn): void {
  const { svg, width, height } = picture(layout, drawn)
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
