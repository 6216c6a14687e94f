import { expect, test } from 'vitest'
import { partsOf, SharedLimit } from './sharedLimit.js'

test('without a limit of the node each has its own', () => {
  expect(
    partsOf(null, [
      { priority: 5, limit: null },
      { priority: 9, limit: 100 },
    ]),
  ).toEqual([null, 100])
})

test('a limit is shared in proportion to the priorities', () => {
  expect(
    partsOf(1000, [
      { priority: 8, limit: null },
      { priority: 2, limit: null },
    ]),
  ).toEqual([800, 200])
})

test('what one does not take goes to the others, also in several rounds', () => {
  const shares = [
    { priority: 5, limit: 100 },
    { priority: 5, limit: 420 },
    { priority: 5, limit: null },
  ]
  expect(partsOf(1200, shares)).toEqual([100, 420, 680])
  expect(partsOf(300, shares)).toEqual([100, 100, 100])
})

test('limits of their own that leave something over stay', () => {
  expect(
    partsOf(1000, [
      { priority: 1, limit: 10 },
      { priority: 9, limit: 20 },
    ]),
  ).toEqual([10, 20])
  expect(partsOf(1000, [])).toEqual([])
})

test('everyone is told when somebody comes or goes, or the limit changes', () => {
  const shared = new SharedLimit(1000)
  const last: Record<string, number | null> = {}
  const sharer = (name: string, priority: number) => ({
    priority,
    limit: null,
    apply: (limit: number | null) => {
      last[name] = limit
    },
  })
  shared.join('a', sharer('a', 5))
  expect(last).toEqual({ a: 1000 })
  shared.join('b', sharer('b', 5))
  expect(last).toEqual({ a: 500, b: 500 })
  shared.join('b', sharer('b', 9))
  shared.setTotal(1400)
  expect(last).toEqual({ a: 500, b: 900 })
  shared.leave('a')
  expect(last).toMatchObject({ b: 1400 })
  shared.setTotal(null)
  expect(last).toMatchObject({ b: null })
})
