import { UNSCHEDULED } from '@godwit/protocol/schedule'
import { expect, test } from 'vitest'
import { holdOf, isOverdue, nextLookMs } from './hold.js'

const at = (minuteOfDay: number, nowMs = 1000) => ({ nowMs, minuteOfDay })
const night = { ...UNSCHEDULED, window: { fromMinute: 22 * 60, toMinute: 6 * 60 } }
const day = { ...UNSCHEDULED, window: { fromMinute: 9 * 60, toMinute: 17 * 60 } }

test('nothing holds what has no schedule', () => {
  expect(holdOf(UNSCHEDULED, at(0))).toBeUndefined()
  expect(nextLookMs(UNSCHEDULED, at(0), 1000)).toBeUndefined()
})

test('a start holds until its very millisecond', () => {
  const schedule = { ...UNSCHEDULED, startAt: 5000 }
  expect(holdOf(schedule, at(0, 4999))).toBe('scheduled')
  expect(holdOf(schedule, at(0, 5000))).toBeUndefined()
  expect(nextLookMs(schedule, at(0, 4400), 1000)).toBe(600)
})

test('a window holds outside of it, also over midnight', () => {
  expect([539, 540, 1019, 1020].map((minute) => holdOf(day, at(minute)))).toEqual([
    'window',
    undefined,
    undefined,
    'window',
  ])
  expect([1319, 1320, 1439, 0, 359, 360].map((minute) => holdOf(night, at(minute)))).toEqual([
    'window',
    undefined,
    undefined,
    undefined,
    undefined,
    'window',
  ])
  expect(nextLookMs(night, at(0), 1000)).toBe(1000)
})

test('a start comes before a window', () => {
  expect(holdOf({ ...night, startAt: 5000 }, at(720))).toBe('scheduled')
})

test('a deadline is over at its very millisecond', () => {
  const schedule = { ...UNSCHEDULED, deadline: 5000 }
  expect(isOverdue(schedule, at(0, 4999))).toBe(false)
  expect(isOverdue(schedule, at(0, 5000))).toBe(true)
  expect(isOverdue(UNSCHEDULED, at(0, 5000))).toBe(false)
})
