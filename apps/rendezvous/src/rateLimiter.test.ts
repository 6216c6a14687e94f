import { expect, test } from 'vitest'
import { RateLimiter } from './rateLimiter.js'

test('so many at once, then so many a minute, for each key', () => {
  let nowMs = 0
  const limiter = new RateLimiter({ burst: 2, perMinute: 60 }, () => nowMs)
  const take = (key: string): boolean => limiter.take(key)
  expect([take('a'), take('a'), take('a'), take('b')]).toEqual([true, true, false, true])
  nowMs = 999
  expect(take('a')).toBe(false)
  nowMs = 1000
  expect(limiter.has('a')).toBe(true)
  expect([take('a'), take('a')]).toEqual([true, false])
  nowMs = 1_000_000
  expect([take('a'), take('a'), take('a')]).toEqual([true, true, false])
})

test('it remembers only so many keys', () => {
  const limiter = new RateLimiter({ burst: 1, perMinute: 0 }, () => 0)
  expect([limiter.take('first'), limiter.take('first')]).toEqual([true, false])
  for (let index = 0; index < 50_000; index += 1) limiter.take(`k${index}`)
  expect(limiter.take('first')).toBe(true)
})
