import { expect, test } from 'vitest'
import { cpuSecondsIn, peakRssIn } from './processUsage.mjs'

test('user and system time are found behind a command with spaces and parentheses', () => {
  const stat = '17 (no) de (x)) S 1 17 17 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 11 0 4242 0 0'
  expect(cpuSecondsIn(stat)).toBe(3)
})

test('the peak of the resident set is read in bytes', () => {
  expect(peakRssIn('Name:\tnode\nVmHWM:\t  102400 kB\nVmRSS:\t   51200 kB\n')).toBe(104_857_600)
  expect(peakRssIn('Name:\tkthread\n')).toBe(0)
})
