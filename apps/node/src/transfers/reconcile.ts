/**
 * What a node does at its start, rather than wait for the queues to notice: every unfinished transfer gets a wake-up of
 * its own, and one whose stream is gone (Redis lost everything) gets it again from its record.
 */

import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { eventIdOf } from '@godwit/protocol/events'
import type { Queues } from '@godwit/redis/queues'
import type { Logger } from 'pino'
import { forEachIndex } from '../files/concurrently.js'
import { Staging } from '../files/staging.js'
import type { TransferRecord, TransferRecords } from '../records/transferRecord.js'
import { chunkCountOf, logEnqueued } from './enqueue.js'
import type { TransferLog } from './transferLog.js'

/** Transfers looked at together: their questions to Redis share its answers' way. */
const AT_ONCE = 50

export interface ReconcileDeps {
  readonly log: TransferLog
  readonly records: TransferRecords
  readonly queues: Pick<Queues, 'wake'>
  readonly logger: Logger
}

export const reconcile = async ({ log, records, queues, logger }: ReconcileDeps): Promise<void> => {
  const occasion = `start-${Date.now().toString(36)}`
  const ids = records.ids()
  await forEachIndex(
    ids.length,
    (index) => takeUp({ log, records, queues, logger }, ids[index] ?? '', occasion),
    AT_ONCE,
  )
}

/**
 * Brings a transfer that nobody runs here to where it can be run, and wakes it: builds its stream again where that is
 * gone, lets it end where the record knows that it has, and closes the sessions that it had.
 *
 * @param occasion - letters, digits and dashes, told apart from other occasions of the same transfer.
 */
export const takeUp = async (
  { log, records, queues, logger }: ReconcileDeps,
  transferId: string,
  occasion: string,
): Promise<void> => {
  const record = records.get(transferId)
  if (record === undefined) return
  if ((await log.read(transferId)) === undefined) {
    // Why it failed is not known any more.
    if (record.ended === 'failed') return
    logger.warn({ transferId }, 'the log of this transfer is gone: it is built again from its record')
    await logEnqueued(log, record, chunkCountOf(records, record))
  }
  await endAsRecorded(log, records, record)
  // One that failed may have been asked to go on.
  if (record.ended !== null && record.ended !== 'failed') return
  const projection = await log.read(transferId)
  if (projection === undefined) return
  await closeLostSessions(log, projection)
  await queues.wake('transfers', { streamId: transferId, eventId: eventIdOf(transferId, projection.version) }, occasion)
}

/** A log that lost its end may not know that the transfer has ended; whatever else it knows stays as it is. */
const endAsRecorded = async (log: TransferLog, records: TransferRecords, record: TransferRecord): Promise<void> => {
  const { transferId, totalBytes } = record
  if (record.ended === 'cancelled') await log.execute(transferId, { type: 'cancel', by: 'record' })
  else if (record.ended === 'completed' || (await isComplete(records, record))) {
    await log.execute(transferId, { type: 'complete', seconds: 0, recordedBytes: totalBytes })
  }
}

/** Whether the receivers wanted have said that they have everything; or, here, all files have had their names. */
const isComplete = async (records: TransferRecords, record: TransferRecord): Promise<boolean> => {
  if (record.role === 'sender') return record.receiversDone.length >= record.receiversWanted
  if (record.output === null || records.readFiles(record.transferId) === undefined) return false
  try {
    // The staging goes when the end is recorded.
    return !(await Staging.isThere(record.output, record.transferId))
  } catch {
    return false
  }
}

/** Sessions that were running when the node died are gone: the log says so before a new one is opened. */
export const closeLostSessions = async (
  log: TransferLog,
  { transferId, transfer }: TransferProjection,
): Promise<void> => {
  if (transfer.status === 'none') return
  for (const { id: receiver, session } of transfer.run.receivers) {
    if (session === undefined) continue
    await log.execute(transferId, {
      type: 'loseSession',
      receiver,
      session: session.number,
      reason: 'ERR_SESSION_LOST',
    })
  }
}
