import { closeConnection, openConnection } from '@godwit/redis/connection'
import { freshPrefix, startTestRedis, type TestRedis } from '@godwit/redis/testing/withRedis'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeStoresContract } from '../testing/storesContract.js'
import { RedisMemoryGauge } from './memoryGauge.js'
import { RedisMailbox, RedisRoomDirectory } from './redisStores.js'

let server: TestRedis
let redis: Redis

beforeAll(async () => {
  server = await startTestRedis()
  redis = openConnection({ target: server.redis.target, prefix: freshPrefix() })
})
afterAll(async () => {
  await closeConnection(redis)
  await server.stop()
})

describeStoresContract('Redis', () => {
  const prefix = freshPrefix()
  return { directory: new RedisRoomDirectory(redis, prefix), mailbox: new RedisMailbox(redis, prefix) }
})

test('the gauge grows with what is kept', async () => {
  const gauge = new RedisMemoryGauge(redis)
  const before = await gauge.usedBytes()
  await redis.set(`${freshPrefix()}:ballast`, 'x'.repeat(1_000_000))
  expect(await gauge.usedBytes()).toBeGreaterThan(before + 900_000)
})
