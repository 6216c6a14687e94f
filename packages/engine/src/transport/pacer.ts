/**
 * Spreads packets over time: a token bucket in bytes, refilled by the time that really passed. A timer that comes late
 * by a few milliseconds loses no rate, because the bucket holds what these milliseconds earned.
 *
 * The rate is the controller's, capped by a fixed limit. Sources: RFC 9002 §7.7; quinn's pacer for the bounds.
 */

/** Microseconds of the rate that may leave at once. */
const BURST_US = 2000
/** Microseconds by which a timer may be late without loss of rate. */
const LATENESS_US = 4000
/** Packets that may leave at once at low rates, as far as they make no more than 10 ms of the rate. */
const BURST_PACKETS = 10
const BURST_PACKETS_MIN = 2
const BURST_PACKETS_MAX_US = 10_000
/** A wait is at least this long, so that one wake-up sends more than one packet. */
const QUANTUM_US = 1000

export class Pacer {
  #tokensBytes = Number.POSITIVE_INFINITY
  #lastUs: number
  #rate = Number.POSITIVE_INFINITY
  #capacityBytes = Number.POSITIVE_INFINITY
  #limit: number

  constructor(nowUs: number, limit: number) {
    this.#lastUs = nowUs
    this.#limit = limit
  }

  /** Bytes a second that are never exceeded. */
  setLimit(limit: number): void {
    this.#limit = limit
  }

  get limit(): number {
    return this.#limit
  }

  /** Bytes a second at present. */
  get rate(): number {
    return this.#rate
  }

  /** Earns what the time since the last call is worth. */
  refill(nowUs: number, controllerRate: number, datagramBytes: number): void {
    this.#rate = Math.min(controllerRate, this.#limit)
    if (this.#rate === Number.POSITIVE_INFINITY) {
      this.#tokensBytes = Number.POSITIVE_INFINITY
      this.#capacityBytes = Number.POSITIVE_INFINITY
    } else {
      const perUs = this.#rate / 1e6
      const packets = Math.min(
        BURST_PACKETS * datagramBytes,
        Math.max(BURST_PACKETS_MIN * datagramBytes, perUs * BURST_PACKETS_MAX_US),
      )
      this.#capacityBytes = Math.max(perUs * (BURST_US + LATENESS_US), packets)
      const elapsedUs = Math.max(0, nowUs - this.#lastUs)
      this.#tokensBytes = Math.min(this.#capacityBytes, this.#tokensBytes + elapsedUs * perUs)
    }
    this.#lastUs = Math.max(this.#lastUs, nowUs)
  }

  /** Whether a packet may leave now. */
  allows(sizeBytes: number): boolean {
    return this.#tokensBytes >= Math.min(sizeBytes, this.#capacityBytes)
  }

  onSent(sizeBytes: number): void {
    this.#tokensBytes -= sizeBytes
  }

  /** When a packet that is not allowed now will be, a quantum's worth of them if possible. Later than `nowUs`. */
  nextUs(nowUs: number, sizeBytes: number): number {
    const perUs = this.#rate / 1e6
    const wanted = Math.min(this.#capacityBytes, Math.max(sizeBytes, perUs * QUANTUM_US))
    const missing = wanted - this.#tokensBytes
    return missing > 0 ? nowUs + Math.max(1, Math.ceil(missing / perUs) + 1) : nowUs + 1
  }
}
