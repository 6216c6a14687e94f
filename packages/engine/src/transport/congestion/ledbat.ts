/**
 * LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus): a window that grows by a packet a round trip at the most and shrinks as
 * soon as a queue stands, so that whoever else sends has the path. Now and then it empties the path on purpose, to see
 * the round trip without a queue and to let others of its kind in.
 *
 * The target is lower than the draft's where the round trip is short, since a queue of 60 ms does not fit into many
 * buffers; and a loss without a queue is no sign of congestion while it is rare.
 */
import { BaseDelay } from './baseDelay.js'
import type { AckSample, CongestionController, LossSample } from './controller.js'

/** Packets and bytes of the initial window (RFC 9002 §7.2), packets of the smallest and of a slowed-down one. */
const INITIAL_WINDOW_PACKETS = 10
const INITIAL_WINDOW_MIN_BYTES = 14_720
const MIN_WINDOW_PACKETS = 2
const MAX_WINDOW_BYTES = 2 ** 30
/** TARGET: queueing delay that is aimed at, at the most, at the least, and as a part of the round trip in between. */
const TARGET_MAX_US = 60_000
const TARGET_MIN_US = 4000
const TARGET_RTT_PART = 4
/** §4.1: the share of Reno's growth is 1 / min(16, ⌈2 · TARGET / base⌉), of the draft's TARGET. */
const GAIN_DIVISOR_MAX = 16
/** §4.2: of one round trip's decrease. */
const DECREASE_CONSTANT = 1
/** §4.3: part of the target at which the first slow start ends. */
const SLOW_START_EXIT = 3 / 4
/** §4.4: round trips after the first slow start until the first slowdown, round trips that one lasts, pauses between. */
const FIRST_SLOWDOWN_ROUNDS = 2
const SLOWDOWN_ROUNDS = 2
const SLOWDOWN_PAUSE_FACTOR = 9
/** A loss halves the window. */
const LOSS_FACTOR = 1 / 2
/**
 * Losses below this share, and below four standard deviations more, are the path's own while the queue is shorter than
 * this part of the target.
 */
const RANDOM_LOSS_SHARE = 0.02
const RANDOM_LOSS_DEVIATIONS = 4
const RANDOM_LOSS_QUEUE = 1 / 4
const PACING_GAIN = 1.25
const PACING_GAIN_SLOW_START = 2

export class Ledbat implements CongestionController {
  readonly #delay = new BaseDelay()
  #datagramBytes: number
  #cwndBytes = 0
  #ssthreshBytes = Number.POSITIVE_INFINITY
  #smoothedRttUs = 0
  /** Packets sent up to then belong to the last reduction. */
  #recoveryStartUs = -1
  #priorCwndBytes = 0
  #unprovenPackets = 0
  #wasInitialSlowStart = false
  /** When the next slowdown begins; Infinity while none is planned. */
  #slowdownAtUs = Number.POSITIVE_INFINITY
  /** When the one under way began, -1 for none, and until when it stays at its smallest. */
  #slowdownStartUs = -1
  #frozenUntilUs = 0
  /** Bytes delivered and lost since the losses were last judged. */
  #judgedDelivered = 0
  #lostBytes = 0

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
    const { nowUs } = sample
    this.#smoothedRttUs = sample.smoothedRttUs
    if (sample.latestRttUs >= 0) this.#delay.onSample(nowUs, sample.latestRttUs)
    if (nowUs >= this.#slowdownAtUs) this.#slowDown(nowUs)
    if (nowUs < this.#frozenUntilUs || sample.newestSentTimeUs <= this.#recoveryStartUs) return
    const { queueUs } = this.#delay
    const targetUs = this.#targetUs()
    if (this.isSlowStart) {
      if (!this.#wasInitialSlowStart && queueUs > SLOW_START_EXIT * targetUs) {
        this.#ssthreshBytes = this.#cwndBytes
        this.#endSlowStart(nowUs)
        return
      }
      if (2 * sample.priorInFlightBytes < this.#cwndBytes) return
      this.#setWindow(Math.min(this.#cwndBytes + sample.ackedBytes * this.#gain(), this.#ssthreshBytes))
      if (!this.isSlowStart) this.#endSlowStart(nowUs)
      return
    }
    // A window that is not used does not grow, but it gives way.
    const isUsed = sample.priorInFlightBytes >= this.#cwndBytes * 0.75
    const growth = isUsed ? (this.#gain() * this.#datagramBytes * sample.ackedBytes) / this.#cwndBytes : 0
    const excess = Math.max(0, queueUs / targetUs - 1)
    const decrease = Math.min(sample.ackedBytes * DECREASE_CONSTANT * excess, sample.ackedBytes / 2)
    this.#setWindow(this.#cwndBytes + growth - decrease)
    // What gave way does not climb back as after a slowdown.
    this.#ssthreshBytes = Math.min(this.#ssthreshBytes, this.#cwndBytes)
  }

  onLoss(sample: LossSample): void {
    this.#lostBytes += sample.lostBytes
    if (sample.newestSentTimeUs > this.#recoveryStartUs && !this.#isRandom(sample)) {
      this.#recoveryStartUs = sample.nowUs
      this.#priorCwndBytes = this.#cwndBytes
      this.#unprovenPackets = 0
      this.#setWindow(this.#cwndBytes * LOSS_FACTOR)
      this.#ssthreshBytes = this.#cwndBytes
      this.#endSlowStart(sample.nowUs)
    }
    this.#unprovenPackets += sample.lostPackets
    if (!sample.isPersistent) return
    this.#setWindow(0)
    this.#ssthreshBytes = Math.max(this.#ssthreshBytes, this.#cwndBytes)
  }

  /** When all that caused the last reduction was only late, the reduction is taken back. */
  onSpuriousLoss(packets: number): void {
    if (this.#unprovenPackets === 0) return
    this.#unprovenPackets = Math.max(0, this.#unprovenPackets - packets)
    if (this.#unprovenPackets > 0 || this.#priorCwndBytes <= this.#cwndBytes) return
    this.#setWindow(this.#priorCwndBytes)
    this.#ssthreshBytes = this.#cwndBytes
    this.#recoveryStartUs = -1
  }

  onDatagramBytes(datagramBytes: number): void {
    this.#datagramBytes = datagramBytes
    this.#setWindow(this.#cwndBytes)
  }

  reset(): void {
    this.#delay.reset()
    this.#cwndBytes = Math.max(INITIAL_WINDOW_PACKETS * this.#datagramBytes, INITIAL_WINDOW_MIN_BYTES)
    this.#ssthreshBytes = Number.POSITIVE_INFINITY
    this.#smoothedRttUs = 0
    this.#recoveryStartUs = -1
    this.#priorCwndBytes = 0
    this.#unprovenPackets = 0
    this.#wasInitialSlowStart = false
    this.#slowdownAtUs = Number.POSITIVE_INFINITY
    this.#slowdownStartUs = -1
    this.#frozenUntilUs = 0
    this.#judgedDelivered = 0
    this.#lostBytes = 0
  }

  #targetUs(): number {
    return Math.min(TARGET_MAX_US, Math.max(TARGET_MIN_US, this.#delay.baseUs / TARGET_RTT_PART))
  }

  #gain(): number {
    return 1 / Math.min(GAIN_DIVISOR_MAX, Math.ceil((2 * TARGET_MAX_US) / this.#delay.baseUs))
  }

  /** Rare losses while no queue stands; the share is that of at least one window. */
  #isRandom(sample: LossSample): boolean {
    const bytes = sample.deliveredBytes - this.#judgedDelivered + this.#lostBytes
    const expected = RANDOM_LOSS_SHARE * bytes
    const deviation = Math.sqrt(expected * this.#datagramBytes)
    const isRare = this.#lostBytes <= expected + RANDOM_LOSS_DEVIATIONS * deviation
    if (bytes > this.#cwndBytes) {
      this.#judgedDelivered = sample.deliveredBytes
      this.#lostBytes = 0
    }
    return isRare && this.#delay.queueUs < RANDOM_LOSS_QUEUE * this.#targetUs()
  }

  /** The window has reached what it is held at: slowdowns are planned from here. */
  #endSlowStart(nowUs: number): void {
    if (!this.#wasInitialSlowStart) {
      this.#wasInitialSlowStart = true
      this.#slowdownAtUs = nowUs + FIRST_SLOWDOWN_ROUNDS * this.#smoothedRttUs
    } else if (this.#slowdownStartUs >= 0) {
      // So long that slowdowns take a tenth of the time.
      this.#slowdownAtUs = nowUs + SLOWDOWN_PAUSE_FACTOR * (nowUs - this.#slowdownStartUs)
      this.#slowdownStartUs = -1
    }
  }

  #slowDown(nowUs: number): void {
    this.#slowdownAtUs = Number.POSITIVE_INFINITY
    this.#slowdownStartUs = nowUs
    this.#ssthreshBytes = this.#cwndBytes
    this.#setWindow(0)
    this.#frozenUntilUs = nowUs + SLOWDOWN_ROUNDS * this.#smoothedRttUs
    // A window that is at its smallest has nothing to climb.
    if (!this.isSlowStart) this.#endSlowStart(this.#frozenUntilUs)
  }

  #setWindow(bytes: number): void {
    const least = MIN_WINDOW_PACKETS * this.#datagramBytes
    this.#cwndBytes = Math.min(Math.max(bytes, least), MAX_WINDOW_BYTES)
  }
}
