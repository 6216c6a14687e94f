/**
 * What to acknowledge and when (RFC 9000 §13.2, draft-ietf-quic-ack-frequency): at once after `threshold` ack-eliciting
 * packets or at the first sign of a gap, else after `maxDelayUs`. The sender sets both with ACK_FREQUENCY.
 */
import { AckRanges } from '@godwit/protocol/ackRanges'
import { writeAck } from '@godwit/protocol/frames'

/** Before the peer has said otherwise: every second packet, 5 ms at the latest. */
export const INITIAL_ACK_THRESHOLD = 2
export const INITIAL_ACK_DELAY_US = 5000
/** What a peer may ask for at most. */
const THRESHOLD_MAX = 256
const DELAY_MIN_US = 1000
const DELAY_MAX_US = 100_000

export class AckTracker {
  readonly #ranges = new AckRanges()
  #largestTimeUs = 0
  #elicitingCount = 0
  #isImmediate = false
  #sequence = -1
  #threshold = INITIAL_ACK_THRESHOLD
  #maxDelayUs = INITIAL_ACK_DELAY_US

  /** When an ACK has to leave; Infinity for none. */
  deadlineUs = Number.POSITIVE_INFINITY

  /** Whether anything ack-eliciting waits for its acknowledgement. */
  get isPending(): boolean {
    return this.#elicitingCount > 0
  }

  onPacket(nowUs: number, packetNumber: number, isAckEliciting: boolean): void {
    const largest = this.#ranges.largest
    this.#ranges.add(packetNumber)
    if (packetNumber > largest) this.#largestTimeUs = nowUs
    if (!isAckEliciting) return
    this.#elicitingCount += 1
    // A gap, or a packet that fills one: the sender's loss detection waits for this.
    if (packetNumber !== largest + 1) this.#isImmediate = true
    if (this.#isImmediate || this.#elicitingCount >= this.#threshold) this.deadlineUs = nowUs
    else if (this.deadlineUs === Number.POSITIVE_INFINITY) this.deadlineUs = nowUs + this.#maxDelayUs
  }

  /** ACK_FREQUENCY; an older one than the last is ignored. */
  onFrequency(sequence: number, threshold: number, maxDelayUs: number): void {
    if (sequence <= this.#sequence) return
    this.#sequence = sequence
    this.#threshold = Math.min(threshold, THRESHOLD_MAX)
    this.#maxDelayUs = Math.min(Math.max(maxDelayUs, DELAY_MIN_US), DELAY_MAX_US)
  }

  isDue(nowUs: number): boolean {
    return this.deadlineUs <= nowUs
  }

  /** Writes the ACK where something waits for it; returns the position behind it, `at` where nothing was written. */
  write(nowUs: number, target: Uint8Array, at: number, end: number): number {
    if (this.#elicitingCount === 0) return at
    const after = writeAck(target, at, end, this.#ranges, Math.max(0, nowUs - this.#largestTimeUs))
    if (after === at) return at
    this.#elicitingCount = 0
    this.#isImmediate = false
    this.deadlineUs = Number.POSITIVE_INFINITY
    return after
  }
}
