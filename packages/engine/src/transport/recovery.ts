/**
 * Everything that acknowledgements drive: what is in flight, the round trip, losses, the probe timeout (RFC 9002) and
 * what the congestion controller is told. It decides that something is lost; what is then sent again is decided by the
 * `RecordListener`.
 */
import type { FrameReader } from '@godwit/protocol/frames'
import { type CongestionController, emptyAckSample, emptyLossSample } from './congestion/controller.js'
import { DeliveryRate } from './deliveryRate.js'
import { LossDetector } from './lossDetector.js'
import { RttEstimator } from './rttEstimator.js'
import { PACKET_IN_FLIGHT, type RecordListener, SentPackets } from './sentPackets.js'

/** Probes sent at one probe timeout (RFC 9002 §6.2.4). */
const PTO_PROBES = 2
/** The backoff doubles at most this often, and a timeout is at most this long unless the path itself is slower. */
const PTO_BACKOFF_MAX = 6
const PTO_MAX_US = 2_000_000

export class Recovery {
  readonly packets: SentPackets
  readonly rtt = new RttEstimator()
  readonly deliveryRate = new DeliveryRate()
  readonly detector: LossDetector
  readonly #controller: CongestionController
  readonly #listener: RecordListener
  readonly #ackSample = emptyAckSample()
  readonly #lossSample = emptyLossSample()
  #ptoBaseUs = 0

  bytesInFlight = 0
  packetsLost = 0
  bytesLost = 0
  /** Probe timeouts since the last acknowledgement. */
  ptoCount = 0
  /** Packets that may leave now whatever the congestion window says. */
  probesToSend = 0

  constructor(controller: CongestionController, listener: RecordListener, inFlightMaxPackets: number) {
    this.packets = new SentPackets(inFlightMaxPackets)
    this.detector = new LossDetector(this.packets, this.rtt)
    this.#controller = controller
    this.#listener = listener
  }

  /** Notes an ack-eliciting packet; its records were added before. */
  onSent(nowUs: number, sizeBytes: number): void {
    const rate = this.deliveryRate
    rate.onSend(nowUs, this.packets.inFlight)
    this.bytesInFlight += sizeBytes
    this.packets.onSent(
      nowUs,
      sizeBytes,
      rate.delivered,
      rate.deliveredTimeUs,
      rate.firstSentTimeUs,
      rate.isAppLimited,
      this.bytesInFlight,
      this.bytesLost,
    )
    this.#ptoBaseUs = nowUs
    if (this.probesToSend > 0) this.probesToSend -= 1
    this.#controller.onSent(nowUs, sizeBytes, this.bytesInFlight, rate.isAppLimited)
  }

  /**
   * An ACK frame. False when it acknowledges a packet that was never sent.
   *
   * @param peerMaxAckDelayUs - what the peer may wait before it acknowledges.
   */
  onAck(nowUs: number, ack: FrameReader, peerMaxAckDelayUs: number): boolean {
    const { packets, detector, rtt, deliveryRate } = this
    const largest = (ack.ranges[1] ?? 0) - 1
    if (largest >= packets.next) return false
    const priorInFlight = this.bytesInFlight
    const sample = this.#ackSample
    sample.ackedBytes = 0
    sample.newestPacketNumber = -1
    sample.latestRttUs = -1
    deliveryRate.startAck()
    let newestLostBytes = 0
    for (let i = 0; i < ack.rangeCount; i++) {
      const end = ack.ranges[2 * i + 1] ?? 0
      if (end <= packets.lowest) break
      for (let packet = Math.max(ack.ranges[2 * i] ?? 0, packets.lowest); packet < end; packet++) {
        if (packets.stateOf(packet) !== PACKET_IN_FLIGHT) continue
        const size = packets.sizeOf(packet)
        this.bytesInFlight -= size
        sample.ackedBytes += size
        if (packet > sample.newestPacketNumber) {
          sample.newestPacketNumber = packet
          sample.newestSentTimeUs = packets.sentTimeOf(packet)
          sample.sentInFlightBytes = packets.inFlightOf(packet)
          newestLostBytes = packets.lostOf(packet)
        }
        deliveryRate.onPacketAcked(nowUs, packets, packet)
        packets.markAcked(packet, this.#listener)
      }
    }
    // Only the largest number tells how long its acknowledgement took (RFC 9002 §5.1).
    if (sample.newestPacketNumber === largest && largest > detector.largestAcked) {
      sample.latestRttUs = Math.max(1, nowUs - sample.newestSentTimeUs)
      rtt.update(sample.latestRttUs, Math.min(ack.value, peerMaxAckDelayUs))
    }
    detector.largestAcked = Math.max(detector.largestAcked, largest)
    const late = detector.checkLate(nowUs, ack.ranges, ack.rangeCount)
    if (late > 0) this.#controller.onSpuriousLoss(late)
    this.#detectLoss(nowUs, peerMaxAckDelayUs)
    if (sample.ackedBytes === 0) return true

    this.ptoCount = 0
    this.probesToSend = 0
    deliveryRate.endAck(rtt.minUs)
    sample.nowUs = nowUs
    sample.nextPacketNumber = packets.next
    sample.priorInFlightBytes = priorInFlight
    sample.inFlightBytes = this.bytesInFlight
    sample.smoothedRttUs = rtt.smoothedUs
    sample.minRttUs = rtt.minUs
    sample.deliveredBytes = deliveryRate.delivered
    sample.priorDeliveredBytes = deliveryRate.samplePriorDelivered
    sample.sampleBytes = deliveryRate.sampleBytes
    sample.sampleIntervalUs = deliveryRate.sampleIntervalUs
    sample.isAppLimited = deliveryRate.isSampleAppLimited
    sample.lostSinceSentBytes = this.bytesLost - newestLostBytes
    this.#controller.onAck(sample)
    if (this.#controller.isHoldingBack) deliveryRate.onAppLimited(this.bytesInFlight)
    return true
  }

  /** When `onTimeout` has something to do; Infinity for never. */
  timeoutUs(peerMaxAckDelayUs: number): number {
    if (this.packets.inFlight === 0) return Number.POSITIVE_INFINITY
    return Math.min(this.detector.lossTimeUs, this.#ptoUs(peerMaxAckDelayUs))
  }

  /** The loss timer or the probe timer; true when probes are to be sent. */
  onTimeout(nowUs: number, peerMaxAckDelayUs: number): boolean {
    if (this.packets.inFlight === 0) return false
    if (this.detector.lossTimeUs <= nowUs) {
      this.#detectLoss(nowUs, peerMaxAckDelayUs)
      return false
    }
    if (this.#ptoUs(peerMaxAckDelayUs) > nowUs) return false
    this.ptoCount += 1
    this.probesToSend = PTO_PROBES
    // Only where nothing was acknowledged for a whole ring of packets: what is in flight has to make room.
    if (!this.packets.hasRoom(true)) this.#loseAll(nowUs)
    // The next timeout counts from here even where no probe can leave: a timer never fires twice for one instant.
    this.#ptoBaseUs = nowUs
    return true
  }

  /** Another path: everything in flight is sent again there, and nothing that was measured holds. */
  onPathChange(): void {
    this.#takeAll()
    this.ptoCount = 0
    this.probesToSend = 0
    this.rtt.reset()
    this.detector.reset()
    this.#controller.reset()
  }

  /** Everything in flight is lost, as after TCP's retransmission timeout. */
  #loseAll(nowUs: number): void {
    const sample = this.#lossSample
    sample.nowUs = nowUs
    sample.lostBytes = this.bytesInFlight
    sample.lostPackets = this.packets.inFlight
    sample.lostRanges = 1
    sample.deliveredBytes = this.deliveryRate.delivered
    sample.sentInFlightBytes = this.bytesInFlight
    sample.lostSinceSentBytes = this.bytesInFlight
    sample.isAppLimited = false
    sample.newestSentTimeUs = nowUs
    sample.inFlightBytes = 0
    sample.isPersistent = true
    this.packetsLost += sample.lostPackets
    this.bytesLost += sample.lostBytes
    this.#takeAll()
    this.#controller.onLoss(sample)
  }

  /** Takes everything out of flight, to be sent again. */
  #takeAll(): void {
    const { packets } = this
    for (let packet = packets.lowest; packet < packets.next; packet++) {
      if (packets.stateOf(packet) === PACKET_IN_FLIGHT) packets.markLost(packet, this.#listener)
    }
    packets.advance()
    this.bytesInFlight = 0
  }

  #ptoUs(peerMaxAckDelayUs: number): number {
    const baseUs = this.rtt.ptoUs(peerMaxAckDelayUs)
    const backoffUs = baseUs * 2 ** Math.min(this.ptoCount, PTO_BACKOFF_MAX)
    return this.#ptoBaseUs + Math.min(backoffUs, Math.max(baseUs, PTO_MAX_US))
  }

  #detectLoss(nowUs: number, peerMaxAckDelayUs: number): void {
    const { detector } = this
    if (!detector.detect(nowUs, peerMaxAckDelayUs, this.#listener)) return
    this.bytesInFlight -= detector.lostBytes
    this.packetsLost += detector.lostPackets
    this.bytesLost += detector.lostBytes
    const sample = this.#lossSample
    sample.nowUs = nowUs
    sample.lostBytes = detector.lostBytes
    sample.lostPackets = detector.lostPackets
    sample.newestSentTimeUs = detector.newestLostSentTimeUs
    sample.lostRanges = detector.lostRanges
    sample.deliveredBytes = this.deliveryRate.delivered
    // The entry of the newest outlives its loss until the number is used again, a whole ring later.
    sample.sentInFlightBytes = this.packets.inFlightOf(detector.newestLost)
    sample.lostSinceSentBytes = this.bytesLost - this.packets.lostOf(detector.newestLost)
    sample.isAppLimited = this.packets.wasAppLimited(detector.newestLost)
    sample.inFlightBytes = this.bytesInFlight
    sample.isPersistent = detector.isPersistent
    this.#controller.onLoss(sample)
  }
}
