/**
 * When to try again. The first retries are quick, for a server that is just being started again; then the pauses grow
 * (magic-wormhole's 1 s × 1.5), each by chance a fifth shorter or longer, so that nodes do not come back all at once.
 */
import type { Failure } from '@godwit/protocol/errors'

const QUICK_RETRIES = 3
const QUICK_PAUSE_MS = 200
const FIRST_PAUSE_MS = 1000
const GROWTH = 1.5
const PAUSE_MAX_MS = 15_000
const JITTER = 0.2

/** Milliseconds to wait after `failures` failures in a row, from 1. @param random - 0 ≤ x < 1. */
export const retryPauseMs = (failures: number, random: () => number): number => {
  const pause =
    failures <= QUICK_RETRIES ? QUICK_PAUSE_MS : FIRST_PAUSE_MS * GROWTH ** Math.min(failures - QUICK_RETRIES - 1, 32)
  return Math.round(Math.min(pause, PAUSE_MAX_MS) * (1 - JITTER + 2 * JITTER * random()))
}

/** Whether a call to the rendezvous can succeed later as it is. */
export const isMendedByWaiting = ({ code }: Failure): boolean =>
  code === 'ERR_RENDEZVOUS_UNREACHABLE' || code === 'ERR_RENDEZVOUS_REFUSED'

/** Another try after each failure, the later the more there were in a row. One is due at a time, however often that is asked. */
export class RetryTimer {
  readonly #retry: () => void
  #failures = 0
  #timer: NodeJS.Timeout | undefined

  constructor(retry: () => void) {
    this.#retry = retry
  }

  failed(): void {
    this.#failures += 1
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#retry, retryPauseMs(this.#failures, Math.random))
  }

  succeeded(): void {
    this.#failures = 0
    this.stop()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
