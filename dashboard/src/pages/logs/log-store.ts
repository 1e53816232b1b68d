/**
 * The entries that the logs page shows: the latest that match, followed live; older ones on
 * demand. Filtering and searching happen in the runtime; here entries are only kept, up to a bound.
 */
import { logger } from '@/api/client'
import { watch } from '@/api/watch'
import { reason } from '@/data/actions'
import { type LogEntry, LogOrder } from '@/gen/runtime/v1/logger_pb'

/** Entries kept on the page. */
export const KEPT = 100_000
const REPLAY = 2000
const PAGE = 2000

export interface LogView {
  filter: string
  correlationId: string
  /** Unix milliseconds; 0 = open. With either set the view is not live. */
  from: number
  to: number
}

export interface LogState {
  entries: readonly LogEntry[]
  /** Came while paused. */
  waiting: number
  refused: string
  ready: boolean
}

export class LogStore {
  private state: LogState = { entries: [], waiting: 0, refused: '', ready: false }
  private readonly listeners = new Set<() => void>()
  private held: LogEntry[] = []
  private fresh: LogEntry[] = []
  private last = 0n
  private frame = 0
  private stop: () => void = () => undefined
  private readonly stopped = new AbortController()
  paused = false

  constructor(private readonly view: LogView) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly read = () => this.state

  get live(): boolean {
    return this.view.from === 0 && this.view.to === 0
  }

  /** Starts; the result ends it. */
  start(): () => void {
    if (this.live) this.follow()
    else void this.load(LogOrder.OLDEST_FIRST)
    return () => {
      this.stop()
      this.stopped.abort()
      cancelAnimationFrame(this.frame)
    }
  }

  private follow(): void {
    const { filter, correlationId } = this.view
    this.stop = watch<LogEntry>({
      open: (signal) => {
        if (!this.state.ready) setTimeout(() => this.put({ ready: true }), 400)
        return logger.subscribeLogs(
          { filter, correlationId, replay: this.last ? 0 : REPLAY, afterSequence: this.last },
          { signal },
        )
      },
      take: (entry) => {
        this.last = entry.sequence
        this.fresh.push(entry)
        this.frame ||= requestAnimationFrame(this.show)
      },
      refused: (error) => this.put({ refused: error.rawMessage, ready: true }),
    })
  }

  /** What came since the last frame, at once. */
  private readonly show = () => {
    this.frame = 0
    const fresh = this.fresh
    this.fresh = []
    if (this.paused) {
      this.held = this.held.concat(fresh).slice(-KEPT)
      this.put({ waiting: this.held.length })
      return
    }
    this.put({ entries: bounded(this.state.entries.concat(fresh)), ready: true, refused: '' })
  }

  pause(paused: boolean): void {
    this.paused = paused
    if (paused) return this.put({})
    const held = this.held
    this.held = []
    this.put({ entries: bounded(this.state.entries.concat(held)), waiting: 0 })
  }

  /** True when there may be more. */
  async older(): Promise<void> {
    await this.load(LogOrder.NEWEST_FIRST, this.state.entries[0]?.sequence)
  }

  private async load(order: LogOrder, cursor?: bigint): Promise<void> {
    const { filter, correlationId, from, to } = this.view
    const page: LogEntry[] = []
    try {
      const query = {
        filter,
        correlationId,
        order,
        limit: PAGE,
        cursor: cursor ?? 0n,
        startTime: BigInt(from),
        endTime: BigInt(to),
      }
      for await (const entry of logger.queryLogs(query, { signal: this.stopped.signal }))
        page.push(entry)
    } catch (thrown) {
      if (!this.stopped.signal.aborted) this.put({ refused: reason(thrown), ready: true })
      return
    }
    if (order === LogOrder.NEWEST_FIRST) page.reverse()
    this.put({ entries: page.concat(this.state.entries).slice(0, KEPT), ready: true, refused: '' })
  }

  private put(values: Partial<LogState>): void {
    this.state = { ...this.state, ...values }
    this.listeners.forEach((listener) => listener())
  }
}

const bounded = (entries: LogEntry[]) => (entries.length > KEPT ? entries.slice(-KEPT) : entries)
