/** Watching a transfer: who has paired, and a log that is lost and built again meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routeOf } from '@godwit/engine/domain/transfer/routes'
import { MemoryEventStore } from '@godwit/engine/memory/eventStore'
import { MemoryProjectionStore } from '@godwit/engine/memory/projectionStore'
import { createProjector } from '@godwit/engine/projections/projector'
import {
  foldTransfer,
  initialTransferProjection,
  type TransferProjection,
} from '@godwit/engine/projections/transferProjection'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { expect, test } from 'vitest'
import { type TransferRecord, TransferRecords } from '../records/transferRecord.js'
import { blankRecord } from './enqueue.js'
import { TransferLog } from './transferLog.js'
import { watchTransfer } from './watchTransfer.js'

const ID = 'traaaaaaaaaaaaaaaa'
const ENQUEUE = {
  type: 'enqueue',
  role: 'receiver',
  submissionId: 's',
  capacity: 1,
  receiversWanted: 1,
  limit: null,
  profile: null,
  fileCount: 0,
  totalBytes: 0,
  chunkCount: 0,
  acceptsAtOnce: true,
} as const

const RECORD: TransferRecord = { ...blankRecord('s', '', 'sender'), transferId: ID }

test('who watches is told the end, though the log was built again with fewer events', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-watch-'))
  let now = 1000
  const events = new MemoryEventStore<TransferEvent>({ now: () => now, routeOf })
  const projections = new MemoryProjectionStore<TransferProjection>()
  const projector = createProjector({
    events,
    projections,
    initial: initialTransferProjection,
    fold: foldTransfer,
  })
  const log = new TransferLog(events, projector)
  const records = new TransferRecords(folder)
  await log.execute(ID, ENQUEUE)
  for (const limit of [5000, 6000, 7000]) await log.execute(ID, { type: 'changeLimit', limit, by: 'user' })
  const lines = watchTransfer(log, records, ID, 0, new AbortController().signal)
  expect((await lines.next()).value?.line).toMatchObject({ type: 'transfer.progress' })
  const rest: string[] = []
  const ended = (async () => {
    for await (const { line } of lines) rest.push(line.type)
  })()
  await events.delete(ID)
  await projections.delete(ID)
  log.forget(ID)
  now = 2000
  await log.execute(ID, ENQUEUE)
  await log.execute(ID, { type: 'cancel', by: 'user' })
  await ended
  expect(rest.at(-1)).toBe('transfer.failed')
  rmSync(folder, { recursive: true })
})

test("who watches a sender is told each receiver's verification words once, before they are asked for", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-watch-'))
  const events = new MemoryEventStore<TransferEvent>({ now: () => 1000, routeOf })
  const projections = new MemoryProjectionStore<TransferProjection>()
  const log = new TransferLog(
    events,
    createProjector({ events, projections, initial: initialTransferProjection, fold: foldTransfer }),
  )
  const records = new TransferRecords(folder)
  records.put({ ...RECORD, receiverWords: { r1: 'amber brick cloud delta' } })
  await log.execute(ID, { ...ENQUEUE, role: 'sender' })
  await log.execute(ID, {
    type: 'enterRoom',
    roomId: 'room',
    nameplate: '4821',
    rendezvousUrl: 'http://192.0.2.1:1',
    advertise: null,
    receiver: null,
  })
  const joined = { type: 'ReceiverJoined', data: { receiver: 'r1', roomVersion: 2 } } as const
  const admitted = { type: 'ReceiverAdmitted', data: { receiver: 'r1', roomVersion: 3 } } as const
  for (const event of [joined, admitted]) await log.execute(ID, { type: 'mirrorRoomEvent', event })

  const lines = watchTransfer(log, records, ID, 0, new AbortController().signal)
  expect((await lines.next()).value?.line).toMatchObject({ type: 'transfer.progress', state: 'connecting' })
  await log.execute(ID, { type: 'pair', receiver: 'r1', name: 'heron' })
  expect((await lines.next()).value?.line).toEqual({
    type: 'transfer.paired',
    transferId: ID,
    receiver: 'r1',
    name: 'heron',
    verification: 'amber brick cloud delta',
  })
  await log.execute(ID, { type: 'cancel', by: 'user' })
  const rest: string[] = []
  for await (const { line } of lines) rest.push(line.type)
  expect(rest).not.toContain('transfer.paired')
  expect(rest.at(-1)).toBe('transfer.failed')
  rmSync(folder, { recursive: true })
})
