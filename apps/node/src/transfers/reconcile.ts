/**
 * What a node does at its start, rather than wait for the queues to notice: every unfinished transfer gets a wake-up of
 * its own, and one whose stream is gone (Redis lost everything) gets it again from its record.
 */

import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { eventIdOf } from '@godwit/protocol/events'
import type { Queues } from '@godwit/redis/queues'
import type { Logger } from 'pino'
import type { TransferRecords } from '../records/transferRecord.js'
import type { SecretStore } from '../secrets/secretStore.js'
import { chunkCountOf, logEnqueued } from './enqueue.js'
import { recordFinished } from './recordFinished.js'
import type { TransferLog } from './transferLog.js'

export interface ReconcileDeps {
  readonly log: TransferLog
  readonly records: TransferRecords
  readonly secrets: SecretStore
  readonly queues: Pick<Queues, 'wake'>
  readonly logger: Logger
}

export const reconcile = async ({ log, records, secrets, queues, logger }: ReconcileDeps): Promise<void> => {
  const occasion = `start-${Date.now().toString(36)}`
  for (const id of records.ids()) {
    const record = records.get(id)
    // One that failed may have been asked to go on.
    if (record === undefined || (record.ended !== null && record.ended !== 'failed')) continue
    const projection = await log.read(id)
    if (projection === undefined) {
      if (record.ended !== null) continue
      logger.warn({ transferId: id }, 'the log of this transfer is gone: it is built again from its record')
      await logEnqueued(log, record, chunkCountOf(records, record))
      await recordFinished({ log, records, secrets }, record)
      continue
    }
    await closeLostSessions(log, projection)
    await recordFinished({ log, records, secrets }, record)
    await queues.wake('transfers', { streamId: id, eventId: eventIdOf(id, projection.version) }, occasion)
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
