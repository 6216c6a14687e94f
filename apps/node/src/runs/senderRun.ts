/**
 * A sending transfer while it runs: keeps the room open, admits receivers, answers their handshakes and keeps a data
 * session with each. What it learns it records first; what is recorded it acts on, here or after the job that the event
 * leads to.
 */

import { randomBytes, randomInt } from 'node:crypto'
import { type Receiver, receiverOf, type Run as TransferRun } from '@godwit/engine/domain/transfer/state'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { Failure, Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import { GUESSES_MAX_GENERATED, GUESSES_MAX_PASSWORD } from '@godwit/protocol/limits'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { generateWords } from '@godwit/protocol/words'
import { Secret } from '../crypto/secret.js'
import type { TransferRecord } from '../records/transferRecord.js'
import type { RendezvousClient } from '../rendezvous/rendezvousClient.js'
import { NO_SECRETS, type TransferSecrets } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { Admissions } from './admissions.js'
import { mirroredEventOf } from './mirroredEvents.js'
import { cursorKeeping, RoomLink } from './roomLink.js'
import type { Run } from './run.js'
import type { RunContext } from './runContext.js'
import { SenderPeer } from './senderPeer.js'
import { SenderRoom } from './senderRoom.js'
import { Serial } from './serial.js'

/** Phases of a receiver that has a place in the room. */
const SERVED: readonly Receiver['phase']['is'][] = ['admitted', 'offered', 'accepted']
/** Milliseconds before another try to open the room. */
const OPEN_RETRY_MS = 2000

export class SenderRun implements Run {
  readonly transferId: string
  readonly #context: RunContext
  readonly #serial = new Serial()
  readonly #peers = new Map<string, SenderPeer>()
  readonly #room: SenderRoom
  readonly #admissions = new Admissions()
  #admissionTimer: NodeJS.Timeout | undefined
  #link: RoomLink | undefined
  #client: RendezvousClient | undefined
  #roomId = ''
  #token = ''
  #isStopped = false
  #isOver = false
  #isPaused = false
  #retryTimer: NodeJS.Timeout | undefined
  /** Why the rendezvous says that the room is over; it counts once no session works. */
  #roomEnd: Failure | undefined
  /** Why the room could not be opened yet. */
  openFailure: Failure | undefined

  constructor(context: RunContext, transferId: string) {
    this.#context = context
    this.transferId = transferId
    this.#room = new SenderRoom(context, transferId)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  sync(): Promise<void> {
    return this.#serial.run(() => this.#sync())
  }

  retransmit(receiver: string, ranges: readonly RangePair[], reason: RetransmitReason): Promise<void> {
    return this.#serial.run(async () => this.#peers.get(receiver)?.requeue(ranges, reason))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#retryTimer)
    clearTimeout(this.#admissionTimer)
    for (const peer of this.#peers.values()) peer.close('shutdown')
    await this.#link?.stop()
    await this.#serial.settled()
    this.#room.close()
  }

  async #sync(): Promise<void> {
    if (this.#isStopped || this.#isOver) return
    const projection = await this.#context.log.read(this.transferId)
    const record = this.#context.records.get(this.transferId)
    if (projection === undefined || projection.transfer.status === 'none' || record === undefined) {
      await this.#finish()
      return
    }
    const { transfer } = projection
    switch (transfer.status) {
      case 'active':
        if (this.#roomEnd === undefined ? await this.#enter(projection, record) : await this.#outlives(this.#roomEnd)) {
          await this.#serve(record)
        }
        if (this.#isPaused) await this.#wakeReceivers(projection)
        this.#isPaused = false
        return
      case 'paused':
        this.#isPaused = true
        for (const peer of this.#peers.values()) peer.close('paused')
        return
      case 'failed':
        // A failure that waiting can mend leaves the room open: the receiver may try again. So may the user, in a room
        // that is asked for anew.
        this.#roomEnd = undefined
        for (const peer of this.#peers.values()) peer.fail({ code: transfer.code })
        return
      case 'cancelled':
        for (const peer of this.#peers.values()) peer.fail({ code: 'ERR_CANCELLED_BY_PEER' })
        await this.#closeRoom('cancelled')
        await this.#finish('cancelled')
        return
      case 'completed':
        // The last receiver still waits to hear that its completion is known.
        if ([...this.#peers.values()].some((peer) => peer.isConfirming)) return
        await this.#closeRoom('completed')
        await this.#finish('completed')
        return
    }
  }

  /** Opens the room and watches it; true when that stands. */
  async #enter(projection: TransferProjection, record: TransferRecord): Promise<boolean> {
    if (this.#link !== undefined) return true
    const entered = await this.#openRoom(record)
    if (!entered.ok) {
      this.openFailure = entered.failure
      this.#context.logger.warn({ transferId: this.transferId }, `no room yet: ${describe(entered.failure)}`)
      await this.#onOpenFailure(entered.failure)
      return false
    }
    this.openFailure = undefined
    for (const receiver of receiversOf(projection)) this.#peerOf(receiver.id)
    this.#link = new RoomLink({
      client: entered.value,
      roomId: this.#roomId,
      token: this.#token,
      ...cursorKeeping(this.#context.records, this.transferId, this.#roomId),
      onItem: (item) => this.#serial.run(() => this.#onItem(item)),
      onGone: (failure) => this.#spawn(() => this.#onRoomGone(failure)),
      onReachable: (failure) => {
        if (failure !== undefined) this.#context.logger.info({ transferId: this.transferId }, describe(failure))
      },
    })
    this.#link.start()
    // Receivers that were connected before a restart of this node learn at once that it is back.
    await this.#wakeReceivers(projection)
    return true
  }

  /** Tells those that are served to come for a session: what they had, or had begun, this side does not know any more. */
  async #wakeReceivers(projection: TransferProjection): Promise<void> {
    for (const { id, phase } of receiversOf(projection)) if (SERVED.includes(phase.is)) await this.#peerOf(id).wake()
  }

  async #onOpenFailure(failure: Failure): Promise<void> {
    if (failure.code === 'ERR_RENDEZVOUS_UNREACHABLE' || failure.code === 'ERR_RENDEZVOUS_REFUSED') {
      this.#retryTimer = setTimeout(() => this.#spawn(() => this.#sync()), OPEN_RETRY_MS)
      return
    }
    await this.#execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
  }

  async #openRoom(record: TransferRecord): Promise<Result<RendezvousClient>> {
    const secrets = await this.#secrets()
    if (!secrets.ok) return secrets
    this.#token = secrets.value.roomToken?.text() ?? ''
    const own = record.rendezvous === null ? await this.#context.ownRendezvous() : undefined
    if (own !== undefined && !own.ok) return own
    const url = record.rendezvous ?? own?.value.url ?? ''
    const client = this.#context.clientOf(url)
    const opened = await client.open(this.#token, {
      capacity: record.capacity,
      guessesMax: guessesMax(record),
      ...(record.roomName === null ? {} : { name: record.roomName }),
    })
    if (!opened.ok) return opened
    this.#client = client
    this.#roomId = opened.value.roomId
    const recorded = await this.#execute({
      type: 'enterRoom',
      roomId: opened.value.roomId,
      nameplate: opened.value.nameplate,
      rendezvousUrl: url,
      advertise: own === undefined ? null : (record.advertise ?? own.value.advertise),
      receiver: null,
    })
    return recorded.ok ? ok(client) : recorded
  }

  /** The room's secrets, made on first use: the words (unless the user brought a password), the token, the keys. */
  async #secrets(): Promise<Result<TransferSecrets>> {
    const { crypto } = this.#context
    const updated = await this.#context.secrets.update(this.transferId, (before) => {
      const secrets = before ?? NO_SECRETS
      if (secrets.roomToken !== null && secrets.roomKey !== null && secrets.passphrase !== null) return null
      const keys = crypto.ed25519KeyPair()
      return {
        ...secrets,
        passphrase: secrets.passphrase ?? {
          kind: 'words',
          text: Secret.fromText(generateWords((max) => randomInt(max)).join('-')),
        },
        roomToken: secrets.roomToken ?? Secret.fromText(randomBytes(32).toString('base64url')),
        roomSalt: secrets.roomSalt ?? new Secret(crypto.randomBytes(16)),
        roomKey: secrets.roomKey ?? { publicKey: new Secret(keys.publicKey), secretKey: new Secret(keys.secretKey) },
      }
    })
    if (!updated.ok) return updated
    return ok(updated.value ?? NO_SECRETS)
  }

  /** Admits the first in line while a place is free; each receiver that is admitted has its peer. */
  async #serve(record: TransferRecord): Promise<void> {
    const projection = await this.#context.log.read(this.transferId)
    if (projection === undefined || projection.transfer.status !== 'active') return
    const { run } = projection.transfer
    const served = run.receivers.filter(({ phase }) => SERVED.includes(phase.is)).length
    const waiting = run.receivers
      .filter(({ phase }) => phase.is === 'joined' || phase.is === 'inLine')
      .sort((a, b) => placeOf(a) - placeOf(b))
    const free = Math.max(0, record.capacity - served)
    for (const receiver of waiting.slice(0, free)) {
      const admitted = await this.#client?.command(this.#token, this.#roomId, { type: 'admit', receiver: receiver.id })
      if (admitted?.ok === false) {
        this.#context.logger.info({ transferId: this.transferId }, `not admitted: ${describe(admitted.failure)}`)
      }
    }
    for (const peer of this.#peers.values()) peer.setLimit(run.limit)
    this.#putOutSilent(run, waiting.length > free)
    if (run.room?.isLocked === true && !run.receivers.some(mayComplete)) {
      await this.#execute({ type: 'fail', code: 'ERR_ROOM_LOCKED', detail: null })
    }
  }

  /** Places of receivers that say nothing go to those who wait. */
  #putOutSilent(run: TransferRun, isSomebodyWaiting: boolean): void {
    const silent = run.receivers.filter((receiver) => receiver.phase.is === 'admitted' && !hasPaired(receiver))
    const overdue = this.#admissions.look(
      silent.map(({ id }) => id),
      performance.now(),
    )
    clearTimeout(this.#admissionTimer)
    if (!isSomebodyWaiting) return
    for (const receiver of overdue.receivers) {
      void this.#client?.command(this.#token, this.#roomId, { type: 'dismiss', receiver, reason: 'timeout' })
    }
    if (overdue.nextInMs !== undefined) {
      this.#admissionTimer = setTimeout(() => this.#spawn(() => this.#sync()), overdue.nextInMs)
    }
  }

  async #onItem(item: RoomFeedItem): Promise<void> {
    if (item.kind === 'message') {
      await this.#onMessage(item.from, new Uint8Array(Buffer.from(item.body, 'base64')))
      return
    }
    const event = mirroredEventOf(item)
    if (event === undefined) return
    await this.#execute({ type: 'mirrorRoomEvent', event })
    if (event.type === 'ReceiverLeft') this.#peers.get(event.data.receiver)?.onLeft()
    if (event.type === 'RoomClosed') {
      const isExpired = event.data.reason === 'expired'
      const detail = isExpired ? 'the room was open for too long' : 'the rendezvous closed the room'
      await this.#outlives({ code: 'ERR_ROOM_CLOSED', detail })
    }
  }

  /** Only of receivers that the log knows: a rendezvous could make up any number of them. */
  async #onMessage(from: string, message: Uint8Array): Promise<void> {
    if (!this.#peers.has(from)) {
      const projection = await this.#context.log.read(this.transferId)
      const isKnown = projection?.transfer.status !== 'none' && projection !== undefined
      if (!isKnown || receiverOf(projection.transfer.run, from) === undefined) return
    }
    await this.#peerOf(from).onMessage(message)
  }

  /**
   * The rendezvous says that the room is over. While sessions work it is not needed: true; what it was lost for fails the
   * transfer when the last of them has ended.
   */
  async #outlives(failure: Failure): Promise<boolean> {
    this.#roomEnd = failure
    void this.#link?.stop()
    this.#link = undefined
    if ([...this.#peers.values()].some((peer) => peer.isEstablished)) return true
    const projection = await this.#context.log.read(this.transferId)
    if (projection?.transfer.status !== 'active') return false
    await this.#execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
    return false
  }

  async #onRoomGone(failure: Failure): Promise<void> {
    await this.#link?.stop()
    this.#link = undefined
    const projection = await this.#context.log.read(this.transferId)
    if (projection?.transfer.status !== 'active') return
    // A rendezvous that lost its rooms: the same token opens the room again, under another nameplate.
    if (failure.code === 'ERR_ROOM_NOT_FOUND') {
      this.#retryTimer = setTimeout(() => this.#spawn(() => this.#sync()), OPEN_RETRY_MS)
      return
    }
    await this.#outlives(failure)
  }

  #peerOf(receiver: string): SenderPeer {
    const known = this.#peers.get(receiver)
    if (known !== undefined) return known
    const peer = new SenderPeer({
      context: this.#context,
      transferId: this.transferId,
      receiver,
      room: this.#room,
      client: () => this.#client,
      post: (message) => void this.#link?.post(message, receiver),
      command: (command) => void this.#client?.command(this.#token, this.#roomId, command),
      execute: (command) => this.#execute(command),
      spawn: (task) => this.#spawn(task),
      sync: () => this.#spawn(() => this.#sync()),
    })
    this.#peers.set(receiver, peer)
    return peer
  }

  async #closeRoom(reason: 'completed' | 'cancelled'): Promise<void> {
    await this.#client?.command(this.#token, this.#roomId, { type: 'close', reason })
  }

  async #finish(ended?: TransferRecord['ended']): Promise<void> {
    this.#isOver = true
    clearTimeout(this.#admissionTimer)
    for (const peer of this.#peers.values()) peer.close('done')
    this.#room.close()
    void this.#link?.stop()
    if (ended === undefined) return
    // First: a transfer that is marked as ended is not looked at again.
    await this.#context.secrets.delete(this.transferId)
    this.#context.records.update(this.transferId, { ended })
  }

  #execute(command: Parameters<RunContext['log']['execute']>[1]) {
    return this.#context.log.execute(this.transferId, command)
  }

  #spawn(task: () => Promise<void>): void {
    this.#serial.spawn(task, (error) => {
      if (this.#isStopped) return
      this.#context.logger.error({ transferId: this.transferId, err: error }, 'a step of a sending transfer failed')
    })
  }
}

/** A user's own password is weaker than generated words: fewer guesses. */
export const guessesMax = (record: TransferRecord): number =>
  record.roomName === null ? GUESSES_MAX_GENERATED : GUESSES_MAX_PASSWORD

const receiversOf = ({ transfer }: TransferProjection): readonly Receiver[] =>
  transfer.status === 'none' ? [] : transfer.run.receivers

/** Those that were never put in line came before those that were. */
const placeOf = ({ phase }: Receiver): number => (phase.is === 'inLine' ? phase.place : 0)

/** The handshake has told the device's name, or an older session has. */
const hasPaired = ({ name, sessionCount }: Receiver): boolean => name !== '' || sessionCount > 0

/** Whether a receiver can still get everything in a room that takes nobody in any more. */
const mayComplete = (receiver: Receiver): boolean => SERVED.includes(receiver.phase.is) && hasPaired(receiver)
