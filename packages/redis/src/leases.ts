/**
 * Leases on Redis: a hash per name with owner, token and end. The server's clock decides, so the clocks of several
 * nodes need not agree.
 */
import type { Fence } from '@godwit/engine/ports/eventStore'
import type { Leases } from '@godwit/engine/ports/leases'
import { assert } from '@godwit/protocol/assert'
import type { Redis } from 'ioredis'
import type { LogKeys } from './keys.js'
import { Script } from './script.js'

/**
 * acquire-lease-2: KEYS lease, token counter; ARGV owner, milliseconds.
 * Guarantees: one owner at a time; the same owner keeps its token; every other grant has a higher token than all before,
 * which append-events-4 checks. Answers the token, or 0 while somebody else holds the lease.
 */
const acquireLease = new Script(
  'acquire-lease-2',
  `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local lease = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until')
  local token = lease[2]
  if lease[1] ~= ARGV[1] then
    if lease[1] and lease[1] ~= '' and tonumber(lease[3]) > now then return 0 end
    token = redis.call('INCR', KEYS[2])
  end
  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token, 'until', string.format('%d', now + ARGV[2]))
  return tonumber(token)
  `,
)

/**
 * release-lease-1: KEYS lease; ARGV owner.
 * Guarantees: only its owner gives a lease back; the token stays, so that the last owner's appends under way still count
 * until somebody takes the lease.
 */
const releaseLease = new Script(
  'release-lease-1',
  `
  if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[1], 'owner', '')
  return 1
  `,
)

export class RedisLeases implements Leases {
  readonly #redis: Redis
  readonly #keys: LogKeys

  constructor(redis: Redis, keys: LogKeys) {
    this.#redis = redis
    this.#keys = keys
  }

  async acquire(name: string, owner: string, ttlMs: number): Promise<Fence | undefined> {
    assert(owner !== '', 'an owner has a name')
    assert(Number.isSafeInteger(ttlMs) && ttlMs > 0, `lease of ${ttlMs} ms`)
    const token = await acquireLease.run(this.#redis, [this.#keys.lease(name), this.#keys.leaseTokens], [owner, ttlMs])
    assert(typeof token === 'number', 'acquire-lease answers with a number')
    return token === 0 ? undefined : { name, token }
  }

  async release(name: string, owner: string): Promise<void> {
    await releaseLease.run(this.#redis, [this.#keys.lease(name)], [owner])
  }
}
