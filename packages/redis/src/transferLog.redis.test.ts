import { receiverHistory1 } from '@godwit/engine/domain/transfer/history1'
import { acked, receiving } from '@godwit/engine/domain/transfer/testHistory'
import type { OutboxEntry, WakeUp } from '@godwit/engine/ports/outbox'
import { createProjector } from '@godwit/engine/projections/projector'
import { foldTransfer, initialTransferProjection, projectTransfer } from '@godwit/engine/projections/transferProjection'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { UnreadableEventError } from './eventCodec.js'
import { logKeys } from './keys.js'
import { openLog } from './log.js'
import { startRelay } from './outboxRelay.js'
import { createQueues } from './queues.js'
import type { TestRedis } from './testing/withRedis.js'
import { freshPrefix, startTestRedis } from './testing/withRedis.js'
import { openTransferLog, transferEventCodec } from './transferLog.js'
import { startWorkers } from './workers.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server.stop()
})

const metadata = { correlationId: 'request-1', causationId: 'request-1' }
const chunks = Array.from({ length: 10 }, (_, chunk) => acked('r1', [chunk, 1]))
const concurrency = { transfers: 4, 'room-events': 4, 'chunk-acks': 4, retransmits: 4 }

test('from appends over the outbox and all queues to the projection, with jobs shuffled and doubled', async () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  const log = openTransferLog(access)
  const queues = createQueues(access)
  const { events, projections } = log
  const projector = createProjector({ events, projections, initial: initialTransferProjection, fold: foldTransfer })
  const ids = ['tr1', 'tr2', 'tr3']
  const wakeUps: OutboxEntry[] = []
  const relay = startRelay({
    ...access,
    enqueue: (entries) => {
      wakeUps.push(...entries)
      return Promise.resolve()
    },
  })
  const worked = new Set<string>()
  const process = async (wakeUp: WakeUp): Promise<undefined> => {
    await projector.catchUp(wakeUp.streamId)
    worked.add(wakeUp.eventId)
    return undefined
  }
  const rejected: TransferEvent = {
    type: 'ChunksRejected',
    data: { receiver: 'r1', ranges: [[3, 1]], reason: 'hashMismatch', bytesTakenBack: 100 },
  }
  for (const id of ids) {
    await events.append(id, 0, receiving, metadata)
    for (const [index, chunk] of chunks.entries()) await events.append(id, receiving.length + index, [chunk], metadata)
    await events.append(id, receiving.length + 10, [rejected], metadata)
  }
  const perStream = receiving.length + 11
  await vi.waitFor(() => expect(wakeUps).toHaveLength(ids.length * perStream), { timeout: 5000 })
  await relay.stop()

  const processors = { transfers: process, 'room-events': process, 'chunk-acks': process, retransmits: process }
  const workers = startWorkers({ ...access, processors, concurrency })
  const disorder = ({ eventId }: OutboxEntry): number => (Number(eventId.split('.')[1]) * 7) % 11
  const shuffled = wakeUps.toSorted((a, b) => disorder(a) - disorder(b))
  for (const entry of shuffled) await queues.wake(entry.queue, entry, 'early')
  await queues.enqueue(shuffled.toReversed())
  await vi.waitFor(() => expect(worked.size).toBe(ids.length * perStream), { timeout: 10_000 })
  await workers.close()
  for (const id of ids) {
    const projection = await projections.get(id)
    expect(projection).toEqual({ cursor: perStream, state: projectTransfer(await events.read(id)) })
  }
  await queues.close()
  await log.close()
})

test('no name of a file and no secret gets into a job', async () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  const queues = createQueues(access)
  await queues.enqueue([{ queue: 'transfers', streamId: 'tr1', eventId: 'tr1.1' }])
  const job = await queues.byName.transfers.getJob('tr1.1')
  expect(job?.data).toEqual({ streamId: 'tr1', eventId: 'tr1.1' })
  await queues.close()
})

test('an older event is brought forward, a later or damaged one is not folded', async () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  const log = openTransferLog(access)
  await log.events.append('tr1', 0, receiving.slice(0, 1), metadata)
  const later = openLog<TransferEvent, object>({
    ...access,
    codec: {
      ...transferEventCodec,
      schemaVersion: transferEventCodec.schemaVersion + 1,
      upcast: ({ type, data, schema }) => ({
        type,
        data: { ...Object(data), submissionId: 'upcast' },
        schema: schema + 1,
      }),
    },
    routeOf: () => undefined,
    projection: 'later.1',
  })
  expect((await later.events.read('tr1'))[0]).toMatchObject({ data: { submissionId: 'upcast' } })
  await later.events.append('tr1', 1, receiving.slice(1, 2), metadata)
  await expect(log.events.read('tr1')).rejects.toBeInstanceOf(UnreadableEventError)
  await log.redis.xadd(logKeys(access.prefix).stream('tr2'), '1-1', 'type', 'Accepted', 'data', '{', 'schema', '1')
  await expect(log.events.read('tr2')).rejects.toThrow('event tr2.1 cannot be read')
  await later.close()
  await log.close()
})

test('what the first schema wrote is read as the present one', async () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  const log = openTransferLog(access)
  const [[type, data] = ['', '']] = receiverHistory1
  const fields = [
    'type',
    type,
    'data',
    data,
    'schema',
    '1',
    'recordedAt',
    '1',
    'correlationId',
    'c',
    'causationId',
    'c',
  ]
  await log.redis.xadd(logKeys(access.prefix).stream('tr1'), '1-1', ...fields)
  const [read] = await log.events.read('tr1')
  expect(read).toMatchObject({ type: 'TransferEnqueued', data: { role: 'receiver', profile: null } })
  await log.close()
})
