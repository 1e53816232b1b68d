/**
 * The edges, on three canvases beneath the nodes: lines and labels, drawn when something changes,
 * and particles between them, drawn every frame while calls flow. A thousand edges as elements of the document
 * would cost more than a frame has.
 */
import { useStoreApi } from '@xyflow/react'
import { useEffect, useRef } from 'react'
import { darkSystem, reducedMotion, useSettings } from '@/data/settings'
import { graph } from '@/data/topology'
import { EdgePainter } from '@/pages/topology/edge-painter'
import type { DrawnEdge } from '@/pages/topology/model'
import type { Point } from '@/pages/topology/geometry'

/** Figures alone redraw the lines at most this often, in milliseconds. */
const FIGURES_INTERVAL = 250

export interface EdgeCanvasProps {
  painter: EdgePainter
  edges: readonly DrawnEdge[]
  places: Readonly<Record<string, Point>>
  /** The graph goes from top to bottom. */
  tall: boolean
  selected: string
  hovered: string
  /** The node whose edges stand out; '' = none. */
  near: string
  showIdle: boolean
}

export function EdgeCanvas(props: EdgeCanvasProps) {
  const { painter, edges, places, tall, selected, hovered, near, showIdle } = props
  const lines = useRef<HTMLCanvasElement>(null)
  const particles = useRef<HTMLCanvasElement>(null)
  const labels = useRef<HTMLCanvasElement>(null)
  const store = useStoreApi()
  const theme = useSettings((settings) => settings.theme)

  useEffect(() => {
    painter.setEdges(edges, places, tall)
    painter.dirty = true
  }, [painter, edges, places, tall])

  useEffect(() => {
    painter.selected = selected
    painter.hovered = hovered
    painter.near = near
    painter.showIdle = showIdle
    painter.dirty = true
  }, [painter, selected, hovered, near, showIdle])

  useEffect(() => {
    const read = () => {
      painter.readTheme()
      painter.dirty = true
    }
    read()
    void document.fonts.ready.then(read)
    darkSystem.addEventListener('change', read)
    return () => darkSystem.removeEventListener('change', read)
  }, [painter, theme])

  useEffect(() => {
    const stops = edges.flatMap((edge) =>
      edge.members.map((id) => graph.emitter.on(id, () => (painter.stale = true))),
    )
    return () => stops.forEach((stop) => stop())
  }, [painter, edges])

  useEffect(() => {
    let frame = 0
    let figuresAt = 0
    let moved = false
    const tick = (now: number) => {
      frame = requestAnimationFrame(tick)
      const { transform, width, height } = store.getState()
      if (!lines.current || !particles.current || !labels.current || !width) return
      const canvases = [lines.current, particles.current, labels.current]
      const resized = canvases.map((canvas) => fit(canvas, width, height)).includes(true)
      if (painter.stale && now - figuresAt >= FIGURES_INTERVAL) {
        painter.stale = false
        painter.readFigures()
        painter.dirty = true
        figuresAt = now
      }
      if (painter.dirty || resized || painter.changedView(transform)) {
        painter.dirty = false
        painter.drawLines(lines.current.getContext('2d')!, transform)
        painter.drawLabels(labels.current.getContext('2d')!, transform)
        moved = true
      }
      if (reducedMotion.matches || (!painter.flowing && !moved)) return
      painter.drawParticles(particles.current.getContext('2d')!, transform, now)
      moved = false
    }
    frame = requestAnimationFrame(tick)
    return () => cancelAnimationFrame(frame)
  }, [painter, store])

  return (
    <>
      {[lines, particles, labels].map((canvas, at) => (
        <canvas
          key={at}
          ref={canvas}
          aria-hidden
          className="pointer-events-none absolute inset-0 z-0 size-full"
        />
      ))}
    </>
  )
}

function fit(canvas: HTMLCanvasElement, width: number, height: number): boolean {
  const ratio = window.devicePixelRatio || 1
  const w = Math.round(width * ratio)
  const h = Math.round(height * ratio)
  if (canvas.width === w && canvas.height === h) return false
  canvas.width = w
  canvas.height = h
  return true
}
