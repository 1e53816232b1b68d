/** Which part of the graph is in view: all of it at first, then what the reader has chosen. */
import {
  type ReactFlowInstance,
  useNodesInitialized,
  useReactFlow,
  useStore,
  type Viewport,
} from '@xyflow/react'
import { useEffect, useRef } from 'react'

/** The tools lie upon the graph's upper edge. */
export const FIT = {
  maxZoom: 1.15,
  padding: { top: '72px', right: '28px', bottom: '28px', left: '28px' },
} as const

export const fitAll = (flow: ReactFlowInstance) => void flow.fitView({ ...FIT, duration: 300 })

const storageName = (layout: string) => `muster.viewport ${layout}`

function keepViewport(layout: string, viewport: Viewport): void {
  sessionStorage.setItem(storageName(layout), JSON.stringify(viewport))
}

function keptViewport(layout: string): Viewport | undefined {
  const kept = sessionStorage.getItem(storageName(layout))
  return kept ? (JSON.parse(kept) as Viewport) : undefined
}

/**
 * Shows the whole graph once it is there, or what this tab showed of it before; later it stays
 * where the reader has put it, which the result is to be told.
 */
export function useKeptView(layout: string): (viewport: Viewport) => void {
  const flow = useReactFlow()
  const sized = useStore((state) => state.width > 0 && state.panZoom !== null)
  const there = useNodesInitialized() && sized
  const done = useRef('')
  useEffect(() => {
    if (!there || done.current === layout) return
    const kept = keptViewport(layout)
    if (kept) void flow.setViewport(kept)
    else void flow.fitView(done.current ? { ...FIT, duration: 300 } : FIT)
    done.current = layout
  }, [there, layout, flow])
  return (viewport) => {
    if (done.current === layout) keepViewport(layout, viewport)
  }
}
