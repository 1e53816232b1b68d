/**
 * A stream that is kept open: it reconnects with growing pauses and resumes where it stopped.
 *
 * A browser has six HTTP/1.1 connections to an origin, for all tabs together, and each stream
 * holds one. So a page keeps few of them, and lets go of them while nobody looks at it.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { reportLink } from '@/data/link'

const FIRST_PAUSE = 250
const LONGEST_PAUSE = 5000
/** A hidden page keeps its streams for so long, since tabs are often left for a moment only. */
const HIDDEN_GRACE = 20_000

export interface Watch<Message> {
  /** Opens the stream; it resumes by itself from what `take` has remembered. */
  open(signal: AbortSignal): AsyncIterable<Message>
  take(message: Message): void
  /** An error that trying again does not mend: wrong rights, a mistake in a filter, not there. */
  refused?(error: ConnectError): void
  /** Ends by itself, as a query does; otherwise an end is taken for a broken connection. */
  finite?: boolean
}

const LASTING = new Set([
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.InvalidArgument,
  Code.Unimplemented,
  Code.NotFound,
])

/** Starts watching; the result stops it. */
export function watch<Message>(what: Watch<Message>): () => void {
  const stopped = new AbortController()
  void run(what, stopped.signal)
  return () => stopped.abort()
}

async function run<Message>(what: Watch<Message>, stopped: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE
  while (!stopped.aborted) {
    await visible(stopped)
    const round = roundSignal(stopped)
    try {
      for await (const message of what.open(round.signal)) {
        if (stopped.aborted) return
        pause = FIRST_PAUSE
        reportLink(true)
        what.take(message)
      }
      if (what.finite) return
    } catch (thrown) {
      if (stopped.aborted) return
      const error = ConnectError.from(thrown)
      if (LASTING.has(error.code)) {
        reportLink(true)
        what.refused?.(error)
        return
      }
      if (!round.signal.aborted) reportLink(false)
    } finally {
      round.done()
    }
    if (stopped.aborted || document.hidden) continue
    await sleep(pause * (0.75 + Math.random() / 2), stopped)
    pause = Math.min(pause * 2, LONGEST_PAUSE)
  }
}

/** Aborted when watching stops, or when the page has been hidden for a while. */
function roundSignal(stopped: AbortSignal): { signal: AbortSignal; done: () => void } {
  const round = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const stop = () => round.abort()
  const look = () => {
    clearTimeout(timer)
    if (document.hidden) timer = setTimeout(stop, HIDDEN_GRACE)
  }
  stopped.addEventListener('abort', stop)
  document.addEventListener('visibilitychange', look)
  look()
  return {
    signal: round.signal,
    done: () => {
      clearTimeout(timer)
      stopped.removeEventListener('abort', stop)
      document.removeEventListener('visibilitychange', look)
      round.abort()
    },
  }
}

function visible(stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !stopped.aborted) return
      document.removeEventListener('visibilitychange', look)
      stopped.removeEventListener('abort', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    stopped.addEventListener('abort', look)
    look()
  })
}

export function sleep(milliseconds: number, stopped?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    stopped?.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
