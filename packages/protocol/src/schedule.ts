/** When a transfer may run: not before a time, within a daily window, until a deadline; and its priority among others. */
import { z } from 'zod'
import type { Result } from './errors.js'
import { fail, ok } from './errors.js'

const timestamp = z.number().int().nonnegative().max(8.64e15)
const minute = z
  .number()
  .int()
  .min(0)
  .max(24 * 60 - 1)

/** Minutes of the day in the node's own time zone; `to` before `from` passes midnight. `from` belongs to it, `to` does not. */
export const windowSchema = z
  .object({ fromMinute: minute, toMinute: minute })
  .refine(({ fromMinute, toMinute }) => fromMinute !== toMinute, 'a window has a length')
export type DailyWindow = z.infer<typeof windowSchema>

export const scheduleSchema = z.object({
  /** Milliseconds since 1970; null for at once. */
  startAt: timestamp.nullable(),
  /** Null for all day. */
  window: windowSchema.nullable(),
  /** Milliseconds since 1970; null for none. Until then what can be mended is tried again by itself. */
  deadline: timestamp.nullable(),
})
export type Schedule = z.infer<typeof scheduleSchema>

export const UNSCHEDULED: Schedule = { startAt: null, window: null, deadline: null }

export const PRIORITY_MIN = 1
export const PRIORITY_MAX = 9
export const PRIORITY_DEFAULT = 5
/** 1 to 9: a higher one leaves the queue first and gets more of the node's limit, in proportion. */
export const prioritySchema = z.number().int().min(PRIORITY_MIN).max(PRIORITY_MAX)

/** `22:00-06:00`, or `none`. ERR_USAGE. */
export const parseWindow = (text: string): Result<DailyWindow | null> => {
  if (text === 'none') return ok(null)
  const match = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(text)
  const [fromHour, fromMinute, toHour, toMinute] = (match ?? []).slice(1).map(Number)
  const window = windowSchema.safeParse({
    fromMinute: minuteOf(fromHour, fromMinute),
    toMinute: minuteOf(toHour, toMinute),
  })
  return window.success ? ok(window.data) : fail('ERR_USAGE', 'A daily window is written like 22:00-06:00, or none')
}

/** -1 where it is no time of the day; 24:00 is midnight. */
const minuteOf = (hour = -1, minuteOfHour = -1): number => {
  if (minuteOfHour > 59 || hour > 24 || (hour === 24 && minuteOfHour > 0) || hour < 0) return -1
  return (hour * 60 + minuteOfHour) % (24 * 60)
}

export const formatWindow = ({ fromMinute, toMinute }: DailyWindow): string =>
  `${clockText(fromMinute)}-${clockText(toMinute)}`

const clockText = (minuteOfDay: number): string =>
  `${String(Math.floor(minuteOfDay / 60)).padStart(2, '0')}:${String(minuteOfDay % 60).padStart(2, '0')}`
