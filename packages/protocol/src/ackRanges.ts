/**
 * The packet numbers that were received, as an ACK frame reports them: the newest ranges in a fixed array.
 *
 * When there are more ranges than the capacity, the oldest is forgotten: a sender takes what is never acknowledged for
 * lost and sends it again. Adding in order costs no search and no allocation.
 */
import { ACK_MAX_RANGES } from './limits.js'

export class AckRanges {
  /** [start, end) pairs, newest first. Float64, since an end may be 2^32. */
  readonly #bounds: Float64Array
  readonly #capacity: number
  #count = 0

  constructor(capacity = ACK_MAX_RANGES) {
    this.#capacity = capacity
    this.#bounds = new Float64Array(2 * capacity)
  }

  /** Ranges held. */
  get count(): number {
    return this.#count
  }

  /** The largest packet number; -1 when empty. */
  get largest(): number {
    return this.#count === 0 ? -1 : this.endAt(0) - 1
  }

  /** First packet number of range `index`, 0 being the newest. */
  startAt(index: number): number {
    return this.#bounds[2 * index] ?? 0
  }

  /** One more than the last packet number of range `index`. */
  endAt(index: number): number {
    return this.#bounds[2 * index + 1] ?? 0
  }

  has(packetNumber: number): boolean {
    for (let i = 0; i < this.#count; i++) {
      if (packetNumber >= this.endAt(i)) return false
      if (packetNumber >= this.startAt(i)) return true
    }
    return false
  }

  add(packetNumber: number): void {
    const bounds = this.#bounds
    if (this.#count > 0 && packetNumber === bounds[1]) {
      bounds[1] = packetNumber + 1
      return
    }
    // The first range that is not wholly above the number.
    let index = 0
    while (index < this.#count && packetNumber < this.startAt(index)) index++
    const isInside = index < this.#count && packetNumber < this.endAt(index)
    if (isInside) return
    const extendsOlder = index < this.#count && packetNumber === this.endAt(index)
    const extendsNewer = index > 0 && packetNumber + 1 === this.startAt(index - 1)
    if (extendsOlder && extendsNewer) {
      bounds[2 * index - 2] = this.startAt(index)
      bounds.copyWithin(2 * index, 2 * index + 2, 2 * this.#count)
      this.#count -= 1
    } else if (extendsOlder) {
      bounds[2 * index + 1] = packetNumber + 1
    } else if (extendsNewer) {
      bounds[2 * index - 2] = packetNumber
    } else {
      if (index === this.#capacity) return
      if (this.#count === this.#capacity) this.#count -= 1
      bounds.copyWithin(2 * index + 2, 2 * index, 2 * this.#count)
      bounds[2 * index] = packetNumber
      bounds[2 * index + 1] = packetNumber + 1
      this.#count += 1
    }
  }
}
