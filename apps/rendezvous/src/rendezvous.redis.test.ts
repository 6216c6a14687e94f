import { freshPrefix, startTestRedis, type TestRedis } from '@godwit/redis/testing/withRedis'
import { afterAll, beforeAll } from 'vitest'
import { describeRendezvousContract } from './testing/rendezvousContract.js'
import { redisStores } from './testing/testServer.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server.stop()
})

describeRendezvousContract('Redis', () => {
  const prefix = freshPrefix()
  return { ...redisStores(server, prefix), again: () => redisStores(server, prefix) }
})
