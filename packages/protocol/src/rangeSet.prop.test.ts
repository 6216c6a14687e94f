import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countOf, RangeSet } from './rangeSet.js'

const LIMIT = 40

/** The obvious slow reference: a Set of integers. */
const rangesOf = (members: ReadonlySet<number>): [number, number][] => {
  const ranges: [number, number][] = []
  for (const value of [...members].sort((a, b) => a - b)) {
    const last = ranges[ranges.length - 1]
    if (last !== undefined && last[1] === value) last[1] = value + 1
    else ranges.push([value, value + 1])
  }
  return ranges
}

const operation = fc
  .tuple(fc.constantFrom('add', 'remove'), fc.nat(LIMIT), fc.nat(LIMIT))
  .map(([kind, a, b]) => ({ kind, start: Math.min(a, b), end: Math.max(a, b) }))

describe('a set of ranges', () => {
  test('behaves like a set of integers', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), fc.nat(LIMIT), fc.nat(LIMIT), (operations, a, b) => {
        const set = new RangeSet()
        const reference = new Set<number>()
        for (const { kind, start, end } of operations) {
          const before = reference.size
          for (let value = start; value < end; value++) {
            if (kind === 'add') reference.add(value)
            else reference.delete(value)
          }
          const changed = kind === 'add' ? set.add(start, end) : set.remove(start, end)
          expect(changed).toBe(Math.abs(reference.size - before))
          expect([...set.ranges()]).toEqual(rangesOf(reference))
        }
        expect(set.size).toBe(reference.size)
        for (let value = 0; value <= LIMIT; value++) expect(set.has(value)).toBe(reference.has(value))
        const start = Math.min(a, b)
        const end = Math.max(a, b)
        const inside = Array.from({ length: end - start }, (_, i) => start + i)
        expect(set.contains(start, end)).toBe(inside.every((value) => reference.has(value)))
        expect([...set.missing(start, end)]).toEqual(rangesOf(new Set(inside.filter((value) => !reference.has(value)))))
        let free = start
        while (reference.has(free)) free++
        expect(set.firstMissing(start)).toBe(free)
        expect(set.first).toBe(rangesOf(reference)[0]?.[0])
        expect(set.end).toBe(rangesOf(reference).at(-1)?.[1])
      }),
      { numRuns: 500 },
    )
  })

  test('takes pairs in any order, overlapping or not', () => {
    const pair = fc.tuple(fc.nat(LIMIT), fc.nat(8))
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 8 }), fc.array(pair, { maxLength: 8 }), (added, removed) => {
        const members = (pairs: readonly (readonly [number, number])[]) =>
          new Set(pairs.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i)))
        const set = RangeSet.ofPairs(added)
        expect([...set.ranges()]).toEqual(rangesOf(members(added)))
        expect(countOf(set.toPairs())).toBe(set.size)
        set.removePairs(removed)
        const gone = members(removed)
        expect([...set.ranges()]).toEqual(rangesOf(new Set([...members(added)].filter((one) => !gone.has(one)))))
      }),
    )
  })

  test('comes back from its pairs', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
        const set = new RangeSet()
        for (const { start, end } of operations) set.add(start, end)
        const back = RangeSet.fromPairs(set.toPairs())
        expect(back?.equals(set)).toBe(true)
        expect(back?.size).toBe(set.size)
        const other = set.clone()
        other.addAll(set)
        expect(other.equals(set)).toBe(true)
        other.removeAll(set)
        expect(other.isEmpty).toBe(true)
      }),
    )
  })

  test.each([
    [
      'overlapping',
      [
        [0, 3],
        [2, 2],
      ],
    ],
    [
      'descending',
      [
        [5, 1],
        [1, 1],
      ],
    ],
    ['empty', [[3, 0]]],
    ['negative', [[-1, 2]]],
    ['beyond the limit', [[95, 10]]],
    ['not integers', [[0.5, 1]]],
    ['too large to add', [[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]]],
    [
      'too many',
      [
        [0, 1],
        [2, 1],
        [4, 1],
        [6, 1],
      ],
    ],
  ] as const)('refuses pairs that are %s', (_name, pairs) => {
    expect(RangeSet.fromPairs(pairs, 100, 3)).toBeUndefined()
  })

  test('gives only as many pairs as asked for', () => {
    const set = new RangeSet()
    for (let i = 0; i < 10; i++) set.add(2 * i, 2 * i + 1)
    expect(set.toPairs(2)).toEqual([
      [0, 1],
      [2, 1],
    ])
  })
})
