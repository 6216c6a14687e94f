/** A node's event log: the streams of its transfers with their projections. */
import { routeOf } from '@godwit/engine/domain/transfer/routes'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { transferEventSchema } from '@godwit/protocol/transferEvents'
import { TRANSFER_EVENT_SCHEMA, upcastTransferEvent } from '@godwit/protocol/transferEventUpcasts'
import type { RedisAccess } from './connection.js'
import type { EventCodec } from './eventCodec.js'
import { type Log, openLog } from './log.js'

export const transferEventCodec: EventCodec<TransferEvent> = {
  schemaVersion: TRANSFER_EVENT_SCHEMA,
  parser: transferEventSchema,
  upcast: upcastTransferEvent,
}

export type TransferLog = Log<TransferEvent, TransferProjection>

/** Opens it; see `openLog`. */
export const openTransferLog = (access: RedisAccess, now: () => number = Date.now): TransferLog =>
  openLog<TransferEvent, TransferProjection>({
    ...access,
    codec: transferEventCodec,
    routeOf,
    projection: 'transfers.3',
    now,
  })
