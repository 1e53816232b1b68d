/** The services of the runtime that serves this page, one client each. */
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import { HealthService } from '@/gen/runtime/v1/health_pb'
import { LoggerService } from '@/gen/runtime/v1/logger_pb'
import { OrchestratorService } from '@/gen/runtime/v1/orchestrator_pb'
import { RuntimeService } from '@/gen/runtime/v1/runtime_pb'
import { TopologyService } from '@/gen/runtime/v1/topology_pb'

const transport = createConnectTransport({
  baseUrl: window.location.origin,
  useBinaryFormat: true,
  // The session is a cookie of this origin.
  fetch: (input, init) => fetch(input, { ...init, credentials: 'same-origin' }),
})

export const runtime = createClient(RuntimeService, transport)
export const orchestrator = createClient(OrchestratorService, transport)
export const topology = createClient(TopologyService, transport)
export const health = createClient(HealthService, transport)
export const logger = createClient(LoggerService, transport)
