/**
 * The smallest round trip of the last 10 s, and when it has to be looked for by emptying the queue
 * (draft-ietf-ccwg-bbr §5.3.4.3).
 */
import { MIN_RTT_FILTER_US, PROBE_RTT_INTERVAL_US } from './bbrParameters.js'

/**
 * A sample within this of the minimum is one too: by this part of it, and by less than the drivers' timers can tell.
 */
const CLOSE_PART = 16
const CLOSE_MIN_US = 500

export class BbrMinRtt {
  #stampUs = -1
  #probeMinUs = Number.POSITIVE_INFINITY
  #probeStampUs = -1
  /** Microseconds; Infinity before the first sample. */
  minUs = Number.POSITIVE_INFINITY
  /** Whether the round trip has to be probed: no sample near the minimum for 5 s. */
  isProbeDue = false

  /**
   * @param rttUs - -1 where the ACK gave no sample.
   * @param knownUs - the smallest round trip of the connection, for a start.
   */
  onAck(nowUs: number, rttUs: number, knownUs: number): void {
    if (this.#stampUs < 0) {
      this.#stampUs = nowUs
      this.#probeStampUs = nowUs
      this.#probeMinUs = knownUs
      this.minUs = knownUs
    }
    this.isProbeDue = nowUs > this.#probeStampUs + PROBE_RTT_INTERVAL_US
    if (rttUs >= 0) {
      // A queue that empties by itself need not be emptied on purpose. The minimum itself stays as it is, so that it
      // cannot creep upwards.
      if (rttUs <= this.minUs + Math.max(this.minUs / CLOSE_PART, CLOSE_MIN_US)) {
        this.#stampUs = nowUs
        this.#probeStampUs = nowUs
        this.isProbeDue = false
      }
      if (rttUs < this.#probeMinUs || this.isProbeDue) {
        this.#probeMinUs = rttUs
        this.#probeStampUs = nowUs
      }
    }
    if (this.#probeMinUs < this.minUs || nowUs > this.#stampUs + MIN_RTT_FILTER_US) {
      this.minUs = this.#probeMinUs
      this.#stampUs = this.#probeStampUs
    }
  }

  /** The queue was emptied on purpose: the next time is 5 s away. */
  onProbed(nowUs: number): void {
    this.#probeStampUs = nowUs
  }

  reset(): void {
    this.#stampUs = -1
    this.#probeMinUs = Number.POSITIVE_INFINITY
    this.#probeStampUs = -1
    this.minUs = Number.POSITIVE_INFINITY
    this.isProbeDue = false
  }
}
