/**
 * CUBIC (RFC 9438) in bytes, with slow start that ends early when the round trip grows (HyStart++, RFC 9406).
 */
import type { AckSample, CongestionController, LossSample } from './controller.js'

/** Packets of the initial window (RFC 9002 §7.2). */
const INITIAL_WINDOW_PACKETS = 10
const INITIAL_WINDOW_MIN_BYTES = 14_720
/** Packets of the smallest window (RFC 9002 §7.2). */
const MIN_WINDOW_PACKETS = 2
/** RFC 9438 §4.6 and §5. */
const BETA = 0.7
const CUBIC_C = 0.4
const ALPHA = (3 * (1 - BETA)) / (1 + BETA)
/** Pacing runs a little ahead of the window, and twice as fast while it doubles (RFC 9002 §7.7). */
const PACING_GAIN = 1.25
const PACING_GAIN_SLOW_START = 2
/** RFC 9406 §4.3. */
const HYSTART_MIN_THRESHOLD_US = 4000
const HYSTART_MAX_THRESHOLD_US = 16_000
const HYSTART_SAMPLES = 8
const HYSTART_GROWTH_DIVISOR = 4
const HYSTART_CONSERVATIVE_ROUNDS = 5
/** Largest window: beyond any path, and a bound on the arithmetic. */
const MAX_WINDOW_BYTES = 2 ** 30

export class Cubic implements CongestionController {
  #datagramBytes: number
  #cwndBytes = 0
  #ssthreshBytes = Number.POSITIVE_INFINITY
  /** Packets sent up to then belong to the last reduction. */
  #recoveryStartUs = -1

  /** Losses of the last reduction that may still turn out spurious, and what the window was before it. */
  #unprovenPackets = 0
  #priorCwndBytes = 0
  #priorSsthreshBytes = 0
  #priorWMaxBytes = 0

  #epochStartUs = -1
  #wMaxBytes = 0
  #kSeconds = 0
  #originBytes = 0
  #wEstBytes = 0

  #roundEnd = 0
  #roundMinRttUs = Number.POSITIVE_INFINITY
  #lastRoundMinRttUs = Number.POSITIVE_INFINITY
  #roundSamples = 0
  #baselineRttUs = Number.POSITIVE_INFINITY
  #conservativeRounds = 0

  constructor(datagramBytes: number) {
    this.#datagramBytes = datagramBytes
    this.reset()
  }

  get cwndBytes(): number {
    return this.#cwndBytes
  }

  get isHoldingBack(): boolean {
    return false
  }

  get isSlowStart(): boolean {
    return this.#cwndBytes < this.#ssthreshBytes
  }

  pacingRate(smoothedRttUs: number): number {
    const gain = this.isSlowStart ? PACING_GAIN_SLOW_START : PACING_GAIN
    return (gain * this.#cwndBytes * 1e6) / Math.max(smoothedRttUs, 1)
  }

  onSent(): void {
    // The window is moved by acknowledgements and losses alone.
  }

  onAck(sample: AckSample): void {
    if (sample.newestSentTimeUs <= this.#recoveryStartUs) return
    // A window that was not used says nothing about a larger one (RFC 9002 §7.8).
    const isUsed = this.isSlowStart
      ? 2 * sample.priorInFlightBytes >= this.#cwndBytes
      : sample.priorInFlightBytes >= this.#cwndBytes * 0.75
    if (this.isSlowStart) {
      this.#watchRtt(sample)
      if (!isUsed) return
      const divisor = this.#conservativeRounds > 0 ? HYSTART_GROWTH_DIVISOR : 1
      this.#setWindow(this.#cwndBytes + sample.ackedBytes / divisor)
    } else if (isUsed) {
      this.#avoidCongestion(sample)
    } else {
      // Time spent idle must not count as growth (RFC 9438 §5.8).
      this.#epochStartUs = -1
    }
  }

  onLoss(sample: LossSample): void {
    if (sample.newestSentTimeUs > this.#recoveryStartUs) {
      this.#recoveryStartUs = sample.nowUs
      this.#unprovenPackets = 0
      this.#priorCwndBytes = this.#cwndBytes
      this.#priorSsthreshBytes = this.#ssthreshBytes
      this.#priorWMaxBytes = this.#wMaxBytes
      // Fast convergence (RFC 9438 §4.7).
      this.#wMaxBytes = this.#cwndBytes < this.#wMaxBytes ? (this.#cwndBytes * (1 + BETA)) / 2 : this.#cwndBytes
      this.#ssthreshBytes = Math.max(this.#cwndBytes * BETA, this.#minimumBytes())
      this.#cwndBytes = this.#ssthreshBytes
      this.#epochStartUs = -1
      this.#conservativeRounds = 0
    }
    this.#unprovenPackets += sample.lostPackets
    if (sample.isPersistent) {
      this.#cwndBytes = this.#minimumBytes()
      this.#epochStartUs = -1
    }
  }

  /** When all that caused the last reduction was only late, the reduction is taken back (RFC 9438 §4.9.2). */
  onSpuriousLoss(packets: number): void {
    if (this.#unprovenPackets === 0) return
    this.#unprovenPackets = Math.max(0, this.#unprovenPackets - packets)
    if (this.#unprovenPackets > 0 || this.#priorCwndBytes <= this.#cwndBytes) return
    this.#cwndBytes = this.#priorCwndBytes
    this.#ssthreshBytes = this.#priorSsthreshBytes
    this.#wMaxBytes = this.#priorWMaxBytes
    this.#recoveryStartUs = -1
    this.#epochStartUs = -1
  }

  onDatagramBytes(datagramBytes: number): void {
    this.#datagramBytes = datagramBytes
    this.#cwndBytes = Math.max(this.#cwndBytes, this.#minimumBytes())
  }

  reset(): void {
    this.#cwndBytes = Math.max(INITIAL_WINDOW_PACKETS * this.#datagramBytes, INITIAL_WINDOW_MIN_BYTES)
    this.#ssthreshBytes = Number.POSITIVE_INFINITY
    this.#recoveryStartUs = -1
    this.#epochStartUs = -1
    this.#wMaxBytes = 0
    this.#unprovenPackets = 0
    this.#roundEnd = 0
    this.#roundMinRttUs = Number.POSITIVE_INFINITY
    this.#lastRoundMinRttUs = Number.POSITIVE_INFINITY
    this.#roundSamples = 0
    this.#conservativeRounds = 0
  }

  /** HyStart++: a round trip that grows means that the queue does (RFC 9406 §4.2). */
  #watchRtt(sample: AckSample): void {
    if (sample.newestPacketNumber >= this.#roundEnd) {
      this.#roundEnd = sample.nextPacketNumber
      this.#lastRoundMinRttUs = this.#roundMinRttUs
      this.#roundMinRttUs = Number.POSITIVE_INFINITY
      this.#roundSamples = 0
      if (this.#conservativeRounds > 0) {
        this.#conservativeRounds += 1
        if (this.#conservativeRounds > HYSTART_CONSERVATIVE_ROUNDS) this.#ssthreshBytes = this.#cwndBytes
      }
    }
    if (sample.latestRttUs < 0) return
    this.#roundMinRttUs = Math.min(this.#roundMinRttUs, sample.latestRttUs)
    this.#roundSamples += 1
    if (this.#roundSamples < HYSTART_SAMPLES || this.#lastRoundMinRttUs === Number.POSITIVE_INFINITY) return
    if (this.#conservativeRounds === 0) {
      const threshold = Math.min(
        HYSTART_MAX_THRESHOLD_US,
        Math.max(HYSTART_MIN_THRESHOLD_US, this.#lastRoundMinRttUs / 8),
      )
      if (this.#roundMinRttUs >= this.#lastRoundMinRttUs + threshold) {
        this.#baselineRttUs = this.#roundMinRttUs
        this.#conservativeRounds = 1
      }
    } else if (this.#roundMinRttUs < this.#baselineRttUs) {
      // The growth was noise: back to doubling.
      this.#conservativeRounds = 0
    }
  }

  #avoidCongestion(sample: AckSample): void {
    if (this.#epochStartUs < 0) {
      this.#epochStartUs = sample.nowUs
      this.#wEstBytes = this.#cwndBytes
      const missing = this.#wMaxBytes - this.#cwndBytes
      this.#originBytes = Math.max(this.#wMaxBytes, this.#cwndBytes)
      this.#kSeconds = missing > 0 ? Math.cbrt(missing / this.#datagramBytes / CUBIC_C) : 0
    }
    const seconds = (sample.nowUs - this.#epochStartUs + sample.smoothedRttUs) / 1e6 - this.#kSeconds
    const cubic = this.#originBytes + CUBIC_C * seconds ** 3 * this.#datagramBytes
    const target = Math.min(Math.max(cubic, this.#cwndBytes), 1.5 * this.#cwndBytes)
    // As fast as Reno at the least (RFC 9438 §4.3).
    const alpha = this.#wEstBytes < this.#wMaxBytes ? ALPHA : 1
    this.#wEstBytes += (alpha * this.#datagramBytes * sample.ackedBytes) / this.#cwndBytes
    const growth = ((target - this.#cwndBytes) * sample.ackedBytes) / this.#cwndBytes
    this.#setWindow(Math.max(this.#cwndBytes + growth, this.#wEstBytes))
  }

  #setWindow(bytes: number): void {
    this.#cwndBytes = Math.min(Math.max(bytes, this.#minimumBytes()), MAX_WINDOW_BYTES)
  }

  #minimumBytes(): number {
    return MIN_WINDOW_PACKETS * this.#datagramBytes
  }
}
