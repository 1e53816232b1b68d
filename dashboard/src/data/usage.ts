/** What services used lately: processor and memory, a figure a second while the page is open. */
const KEPT = 120

export interface Usage {
  /** Unix seconds. */
  times: number[]
  /** Percent of one core. */
  cpu: number[]
  /** Bytes. */
  memory: number[]
}

const known = new Map<string, Usage>()

export const usageOf = (serviceName: string): Usage | undefined => known.get(serviceName)

export function noteUsage(serviceName: string, cpu: number, memory: number): void {
  const usage = known.get(serviceName) ?? { times: [], cpu: [], memory: [] }
  known.set(serviceName, usage)
  usage.times.push(Date.now() / 1000)
  usage.cpu.push(cpu)
  usage.memory.push(memory)
  if (usage.times.length <= KEPT) return
  usage.times.shift()
  usage.cpu.shift()
  usage.memory.shift()
}

export const forgetUsage = (serviceName: string): boolean => known.delete(serviceName)
