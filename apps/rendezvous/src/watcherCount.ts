/** Streams under way, in all and by address: each holds a socket and memory. */
export class WatcherCount {
  readonly #max: number
  readonly #perKeyMax: number
  readonly #byKey = new Map<string, number>()
  #total = 0

  constructor(max: number, perKeyMax: number) {
    this.#max = max
    this.#perKeyMax = perKeyMax
  }

  get total(): number {
    return this.#total
  }

  /** Counts one more; false where that would be too many. Each success is followed by one `leave`. */
  enter(key: string): boolean {
    const count = this.#byKey.get(key) ?? 0
    if (this.#total >= this.#max || count >= this.#perKeyMax) return false
    this.#total += 1
    this.#byKey.set(key, count + 1)
    return true
  }

  leave(key: string): void {
    const count = this.#byKey.get(key) ?? 0
    this.#total -= 1
    if (count <= 1) this.#byKey.delete(key)
    else this.#byKey.set(key, count - 1)
  }
}
