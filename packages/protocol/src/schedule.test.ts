import { expect, test } from 'vitest'
import { formatWindow, parseWindow } from './schedule.js'

test.each([
  ['22:00-06:00', 1320, 360, '22:00-06:00'],
  ['9:30-17:05', 570, 1025, '09:30-17:05'],
  ['18:00-24:00', 1080, 0, '18:00-00:00'],
])('%s is a daily window', (text, fromMinute, toMinute, shown) => {
  const window = parseWindow(text)
  expect(window).toEqual({ ok: true, value: { fromMinute, toMinute } })
  expect(window.ok && window.value !== null && formatWindow(window.value)).toBe(shown)
})

test('none is all day', () => {
  expect(parseWindow('none')).toEqual({ ok: true, value: null })
})

test.each([
  '',
  '22-6',
  '22:00',
  '25:00-06:00',
  '10:60-11:00',
  '24:30-01:00',
  '10:00-10:00',
  '00:00-24:00',
  '22:00-06:00x',
])('%s is none', (text) => {
  expect(parseWindow(text)).toMatchObject({ ok: false, failure: { code: 'ERR_USAGE' } })
})
