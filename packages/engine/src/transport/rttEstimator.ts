/** Round-trip time of a path, microseconds (RFC 9002 §5). */

/** Granularity of the timers (RFC 9002 §6.1.2). */
export const GRANULARITY_US = 1000
/** Round trip assumed before the first sample (RFC 9002 §6.2.2). */
export const INITIAL_RTT_US = 333_000

export class RttEstimator {
  latestUs = INITIAL_RTT_US
  smoothedUs = INITIAL_RTT_US
  varianceUs = INITIAL_RTT_US / 2
  /** The smallest sample; Infinity before the first. */
  minUs = Number.POSITIVE_INFINITY
  /** Whether a sample was taken. */
  hasSample = false

  /** Takes a sample. `ackDelayUs` is what the peer says it waited, cut to what it may wait. */
  update(latestUs: number, ackDelayUs: number): void {
    this.latestUs = latestUs
    this.minUs = Math.min(this.minUs, latestUs)
    if (!this.hasSample) {
      this.hasSample = true
      this.smoothedUs = latestUs
      this.varianceUs = latestUs / 2
      return
    }
    const adjustedUs = latestUs >= this.minUs + ackDelayUs ? latestUs - ackDelayUs : latestUs
    this.varianceUs = 0.75 * this.varianceUs + 0.25 * Math.abs(this.smoothedUs - adjustedUs)
    this.smoothedUs = 0.875 * this.smoothedUs + 0.125 * adjustedUs
  }

  /** Forgets everything: another path. */
  reset(): void {
    this.latestUs = INITIAL_RTT_US
    this.smoothedUs = INITIAL_RTT_US
    this.varianceUs = INITIAL_RTT_US / 2
    this.minUs = Number.POSITIVE_INFINITY
    this.hasSample = false
  }

  /** Probe timeout without backoff (RFC 9002 §6.2.1). */
  ptoUs(peerMaxAckDelayUs: number): number {
    return Math.ceil(this.smoothedUs + Math.max(4 * this.varianceUs, GRANULARITY_US) + peerMaxAckDelayUs)
  }
}
