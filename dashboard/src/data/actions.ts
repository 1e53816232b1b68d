/** What can be done to services. Each answers when it is true, and says so. */
import { ConnectError } from '@connectrpc/connect'
import { type LucideIcon, Play, RotateCw, Square } from 'lucide-react'
import { orchestrator, runtime } from '@/api/client'
import { RUNS } from '@/data/names'
import { AccessScope } from '@/gen/runtime/v1/runtime_pb'
import { ServiceKind, ServiceState, type ServiceStatus } from '@/gen/runtime/v1/service_pb'
import type { TextKey } from '@/i18n/en'
import { text } from '@/i18n/text'
import { tell } from '@/shell/messages'

export interface Action {
  title: TextKey
  icon: LucideIcon
  fits(service: ServiceStatus): boolean
  run(serviceName: string): Promise<unknown>
}

const isOurs = (service: ServiceStatus) =>
  service.kind !== ServiceKind.EXTERNAL && service.kind !== ServiceKind.BUILTIN

export const START: Action = {
  title: 'action.start',
  icon: Play,
  fits: (service) => isOurs(service) && !RUNS.has(service.state),
  run: async (serviceName) => {
    const answer = await orchestrator.startService({ serviceName })
    const failed = answer.results.find((result) => !result.success)
    if (failed) throw new Error(`${failed.name}: ${failed.error}`)
  },
}

export const STOP: Action = {
  title: 'action.stop',
  icon: Square,
  fits: (service) =>
    isOurs(service) &&
    (RUNS.has(service.state) ||
      service.state === ServiceState.BACKING_OFF ||
      service.state === ServiceState.WAITING),
  run: (serviceName) => orchestrator.stopService({ serviceName }),
}

export const RESTART: Action = {
  title: 'action.restart',
  icon: RotateCw,
  fits: (service) => isOurs(service) && RUNS.has(service.state),
  run: (serviceName) => orchestrator.restartService({ serviceName }),
}

export const RESTART_DEPENDANTS: Action = {
  title: 'action.restartDependants',
  icon: RotateCw,
  fits: (service) => RESTART.fits(service) && service.dependants.length > 0,
  run: (serviceName) => orchestrator.restartService({ serviceName, withDependants: true }),
}

export const ACTIONS: readonly Action[] = [START, STOP, RESTART, RESTART_DEPENDANTS]

export function reason(thrown: unknown): string {
  return thrown instanceof ConnectError
    ? thrown.rawMessage
    : thrown instanceof Error
      ? thrown.message
      : String(thrown)
}

export async function perform(action: Action, name: string): Promise<void> {
  await attempt(text(action.title), name, () => action.run(name))
}

export async function attempt(
  action: string,
  name: string,
  run: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await run()
    tell(text('action.done', { action, name }))
    return true
  } catch (thrown) {
    tell(text('action.failed', { action, name, reason: reason(thrown) }), true)
    return false
  }
}

export const scale = (name: string, replicas: number) =>
  attempt(text('action.scale'), name, () => orchestrator.scale({ serviceName: name, replicas }))

export function startAll(): void {
  void attempt(text('action.startAll'), '', async () => {
    const answer = await orchestrator.startAllServices({})
    const failed = answer.results.filter((result) => !result.success)
    if (failed.length) throw new Error(failed.map((f) => `${f.name}: ${f.error}`).join('\n'))
  })
}

export function stopAll(): void {
  void attempt(text('action.stopAll'), '', () => orchestrator.stopAllServices({}))
}

export async function runCommand(name: string, command: string): Promise<void> {
  let output = ''
  const decoder = new TextDecoder()
  await attempt(text('action.run', { command }), name, async () => {
    for await (const piece of orchestrator.runCommand({ serviceName: name, command })) {
      output = (output + decoder.decode(piece.data, { stream: true })).slice(-2000)
      if (piece.exitCode !== undefined && piece.exitCode !== 0)
        throw new Error(`${text('services.exitCode', { code: piece.exitCode })}\n${output}`)
    }
  })
  if (output.trim()) tell(output.trim())
}

export function shareReadOnly(): void {
  void (async () => {
    try {
      const { url } = await runtime.createAccessToken({
        scope: AccessScope.READ,
        label: 'read-only link',
      })
      await navigator.clipboard.writeText(url)
      tell(`${text('shell.shared')}: ${url}`)
    } catch (thrown) {
      tell(text('common.failed', { reason: reason(thrown) }), true)
    }
  })()
}
