import type { QueueName, WakeUp } from '@godwit/engine/ports/outbox'
import { QUEUES } from '@godwit/engine/ports/outbox'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createQueues } from './queues.js'
import type { TestRedis } from './testing/withRedis.js'
import { freshPrefix, startTestRedis } from './testing/withRedis.js'
import type { Processor } from './workers.js'
import { startWorkers } from './workers.js'

let server: TestRedis

beforeAll(async () => {
  server = await startTestRedis()
})
afterAll(async () => {
  await server.stop()
})

const concurrency = { transfers: 4, 'room-events': 2, 'chunk-acks': 2, retransmits: 2 }
const allDo = (processorOf: (queue: QueueName) => Processor): Record<QueueName, Processor> => ({
  transfers: processorOf('transfers'),
  'room-events': processorOf('room-events'),
  'chunk-acks': processorOf('chunk-acks'),
  retransmits: processorOf('retransmits'),
})
const open = () => {
  const access = { target: server.redis.target, prefix: freshPrefix() }
  return { access, queues: createQueues(access) }
}
const entry = (queue: QueueName, version: number) => ({ queue, streamId: 'tr1', eventId: `tr1.${version}` })

test('all four queues bring their jobs to their workers, with ids and nothing else', async () => {
  const { access, queues } = open()
  const seen: [QueueName, WakeUp][] = []
  const processors = allDo((queue) => (wakeUp) => {
    seen.push([queue, wakeUp])
    return Promise.resolve(undefined)
  })
  const workers = startWorkers({ ...access, processors, concurrency })
  await queues.enqueue(QUEUES.map((queue, index) => entry(queue, index + 1)))
  await vi.waitFor(() => expect(seen).toHaveLength(4))
  for (const [index, queue] of QUEUES.entries()) {
    expect(seen).toContainEqual([queue, { streamId: 'tr1', eventId: `tr1.${index + 1}` }])
  }
  await workers.close()
  await queues.close()
})

test('an entry that comes twice makes one job while the first is known', async () => {
  const { access, queues } = open()
  await queues.enqueue([entry('chunk-acks', 1), entry('chunk-acks', 2)])
  await queues.enqueue([entry('chunk-acks', 2), entry('chunk-acks', 1)])
  let runs = 0
  const processors = allDo(() => () => {
    runs += 1
    return Promise.resolve(undefined)
  })
  const workers = startWorkers({ ...access, processors, concurrency })
  await queues.wake('chunk-acks', { streamId: 'tr1', eventId: 'tr1.2' }, 'run-1')
  await vi.waitFor(() => expect(runs).toBe(3))
  await queues.enqueue([entry('chunk-acks', 1)])
  await workers.close()
  expect(runs).toBe(3)
  await queues.close()
})

test('a processor that throws is tried again, and one that wants another slice gets it', async () => {
  const { access, queues } = open()
  const failures: string[] = []
  let attempts = 0
  let slices = 0
  const processors = {
    ...allDo(() => () => Promise.resolve(undefined)),
    retransmits: () => {
      attempts += 1
      return attempts < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve(undefined)
    },
    transfers: () => {
      slices += 1
      return Promise.resolve(slices < 3 ? { againAfterMs: 1 } : undefined)
    },
  }
  const onJobFailed = (queue: QueueName, wakeUp: WakeUp, error: Error): void => {
    failures.push(`${queue} ${wakeUp.eventId} ${error.message}`)
  }
  const workers = startWorkers({ ...access, processors, concurrency, onJobFailed })
  await queues.enqueue([entry('retransmits', 1), entry('transfers', 2)])
  await vi.waitFor(() => expect([attempts, slices]).toEqual([3, 3]), { timeout: 5000 })
  expect(failures).toEqual(['retransmits tr1.1 not yet', 'retransmits tr1.1 not yet'])
  await workers.close()
  await queues.close()
})

test('closing aborts jobs under way and does not wait for one that never ends', async () => {
  const { access, queues } = open()
  const aborted: string[] = []
  let started = 0
  const processors = {
    ...allDo(() => () => Promise.resolve(undefined)),
    transfers: (wakeUp: WakeUp, signal: AbortSignal) =>
      new Promise<undefined>((resolve) => {
        started += 1
        signal.addEventListener('abort', () => {
          aborted.push(wakeUp.eventId)
          if (wakeUp.eventId === 'tr1.1') resolve(undefined)
        })
      }),
  }
  const workers = startWorkers({ ...access, processors, concurrency })
  await queues.enqueue([entry('transfers', 1), entry('transfers', 2)])
  await vi.waitFor(() => expect(started).toBe(2))
  await workers.close(300)
  expect(aborted.toSorted()).toEqual(['tr1.1', 'tr1.2'])
  await queues.close()
})

test('a job whose worker died is done by another one, again and again', async () => {
  const { access, queues } = open()
  await queues.enqueue([entry('transfers', 1)])
  const timing = { stalledIntervalMs: 50, lockDurationMs: 200 }
  let starts = 0
  const hangs = () => {
    starts += 1
    return new Promise<undefined>(() => undefined)
  }
  for (let death = 1; death <= 3; death += 1) {
    const dying = startWorkers({ ...access, ...timing, processors: allDo(() => hangs), concurrency })
    await vi.waitFor(() => expect(starts).toBe(death), { timeout: 5000 })
    await dying.close(1)
  }
  let done = 0
  const finishes = () => {
    done += 1
    return Promise.resolve(undefined)
  }
  const workers = startWorkers({ ...access, ...timing, processors: allDo(() => finishes), concurrency })
  await vi.waitFor(() => expect(done).toBe(1), { timeout: 5000 })
  await workers.close()
  await queues.close()
})
