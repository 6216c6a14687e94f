/**
 * Packet-timed round trips: one ends when a packet is acknowledged that was sent after it began
 * (draft-ietf-ccwg-bbr §5.5.1). Robust where the clock is not: over idleness and varying round trips.
 */
export class BbrRounds {
  #nextDelivered = 0
  /** Rounds so far. */
  count = 0
  /** Whether the ACK under way began a round. */
  isStart = false

  /** @param priorDeliveredBytes - `deliveredBytes` when the newest packet of the ACK was sent. */
  onAck(priorDeliveredBytes: number, deliveredBytes: number): void {
    this.isStart = priorDeliveredBytes >= this.#nextDelivered
    if (!this.isStart) return
    this.start(deliveredBytes)
    this.count += 1
  }

  /** Lets a round begin now: it ends with the acknowledgement of what is sent from now on. */
  start(deliveredBytes: number): void {
    this.#nextDelivered = deliveredBytes
  }

  reset(): void {
    this.#nextDelivered = 0
    this.count = 0
    this.isStart = false
  }
}
