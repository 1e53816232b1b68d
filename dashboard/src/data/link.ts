/** Whether the runtime answers, for the whole page. */
import { create } from 'zustand'

interface Link {
  /** undefined until the first answer. */
  up: boolean | undefined
  /** When it was last seen to change, in Unix milliseconds. */
  since: number
}

export const useLink = create<Link>(() => ({ up: undefined, since: Date.now() }))

export function reportLink(up: boolean): void {
  if (useLink.getState().up !== up) useLink.setState({ up, since: Date.now() })
}
