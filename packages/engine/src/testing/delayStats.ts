/** Mean and percentiles of delays, in a histogram of 100 µs: no list of samples, no sorting. */

const BIN_US = 100
const BINS = 200_000

export class DelayStats {
  readonly #bins = new Uint32Array(BINS)
  #count = 0
  #sumUs = 0
  maxUs = 0

  add(delayUs: number): void {
    this.#count += 1
    this.#sumUs += delayUs
    if (delayUs > this.maxUs) this.maxUs = delayUs
    const bin = Math.min(BINS - 1, Math.floor(delayUs / BIN_US))
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1
  }

  get meanUs(): number {
    return this.#count === 0 ? 0 : this.#sumUs / this.#count
  }

  /** @param share - 0.95 for the delay that 95 % of the samples keep to, rounded up to a bin. */
  percentileUs(share: number): number {
    const wanted = this.#count * share
    let seen = 0
    for (let bin = 0; bin < BINS; bin++) {
      seen += this.#bins[bin] ?? 0
      if (seen >= wanted) return Math.min(this.maxUs, (bin + 1) * BIN_US)
    }
    return this.maxUs
  }

  reset(): void {
    this.#bins.fill(0)
    this.#count = 0
    this.#sumUs = 0
    this.maxUs = 0
  }
}
