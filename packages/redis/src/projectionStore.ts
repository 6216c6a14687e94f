/**
 * Projections on Redis: one hash per projection, a field per id holding `<cursor> <JSON>`.
 *
 * The hash's name carries the version of the state's shape: a new shape begins empty and is folded from the log.
 */
import type { Projection, ProjectionStore } from '@godwit/engine/ports/projectionStore'
import { assert } from '@godwit/protocol/assert'
import type { Redis } from 'ioredis'
import { Script } from './script.js'

/**
 * compare-and-set-projection-1: KEYS hash; ARGV id, expected cursor, new value.
 * Guarantees: writes only while the stored cursor (0 where nothing is stored) is the expected one. Answers 1 or 0.
 */
const compareAndSetProjection = new Script(
  'compare-and-set-projection-1',
  `
  local stored = redis.call('HGET', KEYS[1], ARGV[1])
  local cursor = '0'
  if stored then cursor = string.match(stored, '^%d+') end
  if cursor ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  return 1
  `,
)

/** Fields asked for by one HSCAN, so that listing ten thousand transfers does not hold up the appends. */
const SCAN_COUNT = 200

export class RedisProjectionStore<S> implements ProjectionStore<S> {
  readonly #redis: Redis
  readonly #key: string

  /** @param key - of the hash, with the shape's version in it. Only this class writes it, so what is read has shape S. */
  constructor(redis: Redis, key: string) {
    this.#redis = redis
    this.#key = key
  }

  async get(id: string): Promise<Projection<S> | undefined> {
    const stored = await this.#redis.hget(this.#key, id)
    return stored === null ? undefined : decodeProjection<S>(stored)
  }

  async compareAndSet(id: string, expectedCursor: number, next: Projection<S>): Promise<boolean> {
    assert(Number.isSafeInteger(next.cursor) && next.cursor > 0, `cursor ${next.cursor}`)
    const value = `${next.cursor} ${JSON.stringify(next.state)}`
    return (await compareAndSetProjection.run(this.#redis, [this.#key], [id, expectedCursor, value])) === 1
  }

  async all(): Promise<readonly { readonly id: string; readonly projection: Projection<S> }[]> {
    // HSCAN may give a field twice, but never misses one that is there from beginning to end.
    const found = new Map<string, Projection<S>>()
    let cursor = '0'
    do {
      const [next, fields] = await this.#redis.hscan(this.#key, cursor, 'COUNT', SCAN_COUNT)
      for (let index = 0; index + 1 < fields.length; index += 2) {
        found.set(fields[index] ?? '', decodeProjection<S>(fields[index + 1] ?? ''))
      }
      cursor = next
    } while (cursor !== '0')
    return [...found].map(([id, projection]) => ({ id, projection }))
  }

  async delete(id: string): Promise<void> {
    await this.#redis.hdel(this.#key, id)
  }
}

const decodeProjection = <S>(stored: string): Projection<S> => {
  const space = stored.indexOf(' ')
  // The shape is vouched for by the key: see the head of this file.
  return { cursor: Number(stored.slice(0, space)), state: JSON.parse(stored.slice(space + 1)) as S }
}
