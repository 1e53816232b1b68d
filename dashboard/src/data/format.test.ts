import { expect, it, vi } from 'vitest'

vi.mock('@/data/settings', () => ({
  useSettings: { getState: () => ({ language: settings.language }) },
}))
const settings = { language: 'en' }
const { bytes, dateTime, duration, latency, number, percent, rate, timeOfDay } =
  await import('@/data/format')

it('writes figures short, in the language that is chosen', () => {
  settings.language = 'en'
  expect([rate(0.42), rate(48.2), rate(1250), rate(18_300)]).toEqual(['0.4', '48', '1,250', '18k'])
  expect([latency(0.816), latency(3.21), latency(740), latency(1500)]).toEqual([
    '816 µs',
    '3.2 ms',
    '740 ms',
    '1.5 s',
  ])
  expect([bytes(0), bytes(2048), bytes(5.5 * 1024 * 1024)]).toEqual(['0 B', '2 KB', '5.5 MB'])
  settings.language = 'de'
  expect([rate(1250), percent(0.123), number(0.5, 1)]).toEqual(['1.250', '12 %', '0,5'])
})

it('writes times with 24 hours', () => {
  settings.language = 'en'
  const afternoon = new Date(2026, 10, 21, 15, 4, 5, 67).getTime()
  expect(timeOfDay(afternoon)).toBe('15:04:05')
  expect(timeOfDay(afternoon, true)).toBe('15:04:05.067')
  expect(timeOfDay(new Date(2026, 10, 21, 0, 4, 5).getTime())).toMatch(/^(00|24):04:05$/)
  expect(dateTime(afternoon)).toMatch(/Nov 21.*15:04:05/)
  expect([duration(59_000), duration(3_660_000)]).toEqual(['59 s', '1 h 1 min'])
})
