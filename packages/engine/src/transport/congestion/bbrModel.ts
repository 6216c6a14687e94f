/**
 * BBR's model of the path (draft-ietf-ccwg-bbr §2.9, §5.5): how fast it delivers, how much it holds, how far away its
 * end is, what it loses by itself. The long-term half remembers what probes found; the short-term half follows losses
 * outside of probes until the next one.
 */
import { BbrAggregation } from './bbrAggregation.js'
import { BbrLossRound } from './bbrLossRound.js'
import { BbrMinRtt } from './bbrMinRtt.js'
import {
  BETA,
  FOLLOW_LEAST,
  HEADROOM,
  INITIAL_WINDOW_MIN_BYTES,
  INITIAL_WINDOW_PACKETS,
  LOSS_DEVIATIONS,
  type LossTolerance,
  MIN_PIPE_PACKETS,
  SHORT_QUEUE_RTT_PART,
  SHORT_QUEUE_US,
} from './bbrParameters.js'
import { BbrRandomLoss } from './bbrRandomLoss.js'
import { BbrRounds } from './bbrRounds.js'
import type { AckSample } from './controller.js'
import { TwoSlotMax } from './twoSlotMax.js'

/** A burst is at most what one train carries, and what the rate makes of this time. */
const QUANTUM_MAX_BYTES = 65_536
const QUANTUM_MIN_PACKETS = 2
const QUANTUM_US = 1000
/** By so much a driver's timer may be late; what is in flight has to last as long. */
const TIMER_US = 1000

export class BbrModel {
  readonly rounds = new BbrRounds()
  readonly loss = new BbrLossRound()
  readonly #minRtt = new BbrMinRtt()
  readonly #aggregation = new BbrAggregation()
  readonly #randomLoss: BbrRandomLoss
  readonly #tolerance: LossTolerance
  /** Delivery rates of the current and of the previous cycle of probing, bytes a second. */
  readonly #maxRate = new TwoSlotMax()

  datagramBytes: number
  /** Bytes delivered on this connection so far; -1 before the first ACK on this path. */
  deliveredBytes = -1
  /** Delivery rate of the ACK under way, bytes a second; 0 where it gave no sample. */
  sampleRate = 0
  #firstDelivered = 0
  #smoothedRttUs = 0
  /** Smallest round trip of this round and of the last one; -1 where there was no sample. */
  #roundRttUs = -1
  #lastRoundRttUs = -1

  rateShortterm = Number.POSITIVE_INFINITY
  inflightShorttermBytes = Number.POSITIVE_INFINITY
  /** What a probe found to be too much; Infinity before that. */
  inflightLongtermBytes = Number.POSITIVE_INFINITY
  #undoRateShortterm = Number.POSITIVE_INFINITY
  #undoInflightShorttermBytes = Number.POSITIVE_INFINITY
  #undoInflightLongtermBytes = Number.POSITIVE_INFINITY

  /** @param tolerance - how much loss is no sign of congestion. */
  constructor(datagramBytes: number, tolerance: LossTolerance) {
    this.datagramBytes = datagramBytes
    this.#tolerance = tolerance
    this.#randomLoss = new BbrRandomLoss(tolerance.shareWithoutQueue)
  }

  get maxRate(): number {
    return this.#maxRate.value
  }

  /** What the path is taken to deliver, bytes a second; 0 before the first sample. */
  get rate(): number {
    return Math.min(this.#maxRate.value, this.rateShortterm)
  }

  /** Microseconds; Infinity before the first sample. */
  get minRttUs(): number {
    return this.#minRtt.minUs
  }

  get isMinRttProbeDue(): boolean {
    return this.#minRtt.isProbeDue
  }

  /** Whether less than the first window was delivered: the estimates are not worth much yet. */
  get isNew(): boolean {
    return this.deliveredBytes - this.#firstDelivered < this.initialWindowBytes
  }

  get initialWindowBytes(): number {
    return Math.max(INITIAL_WINDOW_PACKETS * this.datagramBytes, INITIAL_WINDOW_MIN_BYTES)
  }

  get minimumBytes(): number {
    return MIN_PIPE_PACKETS * this.datagramBytes
  }

  /** What has to be sent for each byte that is to be delivered: more than one where the path loses by itself. */
  get sentPerDelivered(): number {
    return 1 / (1 - this.#randomLoss.share)
  }

  /** What is in flight where the rate is right and no queue stands; the first window before there is a sample. */
  get bdpBytes(): number {
    if (this.minRttUs === Number.POSITIVE_INFINITY) return this.initialWindowBytes
    return (this.rate * this.minRttUs * this.sentPerDelivered) / 1e6
  }

  /** Volume that `gain` products of rate and round trip make, and what bursts and late timers take on top. */
  inflightBytes(gain: number): number {
    return Math.max(gain * this.bdpBytes, this.minimumBytes) + this.#budgetBytes()
  }

  /** As `inflightBytes`, and what bursts of acknowledgements take. */
  maxInflightBytes(gain: number): number {
    return this.inflightBytes(gain) + this.#aggregation.extraAckedBytes
  }

  /** `inflightLongterm` less what is left free for others. */
  get inflightWithHeadroomBytes(): number {
    const longterm = this.inflightLongtermBytes
    if (longterm === Number.POSITIVE_INFINITY) return longterm
    return Math.max(longterm - Math.max(this.datagramBytes, HEADROOM * longterm), this.minimumBytes)
  }

  /** Whether so much loss says that there was too much in flight. */
  isTooHigh(lostBytes: number, inFlightBytes: number): boolean {
    const { share, shareWithoutQueue } = this.#tolerance
    if (lostBytes <= inFlightBytes * (this.#randomLoss.share + share)) return false
    if (!this.isQueueShort) return true
    const packets = inFlightBytes / this.datagramBytes
    const deviation = Math.sqrt(packets * shareWithoutQueue * (1 - shareWithoutQueue)) * this.datagramBytes
    return lostBytes > inFlightBytes * shareWithoutQueue + LOSS_DEVIATIONS * deviation
  }

  /** Whether packets find the bottleneck free, as far as round trips can tell. */
  get isQueueShort(): boolean {
    return this.#smoothedRttUs - this.minRttUs <= this.#shortQueueUs
  }

  /** Whether nothing has to be drained, as far as the drivers' timers let it be seen. */
  get isQueueEmpty(): boolean {
    return this.#smoothedRttUs - this.minRttUs <= Math.max(TIMER_US, this.minRttUs / SHORT_QUEUE_RTT_PART)
  }

  /** Whether a queue stood all through the last round. */
  get isQueueStanding(): boolean {
    return this.#lastRoundRttUs >= 0 && this.#lastRoundRttUs - this.minRttUs > this.#shortQueueUs
  }

  /**
   * Keeps to what is delivered now, less the margin, until the next probe: the queue gets shorter. Not below a part of
   * the estimate, since who fills the buffer until it overflows would else take everything.
   */
  followDelivery(): void {
    this.rateShortterm = Math.max(this.loss.latestRate, FOLLOW_LEAST * this.maxRate)
  }

  /** Losses; true when they are the first of a round. */
  onLoss(lostBytes: number, lostRanges: number, deliveredBytes: number): boolean {
    this.#randomLoss.onLoss(lostBytes)
    return this.loss.onLoss(lostBytes, lostRanges, deliveredBytes)
  }

  /** The volume at which losses became too many, of a group of `lostBytes` lost packets (§5.5.10.2). */
  inflightAtLoss(sentInFlightBytes: number, lostSinceSentBytes: number, lostBytes: number): number {
    const share = this.#randomLoss.share + this.#tolerance.share
    const inFlightBefore = sentInFlightBytes - lostBytes
    const lostBefore = lostSinceSentBytes - lostBytes
    return inFlightBefore + Math.max(0, (share * inFlightBefore - lostBefore) / (1 - share))
  }

  /** Takes what an ACK says, before the state machine looks at it. */
  onAck(sample: AckSample, cwndBytes: number, isStartup: boolean): void {
    if (this.deliveredBytes < 0) {
      this.#firstDelivered = sample.deliveredBytes - sample.ackedBytes
      this.loss.reset(this.#firstDelivered)
      this.#randomLoss.reset(this.#firstDelivered)
    }
    const rate = sample.sampleIntervalUs > 0 ? (sample.sampleBytes * 1e6) / sample.sampleIntervalUs : 0
    this.sampleRate = rate
    this.deliveredBytes = sample.deliveredBytes
    this.#smoothedRttUs = sample.smoothedRttUs
    this.loss.onAck(rate, sample.sampleBytes, sample.priorDeliveredBytes, sample.deliveredBytes)
    this.rounds.onAck(sample.priorDeliveredBytes, sample.deliveredBytes)
    if (this.rounds.isStart) this.#randomLoss.onRoundEnd(sample.nowUs, sample.deliveredBytes, this.isQueueShort)
    if (this.rounds.isStart) {
      this.#lastRoundRttUs = this.#roundRttUs
      this.#roundRttUs = -1
    }
    const rttUs = sample.latestRttUs
    if (rttUs >= 0 && (this.#roundRttUs < 0 || rttUs < this.#roundRttUs)) this.#roundRttUs = rttUs
    // What the application limited counts only where it is the largest nevertheless.
    if (rate > 0 && (rate >= this.maxRate || !sample.isAppLimited)) this.#maxRate.update(rate)
    this.#aggregation.onAck(sample.nowUs, sample.ackedBytes, this.maxRate, cwndBytes, this.rounds.isStart, isStartup)
  }

  onRtt(sample: AckSample): void {
    this.#minRtt.onAck(sample.nowUs, sample.latestRttUs, sample.minRttUs)
  }

  /** The queue was emptied on purpose. */
  onRttProbed(nowUs: number): void {
    this.#minRtt.onProbed(nowUs)
  }

  onIdleRestart(nowUs: number): void {
    this.#aggregation.restart(nowUs)
  }

  /** A cycle of probing is over. */
  advanceCycle(): void {
    this.#maxRate.advance()
  }

  /** A round outside of probes lost too much: towards what was delivered in it, by three tenths at the most. */
  lowerShortTerm(cwndBytes: number): void {
    if (this.rateShortterm === Number.POSITIVE_INFINITY) this.rateShortterm = this.maxRate
    if (this.inflightShorttermBytes === Number.POSITIVE_INFINITY) this.inflightShorttermBytes = cwndBytes
    this.rateShortterm = Math.max(this.loss.latestRate, BETA * this.rateShortterm)
    this.inflightShorttermBytes = Math.max(this.loss.latestInflightBytes, BETA * this.inflightShorttermBytes)
  }

  forgetShortTerm(): void {
    this.rateShortterm = Number.POSITIVE_INFINITY
    this.inflightShorttermBytes = Number.POSITIVE_INFINITY
  }

  /** Before the first loss of a round: it may turn out that nothing was lost. */
  save(): void {
    this.#undoRateShortterm = this.rateShortterm
    this.#undoInflightShorttermBytes = this.inflightShorttermBytes
    this.#undoInflightLongtermBytes = this.inflightLongtermBytes
  }

  /** Nothing was lost. */
  undo(): void {
    this.loss.restart()
    this.rateShortterm = Math.max(this.rateShortterm, this.#undoRateShortterm)
    this.inflightShorttermBytes = Math.max(this.inflightShorttermBytes, this.#undoInflightShorttermBytes)
    this.inflightLongtermBytes = Math.max(this.inflightLongtermBytes, this.#undoInflightLongtermBytes)
  }

  reset(): void {
    this.rounds.reset()
    this.loss.reset(0)
    this.#randomLoss.reset(0)
    this.#minRtt.reset()
    this.#aggregation.reset()
    this.#maxRate.reset()
    this.deliveredBytes = -1
    this.sampleRate = 0
    this.#firstDelivered = 0
    this.#smoothedRttUs = 0
    this.#roundRttUs = -1
    this.#lastRoundRttUs = -1
    this.forgetShortTerm()
    this.inflightLongtermBytes = Number.POSITIVE_INFINITY
    this.save()
  }

  get #shortQueueUs(): number {
    return Math.max(SHORT_QUEUE_US, this.minRttUs / SHORT_QUEUE_RTT_PART)
  }

  /** One burst, and what the driver's timer may be late by. */
  #budgetBytes(): number {
    const { rate } = this
    const quantum = Math.min(
      Math.max((rate * QUANTUM_US) / 1e6, QUANTUM_MIN_PACKETS * this.datagramBytes),
      QUANTUM_MAX_BYTES,
    )
    return quantum + (rate * TIMER_US) / 1e6
  }
}
