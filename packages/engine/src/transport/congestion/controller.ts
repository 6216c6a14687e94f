/**
 * What a congestion controller is told and what it answers with. One object of each kind is kept and refilled, so that
 * an ACK allocates nothing; a controller keeps no reference to them.
 */

/** Everything one ACK frame said, after the losses that it revealed were reported. */
export interface AckSample {
  nowUs: number
  /** Bytes newly acknowledged. */
  ackedBytes: number
  /** When the newest of the newly acknowledged packets was sent. */
  newestSentTimeUs: number
  /** Number of the newest of them, and the next number to be sent: for counting round trips. */
  newestPacketNumber: number
  nextPacketNumber: number
  /** Bytes in flight before and after the ACK. */
  priorInFlightBytes: number
  inFlightBytes: number
  /** Latest, smoothed and smallest round trip; -1 for the latest where the ACK gave no sample. */
  latestRttUs: number
  smoothedRttUs: number
  minRttUs: number
  /** Bytes delivered in total; the delivery-rate sample is `sampleBytes` over `sampleIntervalUs` (0: no sample). */
  deliveredBytes: number
  priorDeliveredBytes: number
  sampleBytes: number
  sampleIntervalUs: number
  isAppLimited: boolean
  /** Bytes in flight when the newest packet was sent, itself included; bytes declared lost since then. */
  sentInFlightBytes: number
  lostSinceSentBytes: number
}

/** Packets that were declared lost together. */
export interface LossSample {
  nowUs: number
  lostBytes: number
  lostPackets: number
  /** When the newest of them was sent: a loss of packets sent before the last reduction does not reduce again. */
  newestSentTimeUs: number
  inFlightBytes: number
  /** Stretches of neighbouring packet numbers that they form. */
  lostRanges: number
  /** Bytes delivered so far, in total. */
  deliveredBytes: number
  /** Of the newest: bytes in flight when it was sent, itself included; bytes declared lost since then, these included. */
  sentInFlightBytes: number
  lostSinceSentBytes: number
  isAppLimited: boolean
  /** Everything was lost for so long that the path has to be learnt anew (RFC 9002 §7.6). */
  isPersistent: boolean
}

export interface CongestionController {
  /** Bytes that may be in flight. */
  readonly cwndBytes: number
  /** Bytes a second at which packets should leave; Infinity where the controller does not care. */
  pacingRate(smoothedRttUs: number): number
  /** Whether little is sent on purpose: what is measured of it says nothing about the path's rate. */
  readonly isHoldingBack: boolean
  /** @param inFlightBytes - this packet included. */
  onSent(nowUs: number, sizeBytes: number, inFlightBytes: number, isAppLimited: boolean): void
  onAck(sample: AckSample): void
  onLoss(sample: LossSample): void
  /** So many packets that were reported lost have arrived after all. */
  onSpuriousLoss(packets: number): void
  /** Datagrams have another size from now on. */
  onDatagramBytes(datagramBytes: number): void
  /** Another path: start again. */
  reset(): void
}

export const emptyAckSample = (): AckSample => ({
  nowUs: 0,
  ackedBytes: 0,
  newestSentTimeUs: 0,
  newestPacketNumber: -1,
  nextPacketNumber: 0,
  priorInFlightBytes: 0,
  inFlightBytes: 0,
  latestRttUs: -1,
  smoothedRttUs: 0,
  minRttUs: 0,
  deliveredBytes: 0,
  priorDeliveredBytes: 0,
  sampleBytes: 0,
  sampleIntervalUs: 0,
  isAppLimited: false,
  sentInFlightBytes: 0,
  lostSinceSentBytes: 0,
})

export const emptyLossSample = (): LossSample => ({
  nowUs: 0,
  lostBytes: 0,
  lostPackets: 0,
  newestSentTimeUs: 0,
  inFlightBytes: 0,
  lostRanges: 0,
  deliveredBytes: 0,
  sentInFlightBytes: 0,
  lostSinceSentBytes: 0,
  isAppLimited: false,
  isPersistent: false,
})
