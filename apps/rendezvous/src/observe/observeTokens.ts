/**
 * Tokens for the UDP port: whoever holds one has just spoken HTTP with this process, so a forged source address gets
 * no answer. A token is not bound to an address: the one that UDP shows may be another, which is the point of asking.
 *
 * Layout, 32 bytes: milliseconds of this process' clock 8 | random 8 | the first 16 bytes of HMAC-SHA256 over both.
 * The key lives as long as the process.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { OBSERVE_TOKEN_BYTES } from '@godwit/protocol/observe'

/** Milliseconds that a token is good for. */
export const OBSERVE_TOKEN_TTL_MS = 60_000

export class ObserveTokens {
  readonly #key = randomBytes(32)
  readonly #now: () => number

  /** @param now - milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now
  }

  make(): Buffer {
    const token = Buffer.alloc(OBSERVE_TOKEN_BYTES)
    token.writeBigUInt64BE(BigInt(Math.floor(this.#now())), 0)
    randomBytes(8).copy(token, 8)
    this.#tagOf(token).copy(token, 16)
    return token
  }

  isGood(token: Uint8Array): boolean {
    if (token.length !== OBSERVE_TOKEN_BYTES) return false
    const bytes = Buffer.from(token)
    if (!timingSafeEqual(this.#tagOf(bytes), bytes.subarray(16))) return false
    return this.#now() - Number(bytes.readBigUInt64BE(0)) <= OBSERVE_TOKEN_TTL_MS
  }

  #tagOf(token: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(token.subarray(0, 16)).digest().subarray(0, 16)
  }
}
