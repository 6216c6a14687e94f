/**
 * The share of what is sent that the path loses by itself, whatever the rate: the smallest share of the last rounds in
 * which no queue stood. Losses of congestion come with a queue, or in bursts between rounds without any.
 */

/** Rounds of one half of the window. */
const ROUNDS = 5
/** A share that was not seen for so long is forgotten. */
const MEMORY_US = 10_000_000

export class BbrRandomLoss {
  readonly #maxShare: number
  #delivered = 0
  #lostBytes = 0
  #current = Number.POSITIVE_INFINITY
  #previous = Number.POSITIVE_INFINITY
  #rounds = 0
  #seenUs = 0
  /** Between 0 and what the profile tolerates. */
  share = 0

  constructor(maxShare: number) {
    this.#maxShare = maxShare
  }

  onLoss(lostBytes: number): void {
    this.#lostBytes += lostBytes
  }

  /** A packet-timed round is over. */
  onRoundEnd(nowUs: number, deliveredBytes: number, isQueueShort: boolean): void {
    const bytes = deliveredBytes - this.#delivered + this.#lostBytes
    if (isQueueShort && bytes > 0) this.#note(nowUs, this.#lostBytes / bytes)
    else if (nowUs - this.#seenUs > MEMORY_US) this.share = 0
    this.#delivered = deliveredBytes
    this.#lostBytes = 0
  }

  reset(deliveredBytes: number): void {
    this.#delivered = deliveredBytes
    this.#lostBytes = 0
    this.#current = Number.POSITIVE_INFINITY
    this.#previous = Number.POSITIVE_INFINITY
    this.#rounds = 0
    this.#seenUs = 0
    this.share = 0
  }

  #note(nowUs: number, share: number): void {
    this.#seenUs = nowUs
    this.#current = Math.min(this.#current, share)
    this.share = Math.min(this.#current, this.#previous, this.#maxShare)
    this.#rounds += 1
    if (this.#rounds < ROUNDS) return
    this.#rounds = 0
    this.#previous = this.#current
    this.#current = Number.POSITIVE_INFINITY
  }
}
