/** What the orchestrator runs, kept up to date by WatchServices. The shell uses it on every page. */
import { create as message } from '@bufbuild/protobuf'
import { useCallback, useSyncExternalStore } from 'react'
import { create } from 'zustand'
import { orchestrator } from '@/api/client'
import { watch } from '@/api/watch'
import { Emitter } from '@/data/emitter'
import { RUNS } from '@/data/names'
import { noteUsage } from '@/data/usage'
import type { Revision } from '@/gen/runtime/v1/common_pb'
import {
  type OrchestratorStatus,
  WatchServicesRequestSchema,
  type WatchServicesResponse,
} from '@/gen/runtime/v1/orchestrator_pb'
import type { ServiceStatus } from '@/gen/runtime/v1/service_pb'

interface Services {
  ready: boolean
  refused: string
  orchestrator: OrchestratorStatus | undefined
  byName: ReadonlyMap<string, ServiceStatus>
  /** By start order, then by name. */
  list: readonly ServiceStatus[]
}

export const useServices = create<Services>(() => ({
  ready: false,
  refused: '',
  orchestrator: undefined,
  byName: new Map(),
  list: [],
}))

const changes = new Emitter()

/**
 * One service, and again when it changes: its state at once, mere figures soon. For views of which
 * there are many at a time.
 */
export function useService(name: string): ServiceStatus | undefined {
  return useSyncExternalStore(
    useCallback((changed) => changes.on(name, changed), [name]),
    () => useServices.getState().byName.get(name),
  )
}

let revision: Revision | undefined
let pending: WatchServicesResponse[] = []

function take(update: WatchServicesResponse): void {
  pending.push(update)
  if (update.more) return
  const { byName: before, orchestrator: known } = useServices.getState()
  const byName = new Map(before)
  let status = known
  for (const piece of pending) {
    if (piece.reset) byName.clear()
    if (piece.orchestrator) status = piece.orchestrator
    for (const name of piece.removedServices) byName.delete(name)
    for (const service of piece.services) byName.set(service.name, service)
  }
  pending = []
  revision = update.revision
  const list = [...byName.values()].sort(
    (a, b) => a.startOrder - b.startOrder || a.name.localeCompare(b.name),
  )
  useServices.setState({ ready: true, refused: '', orchestrator: status, byName, list })
  for (const [name, service] of byName)
    if (before.get(name) !== service) tell(service, before.get(name))
  for (const name of before.keys()) if (!byName.has(name)) changes.emit(name)
}

function tell(service: ServiceStatus, before: ServiceStatus | undefined): void {
  if (RUNS.has(service.state))
    noteUsage(service.name, service.cpuPercent, Number(service.memoryBytes))
  if (service.state === before?.state) changes.defer(service.name)
  else changes.emit(service.name)
}

export function watchServices(): () => void {
  return watch<WatchServicesResponse>({
    open: (signal) => {
      pending = []
      return orchestrator.watchServices(
        message(WatchServicesRequestSchema, { resumeAfter: revision }),
        { signal },
      )
    },
    take,
    refused: (error) => useServices.setState({ refused: error.rawMessage }),
  })
}
