/**
 * Whether sending faster still delivers more: after three rounds in which the delivery rate did not grow by a quarter,
 * the pipe is full (draft-ietf-ccwg-bbr §5.3.1.2). Ends startup and the probes for bandwidth.
 */
import { FULL_BW_GROWTH, FULL_BW_ROUNDS } from './bbrParameters.js'

export class BbrFullPipe {
  #baselineRate = 0
  #rounds = 0
  /** Whether the probe under way has filled the pipe. */
  isFullNow = false
  /** Whether the pipe was ever full: startup is over. */
  isReached = false

  /** A new probe begins at this rate. */
  restart(rate: number): void {
    this.#baselineRate = rate
    this.#rounds = 0
    this.isFullNow = false
  }

  /**
   * A sample of the delivery rate that the application did not limit. Growth counts whenever it shows, not only in the
   * sample that begins a round: under loss that one is often a low one.
   */
  onSample(rate: number, isRoundStart: boolean): void {
    if (this.isFullNow) return
    if (rate >= this.#baselineRate * FULL_BW_GROWTH) {
      this.restart(rate)
      return
    }
    if (!isRoundStart) return
    this.#rounds += 1
    if (this.#rounds < FULL_BW_ROUNDS) return
    this.isFullNow = true
    this.isReached = true
  }

  reset(): void {
    this.restart(0)
    this.isReached = false
  }
}
