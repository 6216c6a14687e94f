import { expect, test } from 'vitest'
import { FeedPace } from './feedPace.js'

/** Milliseconds that `count` items take, each dealt with at once when its turn has come. */
const timeOf = (count: number): number => {
  let nowMs = 0
  const pace = new FeedPace(nowMs)
  for (let item = 0; item < count; item += 1) nowMs += pace.take(nowMs)
  return nowMs
}

test('what a room brings in its life is dealt with at once', () => {
  expect(timeOf(1000)).toBe(0)
})

test('a flood is slowed down to a rate', () => {
  expect(timeOf(1200)).toBe(1000)
  expect(timeOf(21_000)).toBe(100_000)
})

test('a pause fills the burst up again, and no further', () => {
  const pace = new FeedPace(0)
  for (let item = 0; item < 1000; item += 1) pace.take(0)
  expect(pace.take(0)).toBe(5)
  for (let item = 0; item < 1000; item += 1) expect(pace.take(3_600_000)).toBe(0)
  expect(pace.take(3_600_000)).toBe(5)
})
