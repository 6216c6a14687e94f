/** The whole way from appends to jobs over deaths of the server. */
import { acked, receiving } from '@godwit/engine/domain/transfer/testHistory'
import type { WakeUp } from '@godwit/engine/ports/outbox'
import { createProjector } from '@godwit/engine/projections/projector'
import { foldTransfer, initialTransferProjection, projectTransfer } from '@godwit/engine/projections/transferProjection'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startRelay } from './outboxRelay.js'
import { createQueues } from './queues.js'
import type { TestRedis } from './testing/withRedis.js'
import { freshPrefix, startTestRedis } from './testing/withRedis.js'
import { openTransferLog } from './transferLog.js'
import { startWorkers } from './workers.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server.stop()
})

test('relay and workers go on over SIGKILLs of the server, and every event gets its job', async () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  const log = openTransferLog(access)
  const { events, projections } = log
  const projector = createProjector({ events, projections, initial: initialTransferProjection, fold: foldTransfer })
  const queues = createQueues(access)
  const relay = startRelay({ ...access, enqueue: queues.enqueue, claimIdleMs: 200 })
  const worked = new Set<string>()
  const process = async ({ streamId, eventId }: WakeUp): Promise<undefined> => {
    await projector.catchUp(streamId)
    worked.add(eventId)
    return undefined
  }
  const workers = startWorkers({
    ...access,
    processors: { transfers: process, 'room-events': process, 'chunk-acks': process, retransmits: process },
    concurrency: { transfers: 2, 'room-events': 2, 'chunk-acks': 2, retransmits: 2 },
    stalledIntervalMs: 200,
    lockDurationMs: 1000,
  })
  const metadata = { correlationId: 'request-1', causationId: 'request-1' }
  await events.append('tr1', 0, receiving, metadata)
  let version = receiving.length
  for (let chunk = 0; chunk < 10; chunk += 1) {
    for (let part = 0; part < 10; part += 1) {
      const result = await events.append('tr1', version, [acked('r1', [chunk * 10 + part, 1])], metadata)
      expect(result.ok).toBe(true)
      version += 1
    }
    if (chunk % 4 === 1 && server.redis.pid !== undefined) globalThis.process.kill(server.redis.pid, 'SIGKILL')
  }
  await vi.waitFor(() => expect(worked.size).toBe(version), { timeout: 15_000, interval: 50 })
  expect(await projections.get('tr1')).toEqual({ cursor: version, state: projectTransfer(await events.read('tr1')) })
  await workers.close()
  await relay.stop()
  await queues.close()
  await log.close()
}, 30_000)

test('while the server is away calls wait, and everything closes in time nevertheless', async () => {
  const away = await startTestRedis()
  const access = { target: away.redis.target, prefix: freshPrefix() }
  const log = openTransferLog(access)
  const queues = createQueues(access)
  const relay = startRelay({ ...access, enqueue: queues.enqueue })
  const idle = () => Promise.resolve(undefined)
  const workers = startWorkers({
    ...access,
    processors: { transfers: idle, 'room-events': idle, 'chunk-acks': idle, retransmits: idle },
    concurrency: { transfers: 1, 'room-events': 1, 'chunk-acks': 1, retransmits: 1 },
  })
  await log.events.append('tr1', 0, receiving, { correlationId: 'c', causationId: 'c' })
  await away.stop()
  await vi.waitFor(() => expect(log.isReady).toBe(false))
  const waiting = log.events.version('tr1').catch((error: Error) => error.message)
  const enqueueing = queues
    .enqueue([{ queue: 'transfers', streamId: 'tr1', eventId: 'tr1.1' }])
    .catch((error: Error) => error.message)
  await Promise.all([workers.close(500), relay.stop()])
  await queues.close()
  await log.close()
  expect(await waiting).toBe('Connection is closed.')
  expect(await enqueueing).toBe('Connection is closed.')
}, 15_000)
