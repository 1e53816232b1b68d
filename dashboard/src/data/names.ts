/** What states are called, coloured and shaped like, everywhere on the page. */
import { HealthState } from '@/gen/runtime/v1/health_pb'
import { LogLevel } from '@/gen/runtime/v1/logger_pb'
import { ServiceEventType, ServiceState } from '@/gen/runtime/v1/service_pb'
import { ConnectionState, ServiceLanguage } from '@/gen/runtime/v1/topology_pb'
import type { TextKey } from '@/i18n/en'

export type Tone = 'healthy' | 'degraded' | 'unhealthy' | 'starting' | 'unknown'

export const HEALTH_TONE: Record<HealthState, Tone> = {
  [HealthState.HEALTH_UNKNOWN]: 'unknown',
  [HealthState.STARTING]: 'starting',
  [HealthState.HEALTHY]: 'healthy',
  [HealthState.DEGRADED]: 'degraded',
  [HealthState.UNHEALTHY]: 'unhealthy',
}

/** The fills that the specification names; with one of them as background, text is nearly black. */
export const TONE_COLOUR: Record<Tone, string> = {
  healthy: '#10b981',
  degraded: '#f59e0b',
  unhealthy: '#ef4444',
  starting: '#6366f1',
  unknown: '#94a3b8',
}

export const TONE_TEXT: Record<Tone, TextKey> = {
  healthy: 'health.healthy',
  degraded: 'health.degraded',
  unhealthy: 'health.unhealthy',
  starting: 'health.starting',
  unknown: 'health.unknown',
}

export const STATE_TONE: Record<ServiceState, Tone> = {
  [ServiceState.UNSPECIFIED]: 'unknown',
  [ServiceState.PENDING]: 'unknown',
  [ServiceState.WAITING]: 'starting',
  [ServiceState.STARTING]: 'starting',
  [ServiceState.RUNNING]: 'healthy',
  [ServiceState.HEALTHY]: 'healthy',
  [ServiceState.UNHEALTHY]: 'unhealthy',
  [ServiceState.BACKING_OFF]: 'degraded',
  [ServiceState.STOPPING]: 'starting',
  [ServiceState.STOPPED]: 'unknown',
  [ServiceState.COMPLETED]: 'healthy',
  [ServiceState.FAILED]: 'unhealthy',
  [ServiceState.SKIPPED]: 'unknown',
  [ServiceState.ADOPTED]: 'healthy',
}

export const STATE_TEXT: Record<ServiceState, TextKey> = {
  [ServiceState.UNSPECIFIED]: 'state.unknown',
  [ServiceState.PENDING]: 'state.pending',
  [ServiceState.WAITING]: 'state.waiting',
  [ServiceState.STARTING]: 'state.starting',
  [ServiceState.RUNNING]: 'state.running',
  [ServiceState.HEALTHY]: 'state.healthy',
  [ServiceState.UNHEALTHY]: 'state.unhealthy',
  [ServiceState.BACKING_OFF]: 'state.backingOff',
  [ServiceState.STOPPING]: 'state.stopping',
  [ServiceState.STOPPED]: 'state.stopped',
  [ServiceState.COMPLETED]: 'state.completed',
  [ServiceState.FAILED]: 'state.failed',
  [ServiceState.SKIPPED]: 'state.skipped',
  [ServiceState.ADOPTED]: 'state.adopted',
}

/** States in which a process lives. */
export const RUNS: ReadonlySet<ServiceState> = new Set([
  ServiceState.STARTING,
  ServiceState.RUNNING,
  ServiceState.HEALTHY,
  ServiceState.UNHEALTHY,
  ServiceState.ADOPTED,
  ServiceState.STOPPING,
])

export const CONNECTION_TEXT: Record<ConnectionState, TextKey> = {
  [ConnectionState.CONNECTION_UNKNOWN]: 'connection.unknown',
  [ConnectionState.REGISTERED]: 'connection.registered',
  [ConnectionState.IDLE]: 'connection.idle',
  [ConnectionState.ACTIVE]: 'connection.active',
  [ConnectionState.STALE]: 'connection.stale',
  [ConnectionState.DEAD]: 'connection.dead',
}

export interface LanguageMark {
  name: string
  mark: string
  colour: string
}

/** Two letters and the colour that the language is known by. */
export const LANGUAGE: Record<ServiceLanguage, LanguageMark> = {
  [ServiceLanguage.LANGUAGE_UNKNOWN]: { name: '', mark: '·', colour: '#64748b' },
  [ServiceLanguage.TYPESCRIPT]: { name: 'TypeScript', mark: 'TS', colour: '#3178c6' },
  [ServiceLanguage.RUST]: { name: 'Rust', mark: 'Rs', colour: '#b7410e' },
  [ServiceLanguage.CPP]: { name: 'C++', mark: 'C++', colour: '#00599c' },
  [ServiceLanguage.GO]: { name: 'Go', mark: 'Go', colour: '#007d9c' },
  [ServiceLanguage.PYTHON]: { name: 'Python', mark: 'Py', colour: '#306998' },
  [ServiceLanguage.JAVA]: { name: 'Java', mark: 'Jv', colour: '#b8480c' },
  [ServiceLanguage.CSHARP]: { name: 'C#', mark: 'C#', colour: '#68217a' },
  [ServiceLanguage.C]: { name: 'C', mark: 'C', colour: '#44546a' },
  [ServiceLanguage.LUA]: { name: 'Lua', mark: 'Lua', colour: '#000080' },
  [ServiceLanguage.JAVASCRIPT]: { name: 'JavaScript', mark: 'JS', colour: '#8a6d00' },
  [ServiceLanguage.RUBY]: { name: 'Ruby', mark: 'Rb', colour: '#a3140c' },
  [ServiceLanguage.PHP]: { name: 'PHP', mark: 'php', colour: '#4f5b93' },
}

export const LEVEL_NAME: Record<LogLevel, string> = {
  [LogLevel.TRACE]: 'trace',
  [LogLevel.DEBUG]: 'debug',
  [LogLevel.INFO]: 'info',
  [LogLevel.WARN]: 'warn',
  [LogLevel.ERROR]: 'error',
  [LogLevel.FATAL]: 'fatal',
}

export const LEVEL_TONE: Record<LogLevel, string> = {
  [LogLevel.TRACE]: 'text-faint',
  [LogLevel.DEBUG]: 'text-faint',
  [LogLevel.INFO]: 'text-muted',
  [LogLevel.WARN]: 'text-degraded-text',
  [LogLevel.ERROR]: 'text-unhealthy-text',
  [LogLevel.FATAL]: 'text-unhealthy-text',
}

/** "backing off" */
export const eventText = (type: ServiceEventType | undefined): TextKey =>
  `event.${type ?? ServiceEventType.UNSPECIFIED}` as TextKey

export const EVENT_TONE: Partial<Record<ServiceEventType, Tone>> = {
  [ServiceEventType.HEALTHY]: 'healthy',
  [ServiceEventType.COMPLETED]: 'healthy',
  [ServiceEventType.FAILED]: 'unhealthy',
  [ServiceEventType.HEALTH_CHECK_FAILED]: 'degraded',
  [ServiceEventType.UNHEALTHY]: 'unhealthy',
  [ServiceEventType.BACKING_OFF]: 'degraded',
  [ServiceEventType.PORT_CONFLICT]: 'unhealthy',
  [ServiceEventType.OUTPUT_LOST]: 'unhealthy',
  [ServiceEventType.CONFIGURATION_REFUSED]: 'unhealthy',
  [ServiceEventType.STOP_WAITING]: 'degraded',
  [ServiceEventType.RESTARTING]: 'starting',
}
