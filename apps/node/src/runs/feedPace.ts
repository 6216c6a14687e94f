/**
 * How fast the items of a room are dealt with. Each may cost a write to the disk and to the log, and the rendezvous that
 * says them is not trusted: a flood of them must not take the node's time from its transfers.
 */

/** Items that are dealt with at once: what a busy room brings while this node was away. */
const BURST = 1000
/** Items a second after that: 64 receivers that all begin a handshake in one second stay below. */
const PER_SECOND = 200

export class FeedPace {
  #left = BURST
  #updatedAtMs: number

  /** @param nowMs - milliseconds of a clock that never goes back. */
  constructor(nowMs: number) {
    this.#updatedAtMs = nowMs
  }

  /** Takes the next item in; the milliseconds that it has to wait. */
  take(nowMs: number): number {
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#updatedAtMs) * PER_SECOND) / 1000) - 1
    this.#updatedAtMs = nowMs
    return this.#left >= 0 ? 0 : Math.ceil((-this.#left * 1000) / PER_SECOND)
  }
}
