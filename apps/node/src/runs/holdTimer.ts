/** The one moment at which a run has to look at its transfer again though no event wakes it. */

/** Milliseconds between two looks at a schedule at the most: the clock may be set, and the computer may sleep. */
export const LOOK_AT_MOST_MS = 15_000
/** Milliseconds before the first try after a failure that can be mended, doubled for each further one … */
const RETRY_FIRST_MS = 2000
/** … up to this. */
const RETRY_MAX_MS = 60_000

/** Milliseconds to wait after `tries` tries that failed. */
export const retryAfterMs = (tries: number): number => Math.min(RETRY_FIRST_MS * 2 ** Math.min(tries, 10), RETRY_MAX_MS)

export class HoldTimer {
  readonly #look: () => void
  #timer: NodeJS.Timeout | undefined
  #tries = 0
  #bytesAtLastTry = -1

  /** @param look - called once after each `set`, unless another `set` or `stop` comes before. */
  constructor(look: () => void) {
    this.#look = look
  }

  set(afterMs: number | undefined): void {
    clearTimeout(this.#timer)
    this.#timer = afterMs === undefined ? undefined : setTimeout(this.#look, afterMs)
  }

  /**
   * The pause before another try: longer with each that brought nothing.
   *
   * @param bytesDone - of the transfer: a try that moved them on counts as none.
   */
  pauseBeforeTry(bytesDone: number): number {
    if (bytesDone > this.#bytesAtLastTry) this.#tries = 0
    this.#bytesAtLastTry = bytesDone
    return retryAfterMs(this.#tries++)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
