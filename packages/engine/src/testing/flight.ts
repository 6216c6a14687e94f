/** What is on its way in one direction: reads in order of arrival, in buffers that are used again. */
import { assert } from '@godwit/protocol/assert'

const INITIAL = 256
/** Bytes of the largest read. */
const BUFFER_BYTES = 65_536

/** Buffers of one simulation, taken and given back. */
export class FlightBuffers {
  readonly #free: Uint8Array[] = []

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(BUFFER_BYTES)
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer)
  }
}

export class Flight {
  #atUs = new Float64Array(INITIAL)
  #length = new Uint32Array(INITIAL)
  #buffers: (Uint8Array | undefined)[] = new Array<undefined>(INITIAL).fill(undefined)
  #head = 0
  #count = 0

  /** When the next read arrives; Infinity for none. */
  get nextUs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : (this.#atUs[this.#head] ?? 0)
  }

  /** Bytes of the next read. */
  get nextLength(): number {
    return this.#length[this.#head] ?? 0
  }

  /** What is pushed later arrives later: `atUs` is put off to the one before where that is needed. */
  push(atUs: number, buffer: Uint8Array, length: number): void {
    if (this.#count === this.#atUs.length) this.#grow()
    const mask = this.#atUs.length - 1
    const last = this.#count === 0 ? 0 : (this.#atUs[(this.#head + this.#count - 1) & mask] ?? 0)
    const at = (this.#head + this.#count) & mask
    this.#atUs[at] = Math.max(atUs, last)
    this.#length[at] = length
    this.#buffers[at] = buffer
    this.#count += 1
  }

  /** The next read's buffer, which is the caller's to give back. */
  take(): Uint8Array {
    const buffer = this.#buffers[this.#head]
    assert(buffer !== undefined && this.#count > 0, 'something is on its way')
    this.#buffers[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#atUs.length - 1)
    this.#count -= 1
    return buffer
  }

  #grow(): void {
    const size = this.#atUs.length
    const atUs = new Float64Array(2 * size)
    const length = new Uint32Array(2 * size)
    const buffers = new Array<Uint8Array | undefined>(2 * size).fill(undefined)
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) & (size - 1)
      atUs[i] = this.#atUs[from] ?? 0
      length[i] = this.#length[from] ?? 0
      buffers[i] = this.#buffers[from]
    }
    this.#atUs = atUs
    this.#length = length
    this.#buffers = buffers
    this.#head = 0
  }
}
