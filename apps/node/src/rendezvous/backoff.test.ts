import { expect, test } from 'vitest'
import { retryPauseMs } from './backoff.js'

test('quick at first, then longer, never longer than 15 s and a fifth', () => {
  const middle = [1, 2, 3, 4, 5, 6, 7, 20, 10_000].map((failures) => retryPauseMs(failures, () => 0.5))
  expect(middle).toEqual([200, 200, 200, 1000, 1500, 2250, 3375, 15_000, 15_000])
  expect([retryPauseMs(50, () => 0), retryPauseMs(50, () => 0.999_999)]).toEqual([12_000, 18_000])
})
