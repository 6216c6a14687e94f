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
/**
 * A burst begins when it is worth this time of the rate, but no more than one train carries: what is sent leaves in
 * trains at high rates, however often acknowledgements look in, and in single packets at low ones.
 */
const QUANTUM_US = 1000
const QUANTUM_MAX_BYTES = 65_536

export class Pacer {
  #tokensBytes = Number.POSITIVE_INFINITY
  #lastUs: number
  #rate = Number.POSITIVE_INFINITY
  #capacityBytes = Number.POSITIVE_INFINITY
  #limit: number
  /** Whether a burst is under way. */
  #isBursting = false

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
      // Only who waits for the timer can lose time by it: a window that opens again makes no larger burst.
      const heldUs = this.#isBursting ? BURST_US : BURST_US + LATENESS_US
      this.#capacityBytes = Math.max(perUs * heldUs, packets)
      const elapsedUs = Math.max(0, nowUs - this.#lastUs)
      this.#tokensBytes = Math.min(this.#capacityBytes, this.#tokensBytes + elapsedUs * perUs)
    }
    this.#lastUs = Math.max(this.#lastUs, nowUs)
  }

  /** Whether it is the fixed limit that holds packets back, rather than the controller. */
  get isLimited(): boolean {
    return this.#rate === this.#limit && this.#rate !== Number.POSITIVE_INFINITY
  }

  /** Whether a packet may leave now. */
  allows(sizeBytes: number): boolean {
    const wanted = this.#isBursting ? Math.min(sizeBytes, this.#capacityBytes) : this.#quantum(sizeBytes)
    this.#isBursting = this.#tokensBytes >= wanted
    return this.#isBursting
  }

  onSent(sizeBytes: number): void {
    this.#tokensBytes -= sizeBytes
  }

  /** When a packet that is not allowed now will be, a quantum's worth of them if possible. Later than `nowUs`. */
  nextUs(nowUs: number, sizeBytes: number): number {
    const perUs = this.#rate / 1e6
    const missing = this.#quantum(sizeBytes) - this.#tokensBytes
    return missing > 0 ? nowUs + Math.max(1, Math.ceil(missing / perUs) + 1) : nowUs + 1
  }

  /** Bytes that begin a burst. */
  #quantum(sizeBytes: number): number {
    const quantum = Math.min((this.#rate / 1e6) * QUANTUM_US, QUANTUM_MAX_BYTES)
    return Math.min(this.#capacityBytes, Math.max(sizeBytes, quantum))
  }
}
