/** A set of chunks that several threads look at: one bit each, in shared memory. One thread writes. */
export class SharedBits {
  readonly words: Int32Array

  private constructor(words: Int32Array) {
    this.words = words
  }

  /** The empty set of chunks below `count`. */
  static empty(count: number): SharedBits {
    return new SharedBits(new Int32Array(new SharedArrayBuffer(4 * Math.max(1, Math.ceil(count / 32)))))
  }

  /** The same set, in another thread. */
  static of(words: Int32Array): SharedBits {
    return new SharedBits(words)
  }

  has(chunk: number): boolean {
    return ((Atomics.load(this.words, chunk >>> 5) >>> (chunk & 31)) & 1) === 1
  }

  add(start: number, end: number): void {
    for (let chunk = start; chunk < end; chunk++) Atomics.or(this.words, chunk >>> 5, 1 << (chunk & 31))
  }

  remove(start: number, end: number): void {
    for (let chunk = start; chunk < end; chunk++) Atomics.and(this.words, chunk >>> 5, ~(1 << (chunk & 31)))
  }
}
