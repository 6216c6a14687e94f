import { afterAll, beforeAll, expect, test } from 'vitest'
import { closeConnection, openConnection } from './connection.js'
import { LogLife } from './logLife.js'
import { freshPrefix, startTestRedis, type TestRedis } from './testing/withRedis.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(() => server.stop())

test('a log is the same until its server was away, and another one when it was emptied', async () => {
  const prefix = freshPrefix()
  const redis = openConnection({ target: server.redis.target, prefix })
  const life = new LogLife(redis, `${prefix}:log:life`)
  expect(await life.look()).toBe('same')
  expect(await life.look()).toBe('same')
  await redis.flushall()
  expect(await life.look()).toBe('begunAnew')
  expect(await life.look()).toBe('same')
  redis.disconnect(true)
  expect(await life.look()).toBe('cameBack')
  expect(await life.look()).toBe('same')
  await closeConnection(redis)
})

test('every process of one log sees that it was begun anew', async () => {
  const prefix = freshPrefix()
  const connections = [0, 1].map(() => openConnection({ target: server.redis.target, prefix }))
  const lives = connections.map((redis) => new LogLife(redis, `${prefix}:log:life`))
  const look = async () => [await lives[0]?.look(), await lives[1]?.look()]
  expect(await look()).toEqual(['same', 'same'])
  await connections[0]?.flushall()
  expect(await look()).toEqual(['begunAnew', 'begunAnew'])
  await Promise.all(connections.map(closeConnection))
})
