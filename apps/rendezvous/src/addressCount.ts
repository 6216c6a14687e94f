/** What is under way at once (streams, connections, open rooms), in all and by address: each holds a socket or memory. */
export class AddressCount {
  readonly #max: number
  readonly #perAddressMax: number
  readonly #byAddress = new Map<string, number>()
  #total = 0

  constructor(max: number, perAddressMax: number) {
    this.#max = max
    this.#perAddressMax = perAddressMax
  }

  get total(): number {
    return this.#total
  }

  /** Counts one more; false where that would be too many. Each success is followed by one `leave`. */
  enter(addressKey: string): boolean {
    const count = this.#byAddress.get(addressKey) ?? 0
    if (this.#total >= this.#max || count >= this.#perAddressMax) return false
    this.#total += 1
    this.#byAddress.set(addressKey, count + 1)
    return true
  }

  leave(addressKey: string): void {
    const count = this.#byAddress.get(addressKey) ?? 0
    this.#total -= 1
    if (count <= 1) this.#byAddress.delete(addressKey)
    else this.#byAddress.set(addressKey, count - 1)
  }
}
