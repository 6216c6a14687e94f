/**
 * What a node does at its start, rather than wait for the queues to notice: every unfinished transfer gets a wake-up of
 * its own, and one whose stream is gone (Redis lost everything) gets it again from its record.
 */

import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { eventIdOf } from '@godwit/protocol/events'
import { countOf } from '@godwit/protocol/rangeSet'
import type { Queues } from '@godwit/redis/queues'
import type { Logger } from 'pino'
import { forEachIndex } from '../files/concurrently.js'
import type { TransferRecord, TransferRecords } from '../records/transferRecord.js'
import type { SecretStore } from '../secrets/secretStore.js'
import { chunkCountOf, logEnqueued } from './enqueue.js'
import { recordFinished } from './recordFinished.js'
import type { TransferLog } from './transferLog.js'

/** Transfers looked at together: their questions to Redis share its answers' way. */
const AT_ONCE = 50

export interface ReconcileDeps {
  readonly log: TransferLog
  readonly records: TransferRecords
  readonly secrets: SecretStore
  readonly queues: Pick<Queues, 'wake'>
  readonly logger: Logger
}

export const reconcile = async (deps: ReconcileDeps): Promise<void> => {
  const occasion = `start-${Date.now().toString(36)}`
  const ids = deps.records.ids()
  await forEachIndex(ids.length, (index) => takeUp(deps, ids[index] ?? '', occasion), AT_ONCE)
}

/**
 * Brings a transfer that nobody runs here to where it can be run, and wakes it: builds its stream again where that is
 * gone, lets it end where the record knows that it has, and closes the sessions that it had.
 *
 * @param occasion - letters, digits and dashes, told apart from other occasions of the same transfer.
 */
export const takeUp = async (deps: ReconcileDeps, transferId: string, occasion: string): Promise<void> => {
  const { log, records, queues, logger } = deps
  const record = records.get(transferId)
  if (record === undefined) return
  let projection = await log.read(transferId)
  if (projection === undefined) {
    // Why it failed is not known any more.
    if (record.ended === 'failed') return
    logger.warn({ transferId }, 'the log of this transfer is gone: it is built again from its record')
    await logEnqueued(log, record, chunkCountOf(records, record))
    projection = await log.read(transferId)
  }
  // One that failed may have been asked to go on.
  if (record.ended === 'completed' || record.ended === 'cancelled') {
    if (projection?.transfer.status !== record.ended) await endAsRecorded(log, record)
    return
  }
  if (projection === undefined) return
  await closeLostSessions(log, projection)
  await recordFinished(deps, record)
  await queues.wake('transfers', { streamId: transferId, eventId: eventIdOf(transferId, projection.version) }, occasion)
}

/** A log that lost its end may not know that the transfer has ended; whatever else it knows stays as it is. */
const endAsRecorded = async (
  log: TransferLog,
  { transferId, totalBytes, ended, missing }: TransferRecord,
): Promise<void> => {
  if (ended === 'cancelled') await log.execute(transferId, { type: 'cancel', by: 'record' })
  if (ended === 'completed') {
    await log.execute(transferId, {
      type: 'complete',
      seconds: 0,
      recordedBytes: totalBytes - (missing?.bytes ?? 0),
      ...(missing === null ? {} : { recordedMissing: { files: countOf(missing.files), code: missing.code } }),
    })
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
