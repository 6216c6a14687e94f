import type { OutboxEntry } from '@godwit/engine/ports/outbox'
import type { ContractEvent } from '@godwit/engine/testing/eventStoreContract'
import { contractRouteOf } from '@godwit/engine/testing/eventStoreContract'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { logKeys } from './keys.js'
import { openLog } from './log.js'
import { startRelay } from './outboxRelay.js'
import { createQueues } from './queues.js'
import { contractCodec } from './testing/contractCodec.js'
import type { TestRedis } from './testing/withRedis.js'
import { freshPrefix, startTestRedis } from './testing/withRedis.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server.stop()
})

const metadata = { correlationId: 'request-1', causationId: 'request-1' }
const counted = (n: number): ContractEvent => ({ type: 'Counted', data: { n } })

const open = () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  const log = openLog<ContractEvent, object>({
    ...access,
    codec: contractCodec,
    routeOf: contractRouteOf,
    projection: 'relay.1',
  })
  return { access, log, outbox: logKeys(access.prefix).outbox }
}

test('entries reach the queues in order and leave the outbox', async () => {
  const { access, log, outbox } = open()
  const delivered: OutboxEntry[] = []
  await log.events.append('tr1', 0, [1, 2, 3].map(counted), metadata)
  const relay = startRelay({
    ...access,
    enqueue: (entries) => {
      delivered.push(...entries)
      return Promise.resolve()
    },
  })
  await log.events.append('tr1', 3, [counted(4)], metadata)
  await vi.waitFor(
    async () => {
      expect(delivered.map(({ eventId }) => eventId)).toEqual(['tr1.1', 'tr1.2', 'tr1.3', 'tr1.4'])
      expect(await log.redis.xlen(outbox)).toBe(0)
    },
    { timeout: 5000 },
  )
  await relay.stop()
  await log.close()
})

test('a relay that dies between enqueueing and acknowledging loses nothing, and no job is made twice', async () => {
  const { access, log, outbox } = open()
  const queues = createQueues(access)
  let enqueued = 0
  const dying = startRelay({
    ...access,
    claimIdleMs: 1,
    enqueue: async (entries) => {
      await queues.enqueue(entries)
      enqueued += 1
      throw new Error('the relay dies here')
    },
  })
  await log.events.append('tr1', 0, [1, 2, 3].map(counted), metadata)
  await vi.waitFor(() => expect(enqueued).toBeGreaterThan(0), { timeout: 5000 })
  await dying.stop()
  expect(await log.redis.xlen(outbox)).toBe(3)

  const next = startRelay({ ...access, claimIdleMs: 1, enqueue: queues.enqueue })
  await vi.waitFor(async () => expect(await log.redis.xlen(outbox)).toBe(0), { timeout: 5000 })
  expect(await queues.byName['chunk-acks'].getJobCountByTypes('waiting')).toBe(3)
  await next.stop()
  await queues.close()
  await log.close()
})

test('queues that refuse for a while lose nothing', async () => {
  const { access, log } = open()
  const delivered = new Set<string>()
  let refusals = 3
  const relay = startRelay({
    ...access,
    claimIdleMs: 1,
    enqueue: (entries) => {
      refusals -= 1
      if (refusals >= 0) return Promise.reject(new Error('refused'))
      for (const { eventId } of entries) delivered.add(eventId)
      return Promise.resolve()
    },
  })
  await log.events.append('tr1', 0, [1, 2].map(counted), metadata)
  await vi.waitFor(() => expect(delivered).toEqual(new Set(['tr1.1', 'tr1.2'])), { timeout: 5000 })
  await relay.stop()
  await log.close()
})

test('a relay goes on after the server has lost everything', async () => {
  const { access, log } = open()
  const delivered: string[] = []
  const relay = startRelay({
    ...access,
    enqueue: (entries) => {
      delivered.push(...entries.map(({ eventId }) => eventId))
      return Promise.resolve()
    },
  })
  await log.events.append('tr1', 0, [counted(1)], metadata)
  await vi.waitFor(() => expect(delivered).toEqual(['tr1.1']), { timeout: 5000 })
  await log.redis.flushall()
  await log.events.append('tr2', 0, [counted(1)], metadata)
  await vi.waitFor(() => expect(delivered).toEqual(['tr1.1', 'tr2.1']), { timeout: 5000 })
  await relay.stop()
  await log.close()
})
