/**
 * The room of a receiving transfer, as one of its members sees it: entered, entered again after it was lost, watched, and
 * left when the transfer is over. What comes out of it is the caller's.
 */
import { randomBytes } from 'node:crypto'
import { runOf } from '@godwit/engine/domain/transfer/state'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { Failure, Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import { ROOM_IDLE_TTL_MS } from '@godwit/protocol/limits'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { Secret } from '../crypto/secret.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import type { TransferRecord } from '../records/transferRecord.js'
import { isMendedByWaiting, RetryTimer } from '../rendezvous/backoff.js'
import { NO_SECRETS, type TransferSecrets } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { cursorKeeping, RoomLink } from './roomLink.js'
import type { Execute, Rendezvous, RunContext } from './runContext.js'

/** Milliseconds for which a receiver that has everything looks for a room that was lost. */
const COMPLETED_PATIENCE_MS = 600_000

export interface ReceiverRoomLinkOptions {
  readonly context: RunContext
  readonly transferId: string
  readonly execute: Execute
  readonly onItem: (item: RoomFeedItem) => Promise<void>
  /** The rendezvous does not know the room any more. */
  readonly onGone: (failure: Failure) => void
  /** What could not be done is to be tried again. */
  readonly retry: () => void
}

export class ReceiverRoomLink {
  readonly #options: ReceiverRoomLinkOptions
  #link: RoomLink | undefined
  #client: Rendezvous | undefined
  #receiver = ''
  #hasLeft = false
  readonly #retry: RetryTimer

  constructor(options: ReceiverRoomLinkOptions) {
    this.#options = options
    this.#retry = new RetryTimer(options.retry)
  }

  get client(): Rendezvous | undefined {
    return this.#client
  }

  /** Our id in the room; empty before the first entering. */
  get receiver(): string {
    return this.#receiver
  }

  get isEntered(): boolean {
    return this.#link !== undefined
  }

  /** Joins the room and watches it. True when that stands, false when it is tried again later. */
  async enter({ transfer, updatedAt }: TransferProjection, record: TransferRecord): Promise<Result<boolean>> {
    if (this.#link !== undefined) return ok(true)
    const known = runOf(transfer)?.room
    const { context, transferId, execute, onItem, onGone } = this.#options
    const secrets = await this.#secrets()
    if (!secrets.ok) return secrets
    const token = secrets.value.roomToken?.text() ?? ''
    const client = context.clientOf(record.rendezvous ?? '')
    this.#client = client
    const nameplate = record.nameplate ?? ''
    const joined = await client.join(token, nameplate)
    if (!joined.ok) {
      context.logger.warn({ transferId }, `not in the room yet: ${describe(joined.failure)}`)
      const wasInside = known !== undefined || Object.keys(secrets.value.resumptions).length > 0
      // The rendezvous has lost it: the sender opens it again under its old name as soon as it can.
      const isLost = wasInside && joined.failure.code === 'ERR_ROOM_NOT_FOUND'
      // One that has everything only wants to say so; a sender that knows does not open its room again.
      const patienceMs = transfer.status === 'completed' ? COMPLETED_PATIENCE_MS : ROOM_IDLE_TTL_MS
      const mayComeBack = isLost && Date.now() - updatedAt < patienceMs
      if (!mayComeBack && !isMendedByWaiting(joined.failure)) return joined
      this.#retry.failed()
      return ok(false)
    }
    crashPoint('roomAnswered')
    this.#retry.succeeded()
    const { roomId, receiver } = joined.value
    this.#receiver = receiver
    const entered = { type: 'enterRoom', roomId, nameplate, rendezvousUrl: client.url, advertise: null } as const
    const recorded = await execute({ ...entered, receiver })
    if (!recorded.ok) return recorded
    crashPoint('roomEnteredAppended')
    this.#link = new RoomLink({
      client,
      roomId,
      token,
      ...cursorKeeping(context.records, transferId, roomId, known?.roomId === roomId ? known.mirroredVersion : 0),
      onItem,
      onGone,
      onTrouble: (trouble) => context.logger.info({ transferId }, trouble),
    })
    this.#link.start()
    return ok(true)
  }

  async post(message: Uint8Array): Promise<void> {
    await this.#link?.post(message)
  }

  /** The room is over, or the rendezvous has lost it: what is left of it is found out by entering again. */
  forget(wasLost: boolean): void {
    // What was read of a room that was lost means nothing in another one of its name.
    if (wasLost) this.#options.context.records.removeCursor(this.#options.transferId)
    void this.#link?.stop()
    this.#link = undefined
  }

  /**
   * Leaves the room for good, whoever entered it: this run or one before a crash. True when that is done, false when it
   * is tried again; a room that cannot be reached for long enough is over by itself.
   */
  async leave({ transfer, endedAt }: TransferProjection, record: TransferRecord): Promise<boolean> {
    const room = runOf(transfer)?.room
    if (this.#hasLeft || room === undefined || room.isClosed) return true
    const { context, transferId } = this.#options
    const secrets = await context.secrets.read(transferId)
    const token = secrets.ok ? secrets.value?.roomToken?.text() : undefined
    if (token === undefined) return true
    const left = await context.clientOf(record.rendezvous ?? '').leave(token, room.roomId)
    const isOver = Date.now() - (endedAt ?? 0) > ROOM_IDLE_TTL_MS
    this.#hasLeft = left.ok || isOver || !isMendedByWaiting(left.failure)
    if (!this.#hasLeft) this.#retry.failed()
    return this.#hasLeft
  }

  async stop(): Promise<void> {
    this.#retry.stop()
    await this.#link?.stop()
  }

  async #secrets(): Promise<Result<TransferSecrets>> {
    const { context, transferId } = this.#options
    const updated = await context.secrets.update(transferId, (before) => {
      const secrets = before ?? NO_SECRETS
      if (secrets.roomToken !== null) return null
      return { ...secrets, roomToken: Secret.fromText(randomBytes(32).toString('base64url')) }
    })
    return updated.ok ? ok(updated.value ?? NO_SECRETS) : updated
  }
}
