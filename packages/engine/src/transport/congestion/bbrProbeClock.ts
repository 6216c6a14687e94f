/**
 * When to probe for bandwidth again: after 2 to 3 s by chance, so that flows do not probe in step, or after as many
 * rounds as Reno would need to grow by the same, so that it has its share (draft-ietf-ccwg-bbr §5.3.3.5).
 */
import {
  PROBE_ROUNDS_MAX,
  PROBE_WAIT_LOSS_FACTOR,
  PROBE_WAIT_MIN_US,
  PROBE_WAIT_QUEUE_FACTOR,
  PROBE_WAIT_SPREAD_US,
} from './bbrParameters.js'

/**
 * However short the round trip: on a path of microseconds 63 rounds are over before a driver's timer of a millisecond
 * fires a few times, and a cycle would measure the timer.
 */
const PROBE_WAIT_FLOOR_US = 100_000

export class BbrProbeClock {
  readonly #chance: () => number
  #startUs = 0
  #waitUs = 0
  #rounds = 0

  /** @param chance - a random number in [0, 1). */
  constructor(chance: () => number) {
    this.#chance = chance
  }

  /** A cycle begins with the end of a probe. @param wasTooHigh - whether the probe lost too much. */
  restart(nowUs: number, wasTooHigh: boolean): void {
    this.#startUs = nowUs
    this.#rounds = Math.floor(this.#chance() * 2)
    const waitUs = PROBE_WAIT_MIN_US + Math.floor(this.#chance() * PROBE_WAIT_SPREAD_US)
    this.#waitUs = wasTooHigh ? PROBE_WAIT_LOSS_FACTOR * waitUs : waitUs
  }

  onRoundStart(): void {
    this.#rounds += 1
  }

  /**
   * @param inflightPackets - what is in flight where no queue stands: as many rounds does Reno take.
   * @param isQueueStanding - whether a queue stood all through the last round.
   */
  isDue(nowUs: number, inflightPackets: number, isQueueStanding: boolean): boolean {
    const elapsedUs = nowUs - this.#startUs
    if (isQueueStanding && elapsedUs < PROBE_WAIT_QUEUE_FACTOR * this.#waitUs) return false
    if (elapsedUs > this.#waitUs) return true
    return elapsedUs > PROBE_WAIT_FLOOR_US && this.#rounds >= Math.min(inflightPackets, PROBE_ROUNDS_MAX)
  }
}
