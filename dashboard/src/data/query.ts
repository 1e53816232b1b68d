/** The state of a view in the address: every view can be linked to, and survives a reload. */
import { useCallback, useMemo } from 'react'
import { useSearchParams } from 'wouter'

export interface Query {
  get(name: string): string
  has(name: string): boolean
  list(name: string): string[]
  /** Sets some values; '' and an empty list remove one. */
  set(values: Record<string, string | readonly string[]>, keepHistory?: boolean): void
}

export function useQuery(): Query {
  const [params, setParams] = useSearchParams()
  const set = useCallback<Query['set']>(
    (values, keepHistory) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before)
          for (const [name, value] of Object.entries(values)) {
            const words = typeof value === 'string' ? value : value.join('~')
            if (words) after.set(name, words)
            else after.delete(name)
          }
          return after
        },
        { replace: !keepHistory },
      ),
    [setParams],
  )
  return useMemo(
    () => ({
      get: (name) => params.get(name) ?? '',
      has: (name) => params.has(name),
      list: (name) => (params.get(name) ?? '').split('~').filter(Boolean),
      set,
    }),
    [params, set],
  )
}
