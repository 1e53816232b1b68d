/**
 * Tells subscribers of single keys, and does so in slices: what is urgent at once, what is mere
 * figures a few milliseconds a frame, so that a thousand changes never hold the page up.
 */
import { flushSync } from 'react-dom'

const FRAME_BUDGET = 5
/** Keys that are drawn together; the clock is looked at after each such batch. */
const BATCH = 8

export class Emitter {
  private readonly listeners = new Map<string, Set<() => void>>()
  private readonly queue = new Set<string>()
  private frame = 0

  on(key: string, listener: () => void): () => void {
    const set = this.listeners.get(key) ?? new Set()
    this.listeners.set(key, set)
    set.add(listener)
    return () => {
      set.delete(listener)
      if (set.size === 0 && this.listeners.get(key) === set) this.listeners.delete(key)
    }
  }

  emit(key: string): void {
    this.queue.delete(key)
    this.listeners.get(key)?.forEach((listener) => listener())
  }

  /** Soon: in one of the next frames. */
  defer(key: string): void {
    if (!this.listeners.has(key)) return
    this.queue.add(key)
    if (!this.frame) this.frame = requestAnimationFrame(this.drain)
  }

  /** Draws what it tells there and then: what React puts off would be drawn in one piece. */
  private readonly drain = () => {
    this.frame = 0
    const end = performance.now() + FRAME_BUDGET
    while (this.queue.size && performance.now() < end)
      flushSync(() => {
        let left = BATCH
        for (const key of this.queue) {
          this.emit(key)
          if (--left === 0) break
        }
      })
    if (this.queue.size) this.frame = requestAnimationFrame(this.drain)
  }
}
