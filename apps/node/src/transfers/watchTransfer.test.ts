/** Watching a transfer whose log is lost and built again meanwhile. */
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
import { TransferRecords } from '../records/transferRecord.js'
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
