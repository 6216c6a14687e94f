/**
 * The last words of a connection that we ended: CLOSE is said three times, a probe timeout apart, since nobody
 * acknowledges it, and in answer to the 1st, 2nd, 4th, 8th … packet that still comes (RFC 9000 §10.2.1).
 */

const CLOSE_PACKETS = 3

export class Closing {
  readonly #intervalUs: number
  #left = CLOSE_PACKETS
  #isPending = true
  #packetsSince = 0

  /** The number in the CLOSE frame. */
  readonly number: number
  /** When the next CLOSE is due, or, after the last, when the connection has nothing left to do. */
  nextUs: number

  constructor(nowUs: number, number: number, intervalUs: number) {
    this.nextUs = nowUs
    this.number = number
    this.#intervalUs = intervalUs
  }

  /** An authentic packet came all the same. */
  onPacket(): void {
    this.#packetsSince += 1
    if ((this.#packetsSince & (this.#packetsSince - 1)) === 0) this.#isPending = true
  }

  /** The time `nextUs` has come. False when everything was said. */
  onTimeout(nowUs: number): boolean {
    if (nowUs < this.nextUs) return true
    this.#isPending = true
    return this.#left > 0
  }

  /** Whether a CLOSE is to leave now; counts it as said. */
  take(nowUs: number): boolean {
    if (!this.#isPending) return false
    this.#isPending = false
    if (nowUs >= this.nextUs) {
      this.#left -= 1
      this.nextUs = nowUs + this.#intervalUs
    }
    return true
  }
}
