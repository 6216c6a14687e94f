/** Times as a user writes them: of the day, of a date, or from now on. All in the time zone of this computer. */
import { usageFailure } from '../failure.js'

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Milliseconds since 1970 of `22:00` (the next time that it is so late), `2026-11-25T22:00` or `2026-11-25 22:00` with or
 * without a zone, or `+90m` (s, m, h, d).
 */
export const timeOf = (text: string, option: string, nowMs: number): number => {
  const span = /^\+(\d{1,7})([smhd])$/.exec(text)
  if (span !== null) return nowMs + Number(span[1]) * (UNIT_MS[span[2] ?? ''] ?? 0)
  const clock = /^(\d{1,2}):(\d{2})$/.exec(text)
  const [hour, minute] = [Number(clock?.[1]), Number(clock?.[2])]
  if (clock !== null && hour < 24 && minute < 60) return nextTimeOfDay(hour, minute, nowMs)
  const date = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  if (Number.isNaN(date) || date < 0) throw usageFailure(`${option} takes a time like 22:00, 2026-11-25T22:00 or +90m.`)
  return date
}

const nextTimeOfDay = (hour: number, minute: number, nowMs: number): number => {
  const time = new Date(nowMs)
  time.setHours(hour, minute, 0, 0)
  if (time.getTime() <= nowMs) time.setDate(time.getDate() + 1)
  return time.getTime()
}
