import { expect, test } from 'vitest'
import { spreadOf } from './report.mjs'

test('a spread is by nearest rank', () => {
  expect(spreadOf([])).toEqual({ count: 0, p50: 0, p95: 0, max: 0 })
  expect(spreadOf([5])).toEqual({ count: 1, p50: 5, p95: 5, max: 5 })
  expect(spreadOf(Array.from({ length: 100 }, (_, i) => 100 - i))).toEqual({ count: 100, p50: 50, p95: 95, max: 100 })
})
