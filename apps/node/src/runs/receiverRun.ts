/**
 * A receiving transfer while it runs: joins the room, pairs when it is admitted, takes the offer to the user, and keeps
 * a data session until everything has its name. It is the side that connects again: whatever breaks, it begins a
 * resumption handshake until the two are together.
 */
import { randomBytes } from 'node:crypto'
import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { type Receiver, receiverOf } from '@godwit/engine/domain/transfer/state'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { CandidatePolicy } from '@godwit/protocol/candidates'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { Failure, Result } from '@godwit/protocol/errors'
import { ERRORS, ok } from '@godwit/protocol/errors'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { decodeWake, type SignedWake } from '@godwit/protocol/wakeMessage'
import { Secret } from '../crypto/secret.js'
import { hostAddresses, isLoopbackOnly } from '../network/hostAddresses.js'
import { openPeerSocket } from '../network/peerSocket.js'
import type { TransferRecord } from '../records/transferRecord.js'
import type { RendezvousClient } from '../rendezvous/rendezvousClient.js'
import { NO_SECRETS, type TransferSecrets } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { mirroredEventOf } from './mirroredEvents.js'
import { PeerSession } from './peerSession.js'
import { ReceiverConnector } from './receiverConnector.js'
import { ReceiverData } from './receiverData.js'
import { cursorKeeping, RoomLink } from './roomLink.js'
import type { Run } from './run.js'
import type { RunContext } from './runContext.js'
import { Serial } from './serial.js'

/** Milliseconds before another try to join the room. */
const JOIN_RETRY_MS = 2000

export class ReceiverRun implements Run {
  readonly transferId: string
  readonly #context: RunContext
  readonly #serial = new Serial()
  #link: RoomLink | undefined
  #client: RendezvousClient | undefined
  #roomId = ''
  #token = ''
  /** Our id in the room. */
  #receiver = ''
  readonly #candidatePolicy: CandidatePolicy
  readonly #connector: ReceiverConnector
  readonly #data: ReceiverData
  #joinTimer: NodeJS.Timeout | undefined
  /** Why the rendezvous says that the room is over for us; it counts once no session stands. */
  #roomEnd: Failure | undefined
  #isStopped = false
  #isOver = false

  constructor(context: RunContext, transferId: string) {
    this.#context = context
    this.transferId = transferId
    this.#candidatePolicy = { allowsLoopback: isLoopbackOnly(hostAddresses(context.listenHost)) }
    const shared = {
      context,
      transferId,
      receiver: () => this.#receiver,
      fail: (failure: Failure) => this.#fail(failure),
      spawn: (task: () => Promise<void>) => this.#spawn(task),
    }
    this.#data = new ReceiverData({
      ...shared,
      execute: (command) => this.#execute(command),
      sync: () => this.#sync(),
      onEstablished: async () => {
        this.#connector.reset()
        await this.#connector.confirmUse()
      },
      onLost: () => this.#onSessionLost(),
      onCompletionKnown: () => this.#onCompletionKnown(),
    })
    this.#connector = new ReceiverConnector({
      ...shared,
      candidatePolicy: this.#candidatePolicy,
      openSession: () => this.#openSession(),
      post: async (message) => {
        await this.#link?.post(message)
      },
      isWanted: () => this.#isSessionWanted(),
      onPaired: async ({ peer, verification }) => {
        context.records.update(transferId, { peerName: peer.deviceName, verification })
        await this.#execute({ type: 'pair', receiver: this.#receiver, name: peer.deviceName })
      },
      onKeys: async (keys, session) => this.#data.start(keys, session),
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  sync(): Promise<void> {
    return this.#serial.run(() => this.#sync())
  }

  retransmit(_receiver: string, ranges: readonly RangePair[], reason: RetransmitReason): Promise<void> {
    return this.#serial.run(async () => this.#data.requestRetransmit(ranges, reason))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#connector.stop()
    this.#data.close('shutdown')
    clearTimeout(this.#joinTimer)
    await this.#link?.stop()
    await this.#serial.settled()
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
        if (await this.#join(projection, record)) await this.#advance(projection, record)
        return
      case 'paused':
        this.#connector.cancel()
        this.#data.close('paused')
        return
      case 'failed':
        this.#connector.cancel()
        this.#data.failSession({ code: transfer.code })
        if (!ERRORS[transfer.code].isRetryable) await this.#leaveRoom()
        await this.#finish()
        return
      case 'cancelled':
        this.#connector.cancel()
        this.#data.failSession({ code: 'ERR_CANCELLED_BY_PEER' })
        await this.#leaveRoom()
        await this.#data.discardStaging()
        await this.#finish('cancelled')
        return
      case 'completed':
        // Only now that the end is recorded: a crash before must find it again.
        await this.#data.discardStaging()
        if (record.isCompletionKnown) {
          await this.#finish('completed')
          return
        }
        // The sender has to hear of it, or it would wait for ever.
        if (await this.#join(projection, record)) this.#connect()
        return
    }
  }

  /** Enters the room and watches it; true when that stands. */
  async #join(projection: TransferProjection, record: TransferRecord): Promise<boolean> {
    // A session that stands needs no room.
    if (this.#link !== undefined || this.#data.isEstablished) return true
    if (projection.transfer.status === 'none') return false
    const secrets = await this.#secrets()
    if (!secrets.ok) {
      await this.#execute({ type: 'fail', code: secrets.failure.code, detail: secrets.failure.detail ?? null })
      return false
    }
    this.#token = secrets.value.roomToken?.text() ?? ''
    const client = this.#context.clientOf(record.rendezvous ?? '')
    this.#client = client
    const joined = await client.join(this.#token, record.nameplate ?? '')
    if (!joined.ok) {
      await this.#onJoinFailure(joined.failure)
      return false
    }
    this.#roomId = joined.value.roomId
    this.#receiver = joined.value.receiver
    this.#roomEnd = undefined
    await this.#execute({
      type: 'enterRoom',
      roomId: this.#roomId,
      nameplate: record.nameplate ?? '',
      rendezvousUrl: client.url,
      advertise: null,
      receiver: this.#receiver,
    })
    this.#link = new RoomLink({
      client,
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
    return true
  }

  async #onJoinFailure(failure: Failure): Promise<void> {
    this.#context.logger.warn({ transferId: this.transferId }, `not in the room yet: ${describe(failure)}`)
    if (ERRORS[failure.code].exit === 'network') {
      clearTimeout(this.#joinTimer)
      this.#joinTimer = setTimeout(() => this.#spawn(() => this.#sync()), JOIN_RETRY_MS)
      return
    }
    await this.#onRoomEnd(failure)
  }

  async #secrets(): Promise<Result<TransferSecrets>> {
    const updated = await this.#context.secrets.update(this.transferId, (before) => {
      const secrets = before ?? NO_SECRETS
      if (secrets.roomToken !== null) return null
      return { ...secrets, roomToken: Secret.fromText(randomBytes(32).toString('base64url')) }
    })
    return updated.ok ? ok(updated.value ?? NO_SECRETS) : updated
  }

  async #advance(projection: TransferProjection, record: TransferRecord): Promise<void> {
    const own = this.#own(projection)
    switch (own?.phase.is) {
      case 'admitted':
        this.#connect()
        return
      case 'offered':
        // A log that was lost is built again: the user has answered already.
        if (record.acceptsAtOnce || record.isAccepted) await this.#execute({ type: 'accept', receiver: this.#receiver })
        return
      case 'accepted':
        if (this.#data.isEstablished) await this.#data.begin(projection, record)
        else this.#connect()
        return
    }
  }

  async #openSession(): Promise<PeerSession | undefined> {
    const { plane, listenHost, logger } = this.#context
    const rendezvous = this.#client
    if (rendezvous === undefined) return undefined
    const opened = await openPeerSocket({ plane, rendezvous, listenHost })
    if (opened.ok) {
      return new PeerSession(opened.value, { plane, rendezvous, listenHost, candidatePolicy: this.#candidatePolicy })
    }
    logger.error({ transferId: this.transferId }, describe(opened.failure))
    return undefined
  }

  #own({ transfer }: TransferProjection): Receiver | undefined {
    return transfer.status === 'none' ? undefined : receiverOf(transfer.run, this.#receiver)
  }

  async #onItem(item: RoomFeedItem): Promise<void> {
    if (item.kind === 'message') {
      const message = new Uint8Array(Buffer.from(item.body, 'base64'))
      const wake = decodeWake(message)
      if (wake === undefined) await this.#connector.onMessage(message)
      else await this.#onWake(wake)
      return
    }
    const event = mirroredEventOf(item)
    if (event !== undefined) await this.#execute({ type: 'mirrorRoomEvent', event })
    if (item.event.type === 'RoomLocked') await this.#failUnlessPaired({ code: 'ERR_ROOM_LOCKED' })
    if (event?.type === 'ReceiverLeft' && event.data.receiver === this.#receiver) {
      if (event.data.reason === 'wrongCode') await this.#failUnlessPaired({ code: 'ERR_WRONG_CODE' })
      else if (event.data.reason === 'completed') await this.#onRoomEnd({ code: 'ERR_ROOM_CLOSED' })
      else if (event.data.reason === 'timeout') await this.#onPutOut()
    }
    if (event?.type === 'RoomClosed') {
      const isCancelled = event.data.reason === 'cancelled'
      await this.#onRoomEnd({ code: isCancelled ? 'ERR_CANCELLED_BY_PEER' : 'ERR_ROOM_CLOSED' })
    }
  }

  /** While a session stands, what ends it is said in it, under its keys: the rendezvous is not asked. */
  async #onRoomEnd(failure: Failure): Promise<void> {
    this.#roomEnd = failure
    if (this.#data.isEstablished) return
    const projection = await this.#context.log.read(this.transferId)
    // A sender that is complete has dealt with this receiver.
    if (projection?.transfer.status === 'completed') await this.#onCompletionKnown()
    else await this.#fail(failure)
  }

  async #onRoomGone(failure: Failure): Promise<void> {
    await this.#link?.stop()
    this.#link = undefined
    await this.#onRoomEnd(failure)
  }

  #onSessionLost(): void {
    const end = this.#roomEnd
    if (end === undefined) this.#connect()
    else this.#spawn(() => this.#onRoomEnd(end))
  }

  /** The sender has no session with us: the one that we have is dead, whatever its timers say. */
  async #onWake(wake: SignedWake | null): Promise<void> {
    if (this.#isStopped || this.#isOver || !(await this.#connector.believes(wake))) return
    if (this.#data.isOpen) this.#data.close('replaced')
    else this.#connector.restart()
  }

  #connect(): void {
    if (!this.#isStopped && !this.#isOver && !this.#data.isOpen) this.#connector.connect()
  }

  async #isSessionWanted(): Promise<boolean> {
    if (this.#isStopped || this.#isOver || this.#data.isOpen) return false
    const projection = await this.#context.log.read(this.transferId)
    if (projection?.transfer.status === 'completed') {
      return this.#context.records.get(this.transferId)?.isCompletionKnown === false
    }
    if (projection?.transfer.status !== 'active') return false
    const phase = this.#own(projection)?.phase.is
    return phase === 'admitted' || phase === 'accepted'
  }

  async #onCompletionKnown(): Promise<void> {
    this.#context.records.update(this.transferId, { isCompletionKnown: true })
    this.#data.close('done')
    await this.#leaveRoom()
    await this.#sync()
  }

  async #failUnlessPaired(failure: Failure): Promise<void> {
    if (!(await this.#connector.hasPaired())) await this.#fail(failure)
  }

  async #fail(failure: Failure): Promise<void> {
    await this.#execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
    await this.#sync()
  }

  /** Our place went to somebody else, since we did not pair in time. Another try is another receiver, with its own token. */
  async #onPutOut(): Promise<void> {
    if (await this.#connector.hasPaired()) return
    await this.#context.secrets.update(this.transferId, (secrets) => secrets && { ...secrets, roomToken: null })
    await this.#fail({ code: 'ERR_PEER_TIMEOUT' })
  }

  async #leaveRoom(): Promise<void> {
    if (this.#client !== undefined && this.#roomId !== '') await this.#client.leave(this.#token, this.#roomId)
  }

  async #finish(ended?: TransferRecord['ended']): Promise<void> {
    this.#isOver = true
    this.#connector.stop()
    clearTimeout(this.#joinTimer)
    void this.#link?.stop()
    if (ended === undefined) return
    // First: a transfer that is marked as ended is not looked at again.
    await this.#context.secrets.delete(this.transferId)
    this.#context.records.update(this.transferId, { ended })
  }

  #execute(command: TransferCommand) {
    return this.#context.log.execute(this.transferId, command)
  }

  #spawn(task: () => Promise<void>): void {
    this.#serial.spawn(task, (error) => {
      if (this.#isStopped) return
      this.#context.logger.error({ transferId: this.transferId, err: error }, 'a step of a receiving transfer failed')
    })
  }
}
