/**
 * Which chunks of a transfer something is true of, one bit each. Beyond 262,144 chunks (256 GiB) a bit stands for
 * several neighbours and is set when all that were told of them were added, so its memory is at most 32 KiB.
 */
const BITS_MAX = 262_144

export class ChunkSet {
  chunkCount: number
  /** Chunks that one bit stands for. */
  unit: number
  #bits: Uint8Array

  constructor(chunkCount: number) {
    this.chunkCount = chunkCount
    this.unit = Math.max(1, Math.ceil(chunkCount / BITS_MAX))
    this.#bits = new Uint8Array(Math.ceil(Math.ceil(chunkCount / this.unit) / 8))
  }

  /** Forgets everything and holds that many. */
  resize(chunkCount: number): void {
    this.chunkCount = chunkCount
    this.unit = Math.max(1, Math.ceil(chunkCount / BITS_MAX))
    this.#bits = new Uint8Array(Math.ceil(Math.ceil(chunkCount / this.unit) / 8))
  }

  get units(): number {
    return Math.ceil(this.chunkCount / this.unit)
  }

  add(first: number, count: number): void {
    this.#each(first, count, (unit) => {
      this.#bits[unit >> 3] = (this.#bits[unit >> 3] ?? 0) | (1 << (unit & 7))
    })
  }

  remove(first: number, count: number): void {
    this.#each(first, count, (unit) => {
      this.#bits[unit >> 3] = (this.#bits[unit >> 3] ?? 0) & ~(1 << (unit & 7))
    })
  }

  hasUnit(unit: number): boolean {
    return ((this.#bits[unit >> 3] ?? 0) & (1 << (unit & 7))) !== 0
  }

  /** Units that are set among `count` from `first`. */
  countUnits(first: number, count: number): number {
    let found = 0
    for (let unit = first; unit < first + count; unit += 1) if (this.hasUnit(unit)) found += 1
    return found
  }

  #each(first: number, count: number, act: (unit: number) => void): void {
    const end = Math.min(this.chunkCount, first + count)
    for (let unit = Math.floor(first / this.unit); unit * this.unit < end; unit += 1) act(unit)
  }
}
