/** Numbers, sizes and times, short, in the reader's language. */
import { useSettings } from '@/data/settings'

const language = () => useSettings.getState().language

/* A formatter takes far longer to make than to use, and rows and edges ask for thousands a second. */
function remembered<Format>(make: (language: string, digits: number) => Format) {
  const made = new Map<string, Format>()
  return (digits = 0): Format => {
    const key = `${language()} ${digits}`
    const format = made.get(key) ?? make(language(), digits)
    made.set(key, format)
    return format
  }
}

const numbers = remembered(
  (language, digits) =>
    new Intl.NumberFormat(language, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }),
)

const times = remembered(
  (language) =>
    new Intl.DateTimeFormat(language, {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    }),
)

const dates = remembered(
  (language) =>
    new Intl.DateTimeFormat(language, {
      day: '2-digit',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    }),
)

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

export function bytes(value: number | bigint | undefined): string {
  let amount = Number(value ?? 0)
  let unit = 0
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1024
    unit++
  }
  return `${number(amount, amount < 10 && unit > 1 ? 1 : 0)} ${UNITS[unit]}`
}

export function number(value: number, digits = 0): string {
  return numbers(digits).format(value)
}

/** 0.4, 7.2, 48, 1,250, 18k */
export function rate(value: number): string {
  if (value >= 10_000) return `${number(value / 1000)}k`
  return number(value, value > 0 && value < 10 ? 1 : 0)
}

export function latency(milliseconds: number): string {
  if (milliseconds < 1) return `${number(milliseconds * 1000)} µs`
  if (milliseconds < 1000) return `${number(milliseconds, milliseconds < 10 ? 1 : 0)} ms`
  return `${number(milliseconds / 1000, 1)} s`
}

export function percent(share: number): string {
  const value = share * 100
  return `${number(value, value > 0 && value < 10 ? 1 : 0)} %`
}

/** "4 s", "12 min", "3 h 20 min", "5 d" */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`
  const days = Math.floor(hours / 24)
  return days < 4 && hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`
}

export function timeOfDay(milliseconds: number | bigint, precise = false): string {
  const date = new Date(Number(milliseconds))
  const text = times().format(date)
  return precise ? `${text}.${String(date.getMilliseconds()).padStart(3, '0')}` : text
}

export function dateTime(milliseconds: number | bigint): string {
  return dates().format(new Date(Number(milliseconds)))
}
