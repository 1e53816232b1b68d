/** Asks now and again, while the page is looked at; the last answer stays when one fails. */
import { useEffect, useState } from 'react'
import { reason } from '@/data/actions'

export interface Answer<Value> {
  value: Value | undefined
  error: string
  again: () => void
}

export function useAnswer<Value>(
  ask: (signal: AbortSignal) => Promise<Value>,
  dependencies: readonly unknown[],
  every = 0,
): Answer<Value> {
  const [value, setValue] = useState<Value>()
  const [error, setError] = useState('')
  const [round, setRound] = useState(0)
  useEffect(() => {
    const stopped = new AbortController()
    const once = async () => {
      if (document.hidden && every) return
      try {
        const answer = await ask(stopped.signal)
        if (stopped.signal.aborted) return
        setValue(answer)
        setError('')
      } catch (thrown) {
        if (!stopped.signal.aborted) setError(reason(thrown))
      }
    }
    void once()
    const timer = every ? setInterval(() => void once(), every) : undefined
    return () => {
      clearInterval(timer)
      stopped.abort()
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller says what the question depends on
  }, [...dependencies, round, every])
  return { value, error, again: () => setRound((n) => n + 1) }
}
