/**
 * What we ask the peer's acknowledgements to be: about sixteen per window, one per 64 packets at the least, and none later
 * than an eighth of the round trip (draft-ietf-quic-ack-frequency). Fewer ACKs cost the receiver less and still clock
 * the sender.
 */
import { INITIAL_ACK_DELAY_US, INITIAL_ACK_THRESHOLD } from './ackTracker.js'

const THRESHOLD_MIN = 2
const THRESHOLD_MAX = 64
const DELAY_MIN_US = 1000
const DELAY_MAX_US = 20_000
const WINDOW_PART = 16
const RTT_PART = 8
/** A change smaller than this part of the value is not worth a frame. */
const CHANGE_MIN = 1 / 4

export class AckFrequency {
  sequence = 0
  threshold = INITIAL_ACK_THRESHOLD
  maxDelayUs = INITIAL_ACK_DELAY_US
  /** Whether the frame waits to be sent. */
  isPending = false
  /** What the peer may wait at the most, whichever of the frames it has seen. */
  peerMaxAckDelayUs = INITIAL_ACK_DELAY_US
  #nextUpdateUs = 0

  /** Looks once per round trip whether the window or the round trip ask for something else. */
  update(nowUs: number, cwndBytes: number, datagramBytes: number, smoothedRttUs: number): void {
    if (nowUs < this.#nextUpdateUs) return
    this.#nextUpdateUs = nowUs + Math.max(smoothedRttUs, DELAY_MIN_US)
    const packets = Math.floor(cwndBytes / datagramBytes / WINDOW_PART)
    const threshold = Math.min(THRESHOLD_MAX, Math.max(THRESHOLD_MIN, packets))
    const delayUs = Math.min(DELAY_MAX_US, Math.max(DELAY_MIN_US, Math.floor(smoothedRttUs / RTT_PART)))
    if (!differs(threshold, this.threshold) && !differs(delayUs, this.maxDelayUs)) return
    this.threshold = threshold
    this.maxDelayUs = delayUs
    this.sequence += 1
    this.isPending = true
    this.peerMaxAckDelayUs = Math.max(this.peerMaxAckDelayUs, delayUs)
  }

  onAcked(sequence: number): void {
    if (sequence === this.sequence) this.peerMaxAckDelayUs = this.maxDelayUs
  }

  onLost(sequence: number): void {
    if (sequence === this.sequence) this.isPending = true
  }
}

const differs = (next: number, now: number): boolean => Math.abs(next - now) > now * CHANGE_MIN
