/**
 * Who of all tabs may hold a stream.
 *
 * A browser has six HTTP/1.1 connections to an origin, for all tabs together, and a stream holds
 * one. So four streams at a time are held for as long as they last; the others take turns on one
 * more connection, and the sixth stays free for calls. Locks of the browser count them: they end
 * with their tab, however it ends. Without them (pages not from this machine, without TLS) nobody
 * counts.
 */
const SLOTS = 4

export interface Slot {
  /** False: it is one's turn, and others wait. */
  lasting: boolean
  release(): void
}

const UNCOUNTED: Slot = { lasting: true, release: () => undefined }

/** Waits for a slot or a turn. */
export async function takeSlot(stopped: AbortSignal): Promise<Slot> {
  if (!navigator.locks) return UNCOUNTED
  for (let number = 0; number < SLOTS; number++) {
    const release = await hold(`muster.stream.${number}`, { ifAvailable: true })
    if (release) return { lasting: true, release }
  }
  const release = await hold('muster.turn', { signal: stopped })
  return { lasting: false, release: release ?? (() => undefined) }
}

/** Takes a lock; the result lets go of it. Undefined: others have it, or nobody wants it any more. */
function hold(name: string, options: LockOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    navigator.locks
      .request(name, options, (lock) =>
        lock ? new Promise<void>((release) => resolve(release)) : resolve(undefined),
      )
      .catch(() => resolve(undefined))
  })
}
