import type { TransferEvent } from '@godwit/protocol/transferEvents'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { acked, receiving, sending } from '../domain/transfer/testHistory.js'
import { MemoryEventStore } from '../memory/eventStore.js'
import { MemoryProjectionStore } from '../memory/projectionStore.js'
import type { Projection } from '../ports/projectionStore.js'
import { createProjector } from './projector.js'
import {
  foldTransfer,
  initialTransferProjection,
  projectTransfer,
  type TransferProjection,
} from './transferProjection.js'

const metadata = { correlationId: 'c', causationId: 'c' }
const open = () => {
  const events = new MemoryEventStore<TransferEvent>({ now: () => 0 })
  const projections = new MemoryProjectionStore<TransferProjection>()
  const projector = createProjector({ events, projections, initial: initialTransferProjection, fold: foldTransfer })
  return { events, projections, projector }
}
const chunks = Array.from({ length: 10 }, (_, chunk) => acked('r1', [chunk, 1]))

test('a stream without events has no projection', async () => {
  const { projector, projections } = open()
  expect(await projector.catchUp('tr1')).toBeUndefined()
  expect(await projections.all()).toEqual([])
})

test('each wake-up takes in what is there, and a needless one nothing', async () => {
  const { projector, events } = open()
  await events.append('tr1', 0, sending, metadata)
  expect((await projector.catchUp('tr1'))?.cursor).toBe(8)
  await events.append('tr1', 8, chunks, metadata)
  const caughtUp = await projector.catchUp('tr1')
  expect(caughtUp?.state).toEqual(projectTransfer(await events.read('tr1')))
  expect(await projector.catchUp('tr1')).toEqual(caughtUp)
})

test('a stream longer than one batch is taken in whole', async () => {
  const { projector, events } = open()
  const limits = Array.from(
    { length: 1200 },
    (_, limit): TransferEvent => ({
      type: 'LimitChanged',
      data: { limit, by: 'test' },
    }),
  )
  await events.append('tr1', 0, [...receiving, ...limits], metadata)
  expect((await projector.catchUp('tr1'))?.cursor).toBe(1207)
})

test('workers that run at once, twice and in any order come to the same projection', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const { events, projections } = open()
      await events.append('tr1', 0, sending, metadata)
      const projector = createProjector({
        events: {
          read: scheduler.scheduleFunction((streamId: string, from?: number, limit?: number) =>
            events.read(streamId, from, limit),
          ),
        },
        projections: {
          get: scheduler.scheduleFunction((streamId: string) => projections.get(streamId)),
          compareAndSet: scheduler.scheduleFunction(
            (streamId: string, expected: number, next: Projection<TransferProjection>) =>
              projections.compareAndSet(streamId, expected, next),
          ),
        },
        initial: initialTransferProjection,
        fold: foldTransfer,
      })
      const work = [1, 2, 3].map(() => projector.catchUp('tr1'))
      for (const [index, chunk] of chunks.entries()) await events.append('tr1', 8 + index, [chunk], metadata)
      await scheduler.waitAll()
      await Promise.all(work)
      const last = projector.catchUp('tr1')
      await scheduler.waitAll()
      expect((await last)?.state).toEqual(projectTransfer(await events.read('tr1')))
    }),
    { numRuns: 50 },
  )
})
