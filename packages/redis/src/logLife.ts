/**
 * Tells whether the log is the one that it was: a server that lost everything (FLUSHALL, a deleted file) begins another
 * one, and a server that came back may have lost the end of it.
 */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'

/**
 * What a look found: `same`; `cameBack`, when the connection was lost since the look before; `begunAnew`, when everything
 * that was there is gone.
 */
export type LogLook = 'same' | 'cameBack' | 'begunAnew'

export class LogLife {
  readonly #redis: Redis
  readonly #key: string
  #known: string | undefined
  #hasComeBack = false

  constructor(redis: Redis, key: string) {
    this.#redis = redis
    this.#key = key
    redis.on('close', () => {
      this.#hasComeBack = true
    })
  }

  /** The first look of a process finds `same`. Waits while Redis is away, and rejects when it refuses. */
  async look(): Promise<LogLook> {
    const mine = randomUUID()
    await this.#redis.set(this.#key, mine, 'NX')
    const found = (await this.#redis.get(this.#key)) ?? ''
    const before = this.#known
    const hasComeBack = this.#hasComeBack
    this.#known = found
    this.#hasComeBack = false
    if (before === undefined) return 'same'
    if (before !== found) return 'begunAnew'
    return hasComeBack ? 'cameBack' : 'same'
  }
}
