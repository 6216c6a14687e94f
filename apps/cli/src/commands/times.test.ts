import { expect, test } from 'vitest'
import { timeOf } from './times.js'

const now = new Date(2026, 10, 25, 14, 30).getTime()
const of = (text: string): number => timeOf(text, '--start-at', now)

test('a time of the day is the next one', () => {
  expect(of('22:00')).toBe(new Date(2026, 10, 25, 22, 0).getTime())
  expect(of('9:15')).toBe(new Date(2026, 10, 26, 9, 15).getTime())
  expect(of('14:30')).toBe(new Date(2026, 10, 26, 14, 30).getTime())
})

test('a date is of this time zone unless it names another', () => {
  expect(of('2026-12-01T08:00')).toBe(new Date(2026, 11, 1, 8, 0).getTime())
  expect(of('2026-12-01 08:00')).toBe(new Date(2026, 11, 1, 8, 0).getTime())
  expect(of('2026-12-01T08:00:00Z')).toBe(Date.UTC(2026, 11, 1, 8))
})

test('a plus is from now on', () => {
  expect(of('+90m')).toBe(now + 5_400_000)
  expect(of('+2h')).toBe(now + 7_200_000)
})

test.each(['', 'soon', '25:00', '10:60', '2026-13-01T08:00', '2026-12-01', '+2w', '+h', '0'])(
  '%s is no time',
  (text) => {
    expect(() => of(text)).toThrow('--start-at takes a time like')
  },
)
