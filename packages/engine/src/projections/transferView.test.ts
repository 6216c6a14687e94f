import { transferProgressSchema, transferViewSchema } from '@godwit/protocol/api'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { expect, test } from 'vitest'
import {
  accepted,
  acked,
  admitted,
  enqueuedSend,
  entered,
  failed,
  filesCompleted,
  lost,
  offered,
  opened,
  paused,
  receiverCompleted,
  receiving,
  sending,
  transferCompleted,
} from '../domain/transfer/testHistory.js'
import { foldTransfer, initialTransferProjection, projectTransfer } from './transferProjection.js'
import { progressOf, viewOf } from './transferView.js'

const id = 'traaaaaaaaaaaaaaaa'
/** Recorded one second after another. */
const recorded = (...events: readonly TransferEvent[]): readonly RecordedEvent<TransferEvent>[] =>
  events.map((event, index) => ({
    id: `${id}.${index + 1}`,
    streamId: id,
    version: index + 1,
    type: event.type,
    data: event.data,
    recordedAt: 1_700_000_000_000 + index * 1000,
    correlationId: 'c',
    causationId: 'c',
    schema: 1,
  }))
const project = (...events: readonly TransferEvent[]) => projectTransfer(recorded(...events))
const progress = (...events: readonly TransferEvent[]) => progressOf(project(...events))
const record = { names: ['film.mkv'], output: null }
const window = (receiver: string, range: [number, number], sinceMs: number): TransferEvent => {
  const event = acked(receiver, range)
  return event.type === 'ChunksAcked' ? { type: event.type, data: { ...event.data, sinceMs } } : event
}

test('the views have the shape that clients are promised, at every point of a history', () => {
  const history = [
    ...sending,
    acked('r1', [0, 10]),
    filesCompleted('r1', 0, 3),
    receiverCompleted('r1'),
    transferCompleted,
  ]
  for (let length = 1; length <= history.length; length += 1) {
    const projection = project(...history.slice(0, length))
    expect(transferProgressSchema.parse(progressOf(projection))).toEqual(progressOf(projection))
    expect(transferViewSchema.parse(viewOf(projection, record))).toEqual(viewOf(projection, record))
    expect(JSON.parse(JSON.stringify(projection))).toEqual(projection)
  }
  expect(viewOf(project(...history), record)).toMatchObject({
    state: 'completed',
    bytesDone: 1000,
    filesDone: 3,
    rate: 0,
    etaSeconds: null,
    seconds: 2.5,
    lostPackets: 2,
    retransmittedBytes: 30,
    corruptedPackets: 1,
    createdAt: '2023-11-14T22:13:20.000Z',
    updatedAt: '2023-11-14T22:13:31.000Z',
    version: 12,
  })
})

test('an event that was taken in already changes nothing', () => {
  const events = recorded(...sending, acked('r1', [0, 4]))
  const once = projectTransfer(events)
  expect([...events, ...events].reduce(foldTransfer, once)).toBe(once)
  expect(projectTransfer(events.slice(3), projectTransfer(events.slice(0, 5)))).toEqual(once)
  expect(projectTransfer([], initialTransferProjection)).toBe(initialTransferProjection)
})

test('the rate is smoothed over windows by their length, and tells when the rest will be there', () => {
  expect(progress(...sending)).toMatchObject({ state: 'transferring', rate: 0, etaSeconds: null })
  expect(progress(...sending, window('r1', [0, 4], 500))).toMatchObject({ bytesDone: 400, rate: 800, etaSeconds: 0.8 })
  const slower = progress(...sending, window('r1', [0, 4], 500), window('r1', [4, 1], 500))
  expect(slower.rate).toBeGreaterThan(600)
  expect(slower.rate).toBeLessThan(800)
  const long = progress(...sending, window('r1', [0, 4], 500), window('r1', [4, 1], 60_000))
  expect(long.rate).toBe(2)
})

test('nothing moves while the session is lost, the transfer pauses or has failed', () => {
  const moving = [...sending, window('r1', [0, 4], 500)]
  for (const end of [lost('r1', 1), paused('user'), failed]) {
    expect(progress(...moving, end)).toMatchObject({ bytesDone: 400, rate: 0, etaSeconds: null })
    expect(viewOf(project(...moving, end), record).session).toMatchObject({ isOpen: false, mtu: 1472, lanes: 1 })
  }
  expect(progress(...moving, lost('r1', 1), opened('r1', 2), window('r1', [4, 1], 500)).rate).toBe(200)
})

test('what is done is what as many receivers as are wanted have', () => {
  const two = [enqueuedSend({ capacity: 3, receiversWanted: 2 }), ...sending.slice(1), window('r1', [0, 6], 500)]
  const second = [admitted('r2', 4), opened('r2', 1), offered('r2'), accepted('r2'), window('r2', [0, 2], 500)]
  expect(progress(...two).bytesDone).toBe(0)
  expect(progress(...two, ...second)).toMatchObject({ bytesDone: 200, rate: 1600, etaSeconds: 2 })
  const third = [admitted('r3', 5), opened('r3', 1), offered('r3'), accepted('r3'), window('r3', [0, 10], 500)]
  expect(progress(...two, ...second, ...third).bytesDone).toBe(600)
})

test('a view says why a transfer rests', () => {
  expect(viewOf(project(...receiving, paused('diskFull')), record).reason?.code).toBe('ERR_DISK_FULL')
  expect(viewOf(project(...receiving, paused('user')), record).reason?.code).toBe('user')
  expect(viewOf(project(...receiving, failed), record).reason).toMatchObject({ code: 'ERR_NO_PATH' })
  expect(viewOf(project(...receiving), record)).toMatchObject({
    reason: null,
    session: { path: 'host', mtu: 1472, trains: true, rttUs: 0 },
    rendezvous: 'http://127.0.0.1:1',
  })
  expect(viewOf(project(enqueuedSend(), entered(null)), record)).toMatchObject({ bytesTotal: 1000, fileCount: 3 })
  expect(viewOf(project(enqueuedSend({ profile: 'lossy' })), record).profile).toBe('lossy')
})
