/**
 * What was delivered and lost in the round trip under way, for the response to loss outside of probes
 * (draft-ietf-ccwg-bbr §5.5.10.3).
 */
export class BbrLossRound {
  #roundDelivered = 0
  #startDelivered = 0
  #lostBytes = 0
  /** Largest delivery rate and volume of the round. */
  latestRate = 0
  latestInflightBytes = 0
  /** Separate stretches of losses in the round. */
  lostRanges = 0
  /** Whether the ACK under way ended the round; the figures are still those of the round that ended. */
  isEnd = false
  #isLossInRound = false

  get isLossInRound(): boolean {
    return this.#isLossInRound
  }

  /** Losses; true when they are the first of the round. */
  onLoss(lostBytes: number, lostRanges: number, deliveredBytes: number): boolean {
    const isFirst = !this.#isLossInRound
    // What a loss means is known a round later.
    if (isFirst) this.#roundDelivered = deliveredBytes
    this.#isLossInRound = true
    this.#lostBytes += lostBytes
    this.lostRanges += lostRanges
    return isFirst
  }

  onAck(rate: number, sampleBytes: number, priorDeliveredBytes: number, deliveredBytes: number): void {
    this.latestRate = Math.max(this.latestRate, rate)
    this.latestInflightBytes = Math.max(this.latestInflightBytes, sampleBytes)
    this.isEnd = priorDeliveredBytes >= this.#roundDelivered
    if (this.isEnd) this.#roundDelivered = deliveredBytes
  }

  /** Bytes lost in the round, and bytes that it was about: these and the delivered ones. */
  get lostBytes(): number {
    return this.#lostBytes
  }

  totalBytes(deliveredBytes: number): number {
    return deliveredBytes - this.#startDelivered + this.#lostBytes
  }

  /** After an ACK that ended the round was dealt with. */
  advance(rate: number, sampleBytes: number, deliveredBytes: number): void {
    if (!this.isEnd) return
    this.latestRate = rate
    this.latestInflightBytes = sampleBytes
    this.#isLossInRound = false
    this.#lostBytes = 0
    this.lostRanges = 0
    this.#startDelivered = deliveredBytes
  }

  /** Forgets the round's signals: a probe is over. */
  restart(): void {
    this.#isLossInRound = false
    this.latestRate = 0
    this.latestInflightBytes = 0
  }

  reset(deliveredBytes: number): void {
    this.restart()
    this.#roundDelivered = deliveredBytes
    this.#startDelivered = deliveredBytes
    this.#lostBytes = 0
    this.lostRanges = 0
    this.isEnd = false
  }
}
