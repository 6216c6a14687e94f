/**
 * Delivery-rate samples: how fast the path delivered between the sending of a packet and its acknowledgement
 * (draft-ietf-ccwg-bbr §4.1, draft-cheng-iccrg-delivery-rate-estimation). A sample is marked app-limited when there
 * was nothing more to send, since it then says little about the path.
 */
import type { SentPackets } from './sentPackets.js'

export class DeliveryRate {
  /** Bytes acknowledged since the connection began. */
  delivered = 0
  deliveredTimeUs = 0
  firstSentTimeUs = 0
  /** `delivered` at which the last app-limited phase is over; 0 for none. */
  #appLimitedUntil = 0

  /** The sample of the ACK under way: bytes, over microseconds; 0 microseconds where there is none. */
  sampleBytes = 0
  sampleIntervalUs = 0
  isSampleAppLimited = false
  /** `delivered` when the sample's packet was sent. */
  samplePriorDelivered = 0
  #priorTimeUs = 0
  #sendElapsedUs = 0
  #newestPacket = -1

  get isAppLimited(): boolean {
    return this.#appLimitedUntil > 0
  }

  /** Call before an ack-eliciting packet is noted as sent. */
  onSend(nowUs: number, inFlightPackets: number): void {
    if (inFlightPackets > 0) return
    this.firstSentTimeUs = nowUs
    this.deliveredTimeUs = nowUs
  }

  /** There was room in the congestion window and nothing to send. */
  onAppLimited(bytesInFlight: number): void {
    this.#appLimitedUntil = Math.max(1, this.delivered + bytesInFlight)
  }

  startAck(): void {
    this.#newestPacket = -1
    this.sampleBytes = 0
    this.sampleIntervalUs = 0
    this.samplePriorDelivered = -1
  }

  /** One packet of the ACK under way, while it is still held in flight. */
  onPacketAcked(nowUs: number, packets: SentPackets, packetNumber: number): void {
    this.delivered += packets.sizeOf(packetNumber)
    this.deliveredTimeUs = nowUs
    // The packet sent last makes the sample.
    if (packetNumber < this.#newestPacket) return
    this.#newestPacket = packetNumber
    this.samplePriorDelivered = packets.deliveredOf(packetNumber)
    this.#priorTimeUs = packets.deliveredTimeOf(packetNumber)
    this.isSampleAppLimited = packets.wasAppLimited(packetNumber)
    this.#sendElapsedUs = packets.sentTimeOf(packetNumber) - packets.firstSentTimeOf(packetNumber)
    this.firstSentTimeUs = packets.sentTimeOf(packetNumber)
  }

  /** Finishes the sample; an interval below the smallest round trip means that time was compressed: no sample. */
  endAck(minRttUs: number): void {
    if (this.#appLimitedUntil > 0 && this.delivered > this.#appLimitedUntil) this.#appLimitedUntil = 0
    if (this.#newestPacket < 0) return
    const intervalUs = Math.max(this.#sendElapsedUs, this.deliveredTimeUs - this.#priorTimeUs)
    this.sampleBytes = this.delivered - this.samplePriorDelivered
    this.sampleIntervalUs = intervalUs >= minRttUs ? intervalUs : 0
  }
}
