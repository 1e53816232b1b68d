/** What the screen is like, and again when it changes. */
import { useCallback, useSyncExternalStore } from 'react'

/** A phone; the same as what is not `md:` in the styles. */
export const NARROW = '(max-width: 767px)'

/** Higher than wide, and not much room. */
export const UPRIGHT = '(max-width: 1023px) and (orientation: portrait)'

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    useCallback(
      (changed) => {
        const media = window.matchMedia(query)
        media.addEventListener('change', changed)
        return () => media.removeEventListener('change', changed)
      },
      [query],
    ),
    () => window.matchMedia(query).matches,
  )
}
