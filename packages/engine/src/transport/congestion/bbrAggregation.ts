/**
 * How many bytes are acknowledged beyond what the rate explains, because ACKs come in bursts
 * (draft-ietf-ccwg-bbr §5.5.9): the window is raised by that much, so that sending goes on between them.
 */
import { EXTRA_ACKED_ROUNDS } from './bbrParameters.js'
import { TwoSlotMax } from './twoSlotMax.js'

export class BbrAggregation {
  readonly #max = new TwoSlotMax()
  #startUs = -1
  #ackedBytes = 0
  #rounds = 0

  /** Bytes. */
  get extraAckedBytes(): number {
    return this.#max.value
  }

  /** @param rate - the estimate of the bandwidth, bytes a second. */
  onAck(
    nowUs: number,
    ackedBytes: number,
    rate: number,
    cwndBytes: number,
    isRoundStart: boolean,
    isStartup: boolean,
  ): void {
    if (isRoundStart) {
      this.#rounds += 1
      if (this.#rounds >= (isStartup ? 1 : EXTRA_ACKED_ROUNDS / 2)) {
        this.#rounds = 0
        this.#max.advance()
      }
    }
    let expectedBytes = (rate * (nowUs - this.#startUs)) / 1e6
    if (this.#startUs < 0 || this.#ackedBytes <= expectedBytes) {
      this.restart(nowUs)
      expectedBytes = 0
    }
    this.#ackedBytes += ackedBytes
    this.#max.update(Math.min(this.#ackedBytes - expectedBytes, cwndBytes))
  }

  /** A new interval begins: ACKs came slower than the rate, or sending begins again. */
  restart(nowUs: number): void {
    this.#startUs = nowUs
    this.#ackedBytes = 0
  }

  reset(): void {
    this.#max.reset()
    this.#startUs = -1
    this.#ackedBytes = 0
    this.#rounds = 0
  }
}
