/** Lost stretches of chunks that wait to be sent again: first in, first out, in typed arrays. */
import { assert } from '@godwit/protocol/assert'
import type { Segment } from './types.js'

const INITIAL_SEGMENTS = 256

export class SegmentQueue {
  readonly #maxSegments: number
  #capacity = INITIAL_SEGMENTS
  #chunk = new Float64Array(INITIAL_SEGMENTS)
  #offset = new Uint32Array(INITIAL_SEGMENTS)
  #length = new Uint32Array(INITIAL_SEGMENTS)
  #head = 0
  #count = 0

  /** @param maxSegments - a power of two that the caller's bound on packets in flight makes unreachable. */
  constructor(maxSegments: number) {
    assert((maxSegments & (maxSegments - 1)) === 0, 'the queue is a power of two')
    this.#maxSegments = maxSegments
  }

  get count(): number {
    return this.#count
  }

  /** Entries allocated: for the bound on memory. */
  get capacity(): number {
    return this.#capacity
  }

  push(chunk: number, offset: number, length: number): void {
    if (this.#count === this.#capacity) this.#grow()
    const at = (this.#head + this.#count) & (this.#capacity - 1)
    this.#chunk[at] = chunk
    this.#offset[at] = offset
    this.#length[at] = length
    this.#count += 1
  }

  /** Writes the oldest segment into `out`; false when there is none. */
  peek(out: Segment): boolean {
    if (this.#count === 0) return false
    out.chunk = this.#chunk[this.#head] ?? 0
    out.offset = this.#offset[this.#head] ?? 0
    out.length = this.#length[this.#head] ?? 0
    return true
  }

  /** Takes `length` bytes off the front of the oldest segment, and the segment itself when that was all. */
  take(length: number): void {
    const left = (this.#length[this.#head] ?? 0) - length
    assert(this.#count > 0 && left >= 0, 'a segment is taken at most once')
    if (left > 0) {
      this.#offset[this.#head] = (this.#offset[this.#head] ?? 0) + length
      this.#length[this.#head] = left
      return
    }
    this.#head = (this.#head + 1) & (this.#capacity - 1)
    this.#count -= 1
  }

  #grow(): void {
    assert(this.#capacity < this.#maxSegments, 'lost segments are bounded by what was in flight')
    const grow = <A extends Uint32Array | Float64Array>(old: A, grown: A): A => {
      for (let i = 0; i < this.#count; i++) grown[i] = old[(this.#head + i) & (this.#capacity - 1)] ?? 0
      return grown
    }
    this.#chunk = grow(this.#chunk, new Float64Array(2 * this.#capacity))
    this.#offset = grow(this.#offset, new Uint32Array(2 * this.#capacity))
    this.#length = grow(this.#length, new Uint32Array(2 * this.#capacity))
    this.#head = 0
    this.#capacity *= 2
  }
}
