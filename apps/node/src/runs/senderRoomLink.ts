/**
 * The room of a sending transfer, as its owner keeps it: opened, opened again when the rendezvous has lost it, watched,
 * and closed when the transfer is over. What comes out of it is the caller's.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { runOf, type Run as TransferRun } from '@godwit/engine/domain/transfer/state'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { GUESSES_MAX_GENERATED, GUESSES_MAX_PASSWORD, ROOM_IDLE_TTL_MS } from '@godwit/protocol/limits'
import type { RoomCommandInput, RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { generateWords } from '@godwit/protocol/words'
import { Secret } from '../crypto/secret.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import type { TransferRecord } from '../records/transferRecord.js'
import { isMendedByWaiting, RetryTimer } from '../rendezvous/backoff.js'
import { NO_SECRETS, type TransferSecrets } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { cursorKeeping, RoomLink } from './roomLink.js'
import type { Execute, Rendezvous, RunContext } from './runContext.js'

type RoomCommand = RoomCommandInput['command']

export interface SenderRoomLinkOptions {
  readonly context: RunContext
  readonly transferId: string
  readonly execute: Execute
  /** The room is entered; nothing of it is taken in before this is done. Never rejects. */
  readonly onEntered: () => Promise<void>
  readonly onItem: (item: RoomFeedItem) => Promise<void>
  /** The rendezvous does not know the room any more. */
  readonly onGone: (failure: Failure) => void
  /** What could not be done is to be tried again. */
  readonly retry: () => void
}

export class SenderRoomLink {
  readonly #options: SenderRoomLinkOptions
  #link: RoomLink | undefined
  #client: Rendezvous | undefined
  #roomId = ''
  #token = ''
  /** Set when the rendezvous lost the room: the next opening is that of another one. */
  #wasLost = false
  /** The room is over: it cannot be entered again. */
  #closed: Failure | undefined
  readonly #retry: RetryTimer

  constructor(options: SenderRoomLinkOptions) {
    this.#options = options
    this.#retry = new RetryTimer(options.retry)
  }

  get client(): Rendezvous | undefined {
    return this.#client
  }

  /** Opens the room and watches it. True when that stands, false when it is tried again later. */
  async enter(record: TransferRecord): Promise<Result<boolean>> {
    if (this.#link !== undefined) return ok(true)
    if (this.#closed !== undefined) return { ok: false, failure: this.#closed }
    const { context, transferId, onEntered, onItem, onGone } = this.#options
    const opened = await this.#open(record)
    if (!opened.ok) {
      context.logger.warn({ transferId }, `no room yet: ${describe(opened.failure)}`)
      return this.#retryLater(opened.failure) ? ok(false) : opened
    }
    this.#retry.succeeded()
    const link = new RoomLink({
      client: opened.value,
      roomId: this.#roomId,
      token: this.#token,
      ...cursorKeeping(context.records, transferId, this.#roomId, (await this.#known())?.mirroredVersion ?? 0),
      onItem,
      onGone,
      onTrouble: (trouble) => context.logger.info({ transferId }, trouble),
    })
    this.#link = link
    // Nothing here waits for the rendezvous to take what is posted.
    void onEntered().finally(() => link.start())
    return ok(true)
  }

  async post(message: Uint8Array, receiver: string): Promise<void> {
    await this.#link?.post(message, receiver)
  }

  async command(command: RoomCommand): Promise<Result<unknown>> {
    if (this.#client === undefined) return fail('ERR_RENDEZVOUS_UNREACHABLE')
    return this.#client.command(this.#token, this.#roomId, command)
  }

  /** The room was closed, by whomever: it is not to be entered again. */
  over(failure: Failure): void {
    this.#closed = failure
    this.#leave()
  }

  /** The rendezvous has lost the room: it is opened again, and what was read of it means nothing in the new one. */
  lost(): void {
    this.#wasLost = true
    this.#options.context.records.removeCursor(this.#options.transferId)
    this.#leave()
    this.#retryLater({ code: 'ERR_RENDEZVOUS_UNREACHABLE' })
  }

  /**
   * Closes the room for good, whoever opened it: this run or one before a crash. True when it is closed, false when
   * that is tried again; a room that cannot be reached for long enough has closed by itself.
   */
  async close(
    { transfer, endedAt }: TransferProjection,
    record: TransferRecord,
    reason: Extract<RoomCommand, { type: 'close' }>['reason'],
  ): Promise<boolean> {
    const room = runOf(transfer)?.room
    // One that was opened while the transfer ended is not in the log any more.
    const roomId = room?.roomId ?? this.#roomId
    if (roomId === '' || room?.isClosed === true) return true
    const secrets = await this.#options.context.secrets.read(this.#options.transferId)
    const token = secrets.ok ? secrets.value?.roomToken?.text() : undefined
    if (token === undefined) return true
    const found = await this.#clientOf(record)
    const closed = found.ok ? await found.value.client.command(token, roomId, { type: 'close', reason }) : found
    if (closed.ok || Date.now() - (endedAt ?? 0) > ROOM_IDLE_TTL_MS) return true
    return !this.#retryLater(closed.failure)
  }

  async stop(): Promise<void> {
    this.#retry.stop()
    await this.#link?.stop()
  }

  #leave(): void {
    void this.#link?.stop()
    this.#link = undefined
  }

  /** False for what waiting cannot mend. */
  #retryLater(failure: Failure): boolean {
    if (!isMendedByWaiting(failure)) return false
    this.#retry.failed()
    return true
  }

  async #clientOf(record: TransferRecord): Promise<Result<{ client: Rendezvous; advertise: string | null }>> {
    const { context } = this.#options
    if (record.rendezvous !== null) return ok({ client: context.clientOf(record.rendezvous), advertise: null })
    const own = await context.ownRendezvous()
    if (!own.ok) return own
    return ok({ client: context.clientOf(own.value.url), advertise: record.advertise ?? own.value.advertise })
  }

  async #open(record: TransferRecord): Promise<Result<Rendezvous>> {
    const secrets = await this.#secrets()
    if (!secrets.ok) return secrets
    this.#token = secrets.value.roomToken?.text() ?? ''
    const found = await this.#clientOf(record)
    if (!found.ok) return found
    const { client, advertise } = found.value
    const opened = await this.#openAs(client, record)
    if (!opened.ok) return opened
    crashPoint('roomAnswered')
    this.#client = client
    this.#roomId = opened.value.roomId
    const { nameplate } = opened.value
    // The code that is out carries it: should rendezvous and log lose the room, it is opened under the same.
    const { records } = this.#options.context
    if (record.nameplate !== nameplate) records.update(this.#options.transferId, { nameplate })
    const recorded = await this.#options.execute({
      type: 'enterRoom',
      roomId: opened.value.roomId,
      nameplate,
      rendezvousUrl: client.url,
      advertise,
      receiver: null,
      ...(this.#wasLost ? { isAnother: true } : {}),
    })
    if (!recorded.ok) return recorded
    crashPoint('roomEnteredAppended')
    this.#wasLost = false
    return ok(client)
  }

  /**
   * Under the name that it has, or had: a rendezvous that lost its rooms then leads the receivers of the old one here
   * again. A nameplate that somebody else got meanwhile is given up.
   */
  async #openAs(client: Rendezvous, record: TransferRecord): ReturnType<Rendezvous['open']> {
    const name = record.roomName ?? (await this.#known())?.nameplate ?? record.nameplate ?? undefined
    const input = { capacity: record.capacity, guessesMax: guessesMax(record) }
    const opened = await client.open(this.#token, name === undefined ? input : { ...input, name })
    const isTaken = !opened.ok && opened.failure.code === 'ERR_ROOM_NAME_TAKEN' && record.roomName === null
    return isTaken ? client.open(this.#token, input) : opened
  }

  /** The room as the log knows it. */
  async #known(): Promise<TransferRun['room']> {
    return runOf((await this.#options.context.log.read(this.#options.transferId))?.transfer)?.room
  }

  /** The room's secrets, made on first use: the words (unless the user brought a password), the token, the keys. */
  async #secrets(): Promise<Result<TransferSecrets>> {
    const { context, transferId } = this.#options
    const updated = await context.secrets.update(transferId, (before) => {
      const secrets = before ?? NO_SECRETS
      if (secrets.roomToken !== null && secrets.roomKey !== null && secrets.passphrase !== null) return null
      const keys = context.crypto.ed25519KeyPair()
      return {
        ...secrets,
        passphrase: secrets.passphrase ?? {
          kind: 'words',
          text: Secret.fromText(generateWords((max) => randomInt(max)).join('-')),
        },
        roomToken: secrets.roomToken ?? Secret.fromText(randomBytes(32).toString('base64url')),
        roomSalt: secrets.roomSalt ?? new Secret(context.crypto.randomBytes(16)),
        roomKey: secrets.roomKey ?? { publicKey: new Secret(keys.publicKey), secretKey: new Secret(keys.secretKey) },
      }
    })
    if (!updated.ok) return updated
    return ok(updated.value ?? NO_SECRETS)
  }
}

/** A user's own password is weaker than generated words: fewer guesses. */
export const guessesMax = (record: TransferRecord): number =>
  record.roomName === null ? GUESSES_MAX_GENERATED : GUESSES_MAX_PASSWORD
