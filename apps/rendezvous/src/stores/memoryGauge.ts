/** How much memory the stores take: what a rendezvous on the open internet can be filled with. */
import { infoField } from '@godwit/redis/connection'
import type { Redis } from 'ioredis'

export interface MemoryGauge {
  usedBytes(): Promise<number>
}

export class RedisMemoryGauge implements MemoryGauge {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async usedBytes(): Promise<number> {
    return Number(infoField(await this.#redis.info('memory'), 'used_memory') ?? 0)
  }
}
