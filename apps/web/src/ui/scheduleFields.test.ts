import { describe, expect, test } from 'vitest'
import { localText, NO_SCHEDULE, scheduleIn, textsOfSchedule } from './scheduleFields'

const NOW_MS = new Date('2026-01-31T12:00').getTime()

describe('the fields of a schedule', () => {
  test('mean nothing when they are empty', () => {
    expect(scheduleIn(NO_SCHEDULE, NOW_MS)).toEqual({
      ok: true,
      value: { startAt: null, window: null, deadline: null },
    })
  })

  test('say what is set, in the time zone of the browser', () => {
    const startAt = '2026-01-31T22:00'
    const read = scheduleIn({ startAt, window: '22:00 - 06:00', deadline: '' }, NOW_MS)
    expect(read).toEqual({
      ok: true,
      value: { startAt: new Date(startAt).getTime(), window: { fromMinute: 1320, toMinute: 360 }, deadline: null },
    })
  })

  test.each([
    ['a window that is none', { ...NO_SCHEDULE, window: 'at night' }, 'window'],
    ['a deadline that has passed', { ...NO_SCHEDULE, deadline: '2026-01-31T11:59' }, 'deadline'],
    [
      'a deadline before the start',
      { ...NO_SCHEDULE, startAt: '2026-02-02T10:00', deadline: '2026-02-01T10:00' },
      'deadline',
    ],
    ['a day that is none', { ...NO_SCHEDULE, startAt: 'tomorrow' }, 'startAt'],
  ])('refuse %s', (_, texts, field) => {
    expect(scheduleIn(texts, NOW_MS)).toMatchObject({ ok: false, field })
  })

  test('come back as they were written', () => {
    const iso = new Date('2026-03-04T05:06').toISOString()
    expect(localText(iso)).toBe('2026-03-04T05:06')
    expect(textsOfSchedule({ startAt: iso, window: '22:00-06:00', deadline: null })).toEqual({
      startAt: '2026-03-04T05:06',
      window: '22:00-06:00',
      deadline: '',
    })
  })
})
