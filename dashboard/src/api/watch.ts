/**
 * A stream that is kept open: it reconnects with growing pauses and resumes where it stopped. It is
 * let go of while nobody looks at the page, and where other tabs hold too many: see slots.ts.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { type Slot, takeSlot } from '@/api/slots'
import { reportLink } from '@/data/link'

const FIRST_PAUSE = 250
const LONGEST_PAUSE = 5000
/** A hidden page keeps its streams for so long, since tabs are often left for a moment only. */
const HIDDEN_GRACE = 20_000
/** A turn is over when nothing has come for so long; at the latest after the second of these. */
const TURN_QUIET = 400
const TURN_LIMIT = 4000
/** From one's turn until one queues again. */
const TURN_REST = 600

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
    const slot = await takeSlot(stopped)
    if (stopped.aborted) return slot.release()
    const round = beginRound(stopped, slot)
    let broken = slot.lasting
    try {
      for await (const message of what.open(round.signal)) {
        if (stopped.aborted) return
        round.heard()
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
      if (!round.signal.aborted) {
        reportLink(false)
        broken = true
      }
    } finally {
      round.done()
    }
    if (stopped.aborted || document.hidden) continue
    if (!broken) {
      await sleep(TURN_REST, stopped)
      continue
    }
    await sleep(pause * (0.75 + Math.random() / 2), stopped)
    pause = Math.min(pause * 2, LONGEST_PAUSE)
  }
}

interface Round {
  signal: AbortSignal
  /** Something has come. */
  heard(): void
  done(): void
}

/** Over when watching stops, when the page has been hidden for a while, or when a turn is. */
function beginRound(stopped: AbortSignal, slot: Slot): Round {
  const round = new AbortController()
  let hidden: ReturnType<typeof setTimeout> | undefined
  let quiet: ReturnType<typeof setTimeout> | undefined
  const stop = () => round.abort()
  const look = () => {
    clearTimeout(hidden)
    if (document.hidden) hidden = setTimeout(stop, HIDDEN_GRACE)
  }
  const heard = () => {
    clearTimeout(quiet)
    if (!slot.lasting) quiet = setTimeout(stop, TURN_QUIET)
  }
  const limit = slot.lasting ? undefined : setTimeout(stop, TURN_LIMIT)
  stopped.addEventListener('abort', stop)
  document.addEventListener('visibilitychange', look)
  look()
  heard()
  return {
    signal: round.signal,
    heard,
    done: () => {
      clearTimeout(hidden)
      clearTimeout(quiet)
      clearTimeout(limit)
      stopped.removeEventListener('abort', stop)
      document.removeEventListener('visibilitychange', look)
      round.abort()
      slot.release()
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
