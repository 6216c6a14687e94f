import { expect, test } from 'vitest'
import { median, quantile, spread } from './statistics.mjs'

test('the median is the middle value, or between the two middle ones, in whatever order they come', () => {
  expect(median([5, 1, 3])).toBe(3)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
})

test('a quantile is interpolated between its neighbours', () => {
  expect(quantile([0, 10], 0.95)).toBe(9.5)
  expect(quantile([1, 2, 3], 0)).toBe(1)
  expect(quantile([1, 2, 3], 1)).toBe(3)
})

test('a spread passes over what is not known', () => {
  expect(spread([3, undefined, 1, 2])).toEqual({ median: 2, least: 1, most: 3 })
  expect(spread([undefined])).toBeUndefined()
})
