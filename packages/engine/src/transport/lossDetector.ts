/**
 * Which packets are lost (RFC 9002 §6.1): those far enough behind the largest acknowledged one, in numbers or in time.
 *
 * Both thresholds adapt (the idea is RACK's, RFC 8985 §6.2): an acknowledgement of a packet that was already declared
 * lost raises them, 16 round trips without one lower them again.
 */
import { GRANULARITY_US, type RttEstimator } from './rttEstimator.js'
import { PACKET_ACKED, PACKET_IN_FLIGHT, type RecordListener, type SentPackets } from './sentPackets.js'

const REORDERING_MIN_PACKETS = 3
/** A path that overtakes by more is judged by time alone. */
const REORDERING_MAX_PACKETS = 1024
const CLEAN_ROUNDS = 16
const TIME_THRESHOLD_MIN = 9 / 8
const TIME_THRESHOLD_MAX = 2
const TIME_RESOLUTION = 1 / 32
const PERSISTENT_CONGESTION_PTOS = 3
/** Lost packets remembered for finding out that they were only late. */
const REMEMBERED = 1024

export class LossDetector {
  readonly #packets: SentPackets
  readonly #rtt: RttEstimator
  /** Numbers of packets declared lost, newest last, in a ring; -1 where it was found to be late. */
  readonly #remembered = new Float64Array(REMEMBERED).fill(-1)
  #rememberedCount = 0
  #cleanUntilUs = Number.POSITIVE_INFINITY

  /** Packets behind the largest acknowledged one that make a loss. */
  reorderingPackets = REORDERING_MIN_PACKETS
  /** Round trips after which a packet is lost. */
  timeThreshold = TIME_THRESHOLD_MIN
  /** The largest packet number that was acknowledged; -1 before the first. */
  largestAcked = -1
  /** When the next packet is lost by time; Infinity for never. */
  lossTimeUs = Number.POSITIVE_INFINITY

  /** Of the last `detect`. */
  lostPackets = 0
  lostBytes = 0
  newestLostSentTimeUs = 0
  /** The newest of them, -1 for none, and how many stretches of neighbours they form. */
  newestLost = -1
  lostRanges = 0
  isPersistent = false

  constructor(packets: SentPackets, rtt: RttEstimator) {
    this.#packets = packets
    this.#rtt = rtt
  }

  /** Declares packets lost; what they carried goes to `listener`. True when there were any. */
  detect(nowUs: number, peerMaxAckDelayUs: number, listener: RecordListener): boolean {
    this.lossTimeUs = Number.POSITIVE_INFINITY
    this.lostPackets = 0
    this.lostBytes = 0
    this.newestLostSentTimeUs = 0
    this.newestLost = -1
    this.lostRanges = 0
    this.isPersistent = false
    const packets = this.#packets
    const delayUs = Math.ceil(Math.max(this.timeThreshold * this.#roundTripUs, GRANULARITY_US))
    const persistentUs = this.#rtt.ptoUs(peerMaxAckDelayUs) * PERSISTENT_CONGESTION_PTOS
    let runStartUs = -1
    for (let packet = packets.lowest; packet < this.largestAcked; packet++) {
      const state = packets.stateOf(packet)
      if (state === PACKET_ACKED) runStartUs = -1
      if (state !== PACKET_IN_FLIGHT) continue
      const sentTimeUs = packets.sentTimeOf(packet)
      if (this.largestAcked - packet < this.reorderingPackets && sentTimeUs + delayUs > nowUs) {
        // Both conditions grow with age: what was sent later is not lost either.
        this.lossTimeUs = sentTimeUs + delayUs
        break
      }
      this.lostPackets += 1
      this.lostBytes += packets.sizeOf(packet)
      this.newestLostSentTimeUs = sentTimeUs
      if (this.newestLost < 0 || packet !== this.newestLost + 1) this.lostRanges += 1
      this.newestLost = packet
      if (runStartUs < 0) runStartUs = sentTimeUs
      else if (this.#rtt.hasSample && sentTimeUs - runStartUs > persistentUs) this.isPersistent = true
      packets.markLost(packet, listener)
      this.#remembered[this.#rememberedCount % REMEMBERED] = packet
      this.#rememberedCount += 1
    }
    packets.advance()
    return this.lostPackets > 0
  }

  /**
   * Looks for packets in `ranges` (pairs [start, end), newest first) that had been declared lost and were only late;
   * returns how many there are.
   */
  checkLate(nowUs: number, ranges: Float64Array, rangeCount: number): number {
    let late = 0
    if (nowUs >= this.#cleanUntilUs) {
      this.reorderingPackets = Math.max(REORDERING_MIN_PACKETS, Math.floor(this.reorderingPackets / 2))
      this.timeThreshold = (this.timeThreshold + TIME_THRESHOLD_MIN) / 2
      if (this.timeThreshold < TIME_THRESHOLD_MIN + TIME_RESOLUTION) this.timeThreshold = TIME_THRESHOLD_MIN
      this.#rearm(nowUs)
    }
    const oldestAcked = ranges[2 * rangeCount - 2] ?? 0
    const forgotten = Math.max(0, this.#rememberedCount - REMEMBERED)
    for (let i = this.#rememberedCount - 1; i >= forgotten; i--) {
      const packet = this.#remembered[i % REMEMBERED] ?? -1
      if (packet < 0) continue
      // They were lost in the order of their numbers: what follows is older still.
      if (packet < oldestAcked) break
      if (!isIn(packet, ranges, rangeCount)) continue
      this.#remembered[i % REMEMBERED] = -1
      late += 1
      this.reorderingPackets = Math.min(
        REORDERING_MAX_PACKETS,
        Math.max(this.reorderingPackets, this.largestAcked - packet + 1),
      )
      // The samples of the round trip are those of the newest packets, which overtook: the others take longer.
      const roundTrips = (nowUs - this.#packets.sentTimeOf(packet)) / Math.max(this.#roundTripUs, 1)
      this.timeThreshold = Math.max(this.timeThreshold, Math.min(roundTrips, TIME_THRESHOLD_MAX))
      this.#rearm(nowUs)
    }
    return late
  }

  /** Another path: what was late there says nothing here. */
  reset(): void {
    this.reorderingPackets = REORDERING_MIN_PACKETS
    this.timeThreshold = TIME_THRESHOLD_MIN
    this.lossTimeUs = Number.POSITIVE_INFINITY
    this.#remembered.fill(-1)
    this.#rememberedCount = 0
    this.#cleanUntilUs = Number.POSITIVE_INFINITY
  }

  get #roundTripUs(): number {
    return Math.max(this.#rtt.latestUs, this.#rtt.smoothedUs)
  }

  #rearm(nowUs: number): void {
    const isRaised = this.reorderingPackets > REORDERING_MIN_PACKETS || this.timeThreshold > TIME_THRESHOLD_MIN
    this.#cleanUntilUs = isRaised ? nowUs + CLEAN_ROUNDS * this.#rtt.smoothedUs : Number.POSITIVE_INFINITY
  }
}

const isIn = (packet: number, ranges: Float64Array, rangeCount: number): boolean => {
  for (let i = 0; i < rangeCount; i++) {
    if (packet >= (ranges[2 * i + 1] ?? 0)) return false
    if (packet >= (ranges[2 * i] ?? 0)) return true
  }
  return false
}
