/** When a transfer may run, as it stands in fields of the browser, and what it means. */
import type { TransferView } from '@godwit/protocol/api'
import { parseWindow, type Schedule } from '@godwit/protocol/schedule'

export interface ScheduleTexts {
  /** `2026-01-31T22:00`, in the browser's time zone, as `datetime-local` writes it; empty for none. */
  readonly startAt: string
  /** `22:00-06:00`; empty for all day. */
  readonly window: string
  /** Like `startAt`. */
  readonly deadline: string
}

export const NO_SCHEDULE: ScheduleTexts = { startAt: '', window: '', deadline: '' }

export type ReadSchedule =
  | { readonly ok: true; readonly value: Schedule }
  | { readonly ok: false; readonly field: keyof ScheduleTexts; readonly text: string }

const momentIn = (text: string): number | null => (text === '' ? null : new Date(text).getTime())

export const scheduleIn = (texts: ScheduleTexts, nowMs: number): ReadSchedule => {
  const startAt = momentIn(texts.startAt)
  const deadline = momentIn(texts.deadline)
  if (Number.isNaN(startAt)) return { ok: false, field: 'startAt', text: 'A day and a time.' }
  if (Number.isNaN(deadline)) return { ok: false, field: 'deadline', text: 'A day and a time.' }
  const window = parseWindow(texts.window.trim() === '' ? 'none' : texts.window.replaceAll(' ', ''))
  if (!window.ok) return { ok: false, field: 'window', text: 'Written like 22:00-06:00.' }
  if (deadline !== null && deadline <= nowMs) return { ok: false, field: 'deadline', text: 'This time has passed.' }
  if (deadline !== null && startAt !== null && deadline <= startAt)
    return { ok: false, field: 'deadline', text: 'It has to be after the start.' }
  return { ok: true, value: { startAt, window: window.value, deadline } }
}

const pad = (value: number): string => String(value).padStart(2, '0')

/** A moment as a `datetime-local` field writes it. */
export const localText = (iso: string | null): string => {
  if (iso === null) return ''
  const date = new Date(iso)
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}`
}

export const textsOfSchedule = ({ startAt, window, deadline }: TransferView['schedule']): ScheduleTexts => ({
  startAt: localText(startAt),
  window: window ?? '',
  deadline: localText(deadline),
})
