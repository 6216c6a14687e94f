/**
 * A set of integers as sorted, disjoint, non-adjacent ranges [start, end): which chunks are done, wanted or lost.
 *
 * Cost: a look-up is a binary search; an insertion moves the ranges behind it. Chunks complete nearly in order, so the
 * ranges are few. Bounds for sets that come from a peer are arguments of `fromPairs`.
 */
import { assert } from './assert.js'

/** `[first, count]`: the form in which ranges travel and are recorded. */
export type RangePair = readonly [first: number, count: number]
/** `[start, end)`. */
export type Range = readonly [start: number, end: number]

/** How many members pairs have that do not overlap. */
export const countOf = (pairs: readonly RangePair[]): number => pairs.reduce((sum, [, count]) => sum + count, 0)

export class RangeSet {
  /** start0, end0, start1, end1, … strictly rising. */
  #bounds: number[]
  #size: number

  constructor() {
    this.#bounds = []
    this.#size = 0
  }

  /** The set of all integers in [start, end). */
  static of(start: number, end: number): RangeSet {
    const set = new RangeSet()
    set.add(start, end)
    return set
  }

  /** The members of pairs that are our own, in any order. */
  static ofPairs(pairs: readonly RangePair[]): RangeSet {
    const set = new RangeSet()
    set.addPairs(pairs)
    return set
  }

  /**
   * Builds a set from `[first, count]` pairs that came from outside. Undefined unless they are at most `maxPairs`,
   * ascending without overlaps, each with `count` ≥ 1 and every member below `limit`.
   */
  static fromPairs(
    pairs: readonly RangePair[],
    limit = Number.MAX_SAFE_INTEGER,
    maxPairs = 4096,
  ): RangeSet | undefined {
    if (pairs.length > maxPairs) return undefined
    const set = new RangeSet()
    let before = 0
    for (const [first, count] of pairs) {
      if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count)) return undefined
      if (first < before || count < 1 || first + count > limit) return undefined
      set.add(first, first + count)
      before = first + count
    }
    return set
  }

  /** How many integers are in the set. */
  get size(): number {
    return this.#size
  }

  get rangeCount(): number {
    return this.#bounds.length / 2
  }

  get isEmpty(): boolean {
    return this.#bounds.length === 0
  }

  /** The smallest member; undefined when empty. */
  get first(): number | undefined {
    return this.#bounds[0]
  }

  /** One more than the largest member; undefined when empty. */
  get end(): number | undefined {
    return this.#bounds[this.#bounds.length - 1]
  }

  /** Adds [start, end) and returns how many of these integers are new. */
  add(start: number, end: number): number {
    assertRange(start, end)
    if (start === end) return 0
    const bounds = this.#bounds
    // The common case: at or behind the end.
    const last = bounds.length - 1
    const lastEnd = bounds[last]
    if (lastEnd === undefined || start >= lastEnd) {
      if (start === lastEnd) bounds[last] = end
      else bounds.push(start, end)
      this.#size += end - start
      return end - start
    }
    // Odd: inside a range or touching its end. Ranges that touch are joined.
    const from = this.#countBelow(start)
    const to = this.#countUpTo(end)
    const covered = this.#covered(from, to, start, end)
    if (from % 2 === 0 && to % 2 === 0) bounds.splice(from, to - from, start, end)
    else if (from % 2 === 0) bounds.splice(from, to - from, start)
    else if (to % 2 === 0) bounds.splice(from, to - from, end)
    else bounds.splice(from, to - from)
    const added = end - start - covered
    this.#size += added
    return added
  }

  /** Adds every member of `other`. */
  addAll(other: RangeSet): void {
    for (const [start, end] of other.ranges()) this.add(start, end)
  }

  addPairs(pairs: readonly RangePair[]): void {
    for (const [first, count] of pairs) this.add(first, first + count)
  }

  /** Takes [start, end) out and returns how many of these integers were in the set. */
  remove(start: number, end: number): number {
    assertRange(start, end)
    if (start === end) return 0
    const bounds = this.#bounds
    // Odd `from`: a range reaches to `start` or beyond; odd `to`: a range goes on behind `end`.
    const from = this.#countBelow(start)
    const to = this.#countUpTo(end)
    const removed = this.#covered(from, to, start, end)
    if (from % 2 === 1 && to % 2 === 1) bounds.splice(from, to - from, start, end)
    else if (from % 2 === 1) bounds.splice(from, to - from, start)
    else if (to % 2 === 1) bounds.splice(from, to - from, end)
    else bounds.splice(from, to - from)
    this.#size -= removed
    return removed
  }

  /** Takes every member of `other` out. */
  removeAll(other: RangeSet): void {
    for (const [start, end] of other.ranges()) this.remove(start, end)
  }

  removePairs(pairs: readonly RangePair[]): void {
    for (const [first, count] of pairs) this.remove(first, first + count)
  }

  has(value: number): boolean {
    return this.#countUpTo(value) % 2 === 1
  }

  /** Whether every integer of [start, end) is a member. */
  contains(start: number, end: number): boolean {
    assertRange(start, end)
    if (start === end) return true
    const at = this.#countUpTo(start)
    return at % 2 === 1 && (this.#bounds[at] ?? 0) >= end
  }

  /** The ranges in rising order. The set must not change meanwhile. */
  *ranges(): IterableIterator<Range> {
    for (let i = 0; i < this.#bounds.length; i += 2) yield [this.#bounds[i] ?? 0, this.#bounds[i + 1] ?? 0]
  }

  /** The ranges of [start, end) that are not in the set, in rising order. The set must not change meanwhile. */
  *missing(start: number, end: number): IterableIterator<Range> {
    assertRange(start, end)
    let at = start
    for (let i = this.#countUpTo(start) & ~1; i < this.#bounds.length && at < end; i += 2) {
      const rangeStart = this.#bounds[i] ?? 0
      if (rangeStart >= end) break
      if (rangeStart > at) yield [at, rangeStart]
      at = Math.max(at, this.#bounds[i + 1] ?? 0)
    }
    if (at < end) yield [at, end]
  }

  /** The smallest integer from `start` on that is not a member. */
  firstMissing(start: number): number {
    const at = this.#countUpTo(start)
    return at % 2 === 1 ? (this.#bounds[at] ?? start) : start
  }

  equals(other: RangeSet): boolean {
    const theirs = other.#bounds
    return this.#bounds.length === theirs.length && this.#bounds.every((bound, i) => bound === theirs[i])
  }

  clone(): RangeSet {
    const copy = new RangeSet()
    copy.#bounds = this.#bounds.slice()
    copy.#size = this.#size
    return copy
  }

  clear(): void {
    this.#bounds = []
    this.#size = 0
  }

  /** `[first, count]` pairs in rising order; the first `maxPairs` of them. */
  toPairs(maxPairs = Number.POSITIVE_INFINITY): [first: number, count: number][] {
    const pairs: [number, number][] = []
    for (let i = 0; i < this.#bounds.length && pairs.length < maxPairs; i += 2) {
      const start = this.#bounds[i] ?? 0
      pairs.push([start, (this.#bounds[i + 1] ?? 0) - start])
    }
    return pairs
  }

  /** How many integers of [start, end) are in the ranges that own the bounds `from … to`. */
  #covered(from: number, to: number, start: number, end: number): number {
    let covered = 0
    for (let i = from & ~1; i < to; i += 2) {
      const rangeStart = Math.max(start, this.#bounds[i] ?? 0)
      const rangeEnd = Math.min(end, this.#bounds[i + 1] ?? 0)
      if (rangeEnd > rangeStart) covered += rangeEnd - rangeStart
    }
    return covered
  }

  /** How many bounds are < value. */
  #countBelow(value: number): number {
    let low = 0
    let high = this.#bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#bounds[middle] ?? 0) < value) low = middle + 1
      else high = middle
    }
    return low
  }

  /** How many bounds are ≤ value; odd when `value` is a member. */
  #countUpTo(value: number): number {
    let low = 0
    let high = this.#bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#bounds[middle] ?? 0) <= value) low = middle + 1
      else high = middle
    }
    return low
  }
}

const assertRange = (start: number, end: number): void => {
  assert(Number.isSafeInteger(start) && Number.isSafeInteger(end), 'the bounds of a range are integers')
  assert(start >= 0 && start <= end, 'a range does not end before it starts')
}
