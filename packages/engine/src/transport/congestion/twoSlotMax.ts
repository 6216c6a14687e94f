/**
 * The largest value of the current and of the previous period: a windowed maximum in two numbers, for windows that move
 * by whole periods (draft-ietf-ccwg-bbr §5.5.6).
 */
export class TwoSlotMax {
  #current = 0
  #previous = 0

  get value(): number {
    return Math.max(this.#current, this.#previous)
  }

  update(value: number): void {
    if (value > this.#current) this.#current = value
  }

  /** A new period begins; what is older than the one that ends is forgotten. */
  advance(): void {
    this.#previous = this.#current
    this.#current = 0
  }

  reset(): void {
    this.#current = 0
    this.#previous = 0
  }
}
