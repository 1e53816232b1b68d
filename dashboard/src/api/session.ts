/**
 * Logging in: the link that `muster up` prints carries a token behind '#', which never leaves the
 * browser by itself. It is exchanged for a cookie that scripts cannot read, and then forgotten.
 */
import { create } from 'zustand'
import { runtime } from '@/api/client'
import { AccessScope } from '@/gen/runtime/v1/runtime_pb'

interface Session {
  scope: AccessScope
  version: string
  /** Why the link did not work. */
  refused: string
}

export const useSession = create<Session>(() => ({
  scope: AccessScope.UNSPECIFIED,
  version: '',
  refused: '',
}))

/** Whether this person may start, stop and configure. */
export const useMayControl = () => useSession((session) => session.scope === AccessScope.CONTROL)

export async function logIn(): Promise<void> {
  const token = new URLSearchParams(window.location.hash.slice(1)).get('token')
  if (token) {
    history.replaceState(null, '', window.location.pathname + window.location.search)
    try {
      await runtime.createSession({ token })
    } catch (thrown) {
      useSession.setState({ refused: thrown instanceof Error ? thrown.message : String(thrown) })
    }
  }
  try {
    const { scope, version } = await runtime.getRuntime({})
    useSession.setState({ scope, version })
  } catch {
    // The streams of the page say that the runtime is away, and try again.
  }
}
