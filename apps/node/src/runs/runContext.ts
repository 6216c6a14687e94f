/** What a running transfer works with: the node's parts, put together once by `main`. */

import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import type { WallTime } from '@godwit/engine/domain/transfer/hold'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import type { Result } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { Logger } from 'pino'
import type { DataPlane } from '../dataPlane/dataPlane.js'
import type { TransferRecords } from '../records/transferRecord.js'
import type { RendezvousClient } from '../rendezvous/rendezvousClient.js'
import type { SecretStore } from '../secrets/secretStore.js'
import type { TransferLog } from '../transfers/transferLog.js'
import type { SendingSlots } from './sendingSlots.js'
import type { SharedLimit } from './sharedLimit.js'

/** The rendezvous that this node hosts for senders that name none. */
export interface OwnRendezvous {
  /** For this node. */
  readonly url: string
  /** `host:port` for others, as codes carry it. */
  readonly advertise: string
}

/** What runs need of a rendezvous: its client. */
export type Rendezvous = Pick<
  RendezvousClient,
  'url' | 'open' | 'join' | 'command' | 'leave' | 'post' | 'watch' | 'addressQuestion'
>

/** What runs need of the data plane: sockets for sessions. */
export type SessionOpener = Pick<DataPlane, 'open'>

/** Decides a command on the run's transfer and records what it leads to. */
export type Execute = (command: TransferCommand) => Promise<Result<readonly RecordedEvent<TransferEvent>[]>>

export interface RunContext {
  readonly log: TransferLog
  readonly records: TransferRecords
  readonly secrets: SecretStore
  readonly plane: SessionOpener
  readonly crypto: HandshakeCrypto
  readonly logger: Logger
  readonly deviceName: string
  /** The IPv4 address that sessions bind to. */
  readonly listenHost: string
  /** Places of transfers that send at once. */
  readonly slots: SendingSlots
  /** The node's limit. */
  readonly sharedLimit: SharedLimit
  wallTime(): WallTime
  clientOf(url: string): Rendezvous
  /** Starts it when it does not run yet. */
  ownRendezvous(): Promise<Result<OwnRendezvous>>
}
