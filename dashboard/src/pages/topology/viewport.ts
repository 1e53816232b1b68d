/** Which part of the graph is in view: all of it at first, then what the reader has chosen. */
import {
  type ReactFlowInstance,
  useNodesInitialized,
  useReactFlow,
  useStore,
  type Viewport,
} from '@xyflow/react'
import { useEffect, useRef, useState } from 'react'
import { NARROW, useMedia } from '@/design/media'
import { NODE_HEIGHT, NODE_WIDTH, type Point } from '@/pages/topology/geometry'

/** The tools lie upon the graph's upper edge. */
export const FIT = {
  maxZoom: 1.15,
  padding: { top: '72px', right: '28px', bottom: '28px', left: '28px' },
} as const

const storageName = (layout: string) => `muster.viewport ${layout}`

/** Shows all of it, now and when it is shown again. */
export function fitAll(layout: string, flow: ReactFlowInstance): void {
  sessionStorage.removeItem(storageName(layout))
  void flow.fitView({ ...FIT, duration: 300 })
}

export function keepViewport(layout: string, viewport: Viewport): void {
  sessionStorage.setItem(storageName(layout), JSON.stringify(viewport))
}

function keptViewport(layout: string): Viewport | undefined {
  const kept = sessionStorage.getItem(storageName(layout))
  return kept ? (JSON.parse(kept) as Viewport) : undefined
}

/**
 * Shows the whole graph once it is there, or what the reader has chosen of it in this tab; later it
 * stays as it is. True once that has happened.
 */
export function useFirstView(layout: string): boolean {
  const flow = useReactFlow()
  const sized = useStore((state) => state.width > 0 && state.panZoom !== null)
  const there = useNodesInitialized() && sized
  const begun = useRef('')
  const [shown, setShown] = useState('')
  useEffect(() => {
    if (!there || begun.current === layout) return
    const kept = keptViewport(layout)
    const showing = kept
      ? flow.setViewport(kept)
      : flow.fitView(begun.current ? { ...FIT, duration: 300 } : FIT)
    begun.current = layout
    void showing.then(() => setShown(layout))
  }, [there, layout, flow])
  return shown === layout
}

/** Space around a node that is brought into sight, in pixels. */
const MARGIN = 24

/** Brings a chosen node out from under the panel that tells of it. */
export function useInSight(place: Point | undefined): void {
  const flow = useReactFlow()
  const width = useStore((state) => state.width)
  const height = useStore((state) => state.height)
  const narrow = useMedia(NARROW)
  const latest = useRef(place)
  latest.current = place
  const chosen = place !== undefined
  useEffect(() => {
    if (!chosen || !latest.current || !width) return
    const { x, y, zoom } = flow.getViewport()
    const left = latest.current.x * zoom + x
    const top = latest.current.y * zoom + y
    const byX = shift(left, left + NODE_WIDTH * zoom, width)
    const byY = shift(top, top + NODE_HEIGHT * zoom, narrow ? height * PHONE_REST : height)
    if (byX || byY) void flow.setViewport({ x: x + byX, y: y + byY, zoom }, { duration: 250 })
  }, [chosen, width, height, narrow, flow])
}

/** What a phone's panel leaves of the graph. */
const PHONE_REST = 0.25

/** How far a stretch has to move to lie within a length. */
function shift(start: number, end: number, length: number): number {
  if (start < MARGIN) return MARGIN - start
  return end > length - MARGIN ? length - MARGIN - end : 0
}
