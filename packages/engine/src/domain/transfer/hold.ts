/**
 * What keeps a transfer that could run from running: its time has not come, it is outside its daily window, or its turn
 * has not come. A hold is recorded as a pause of the node's, so that it has a reason, an author and a time, and the
 * room stays open through it: the code works before the transfer does.
 */
import type { Schedule } from '@godwit/protocol/schedule'
import type { PauseReason } from './state.js'

/** The wall clock, read by the edge. */
export interface WallTime {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Minutes since midnight in the node's time zone. */
  readonly minuteOfDay: number
}

/** Pauses that the node makes and lifts by itself because of a time. */
export const TIMED_HOLDS = ['scheduled', 'window'] as const satisfies readonly PauseReason[]

/** Pauses for a disk that is full or failing. */
export const DISK_PAUSES: readonly PauseReason[] = ['disk', 'diskFull']

/** Pauses that the node ends by trying again, after a while. */
export const TRIED_PAUSES: readonly PauseReason[] = ['retry', ...DISK_PAUSES]

/** Pauses that a node lifts by itself when what they wait for has come. */
export const SELF_LIFTING: readonly PauseReason[] = [...TIMED_HOLDS, 'queue', ...TRIED_PAUSES]

/** Why a transfer of this schedule may not run at this time; undefined when it may. */
export const holdOf = ({ startAt, window }: Schedule, time: WallTime): (typeof TIMED_HOLDS)[number] | undefined => {
  if (startAt !== null && time.nowMs < startAt) return 'scheduled'
  if (window === null) return undefined
  const { fromMinute, toMinute } = window
  const { minuteOfDay } = time
  const isInside =
    fromMinute < toMinute
      ? minuteOfDay >= fromMinute && minuteOfDay < toMinute
      : minuteOfDay >= fromMinute || minuteOfDay < toMinute
  return isInside ? undefined : 'window'
}

export const isOverdue = ({ deadline }: Schedule, { nowMs }: WallTime): boolean =>
  deadline !== null && nowMs >= deadline

/**
 * Milliseconds until the schedule has to be looked at again; undefined where it says nothing. Never long: the wall clock
 * may be set, and the computer may have slept.
 */
export const nextLookMs = (schedule: Schedule, { nowMs }: WallTime, atMostMs: number): number | undefined => {
  const { startAt, window, deadline } = schedule
  const moments = [startAt, deadline].filter((moment) => moment !== null && moment > nowMs) as number[]
  if (window === null && moments.length === 0) return undefined
  return Math.min(atMostMs, ...moments.map((moment) => moment - nowMs))
}
