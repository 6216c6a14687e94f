/** Token buckets by key, in memory: how often one address may do one thing. */
import { assert } from '@godwit/protocol/assert'
import type { Rate } from './options.js'

/** Keys that one limiter remembers. When there are more, the longest unused is forgotten, and with it its debt. */
const KEYS_MAX = 50_000

interface Bucket {
  tokens: number
  updatedAt: number
}

export class RateLimiter {
  readonly #rate: Rate
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  /** @param now - milliseconds of a clock that never goes back. */
  constructor(rate: Rate, now: () => number) {
    assert(rate.burst >= 1 && rate.perMinute >= 0, 'a rate allows something')
    this.#rate = rate
    this.#now = now
  }

  /** Takes one token of `key`; false when there is none. */
  take(key: string): boolean {
    const bucket = this.#refilled(key)
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  /** Whether `take` would succeed; takes nothing. */
  has(key: string): boolean {
    return this.#refilled(key).tokens >= 1
  }

  #refilled(key: string): Bucket {
    const now = this.#now()
    const known = this.#buckets.get(key)
    const { burst, perMinute } = this.#rate
    const tokens = known === undefined ? burst : known.tokens + ((now - known.updatedAt) * perMinute) / 60_000
    const bucket = { tokens: Math.min(burst, tokens), updatedAt: now }
    // Deleted and set again, so that the map's order is the order of use.
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > KEYS_MAX) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}
