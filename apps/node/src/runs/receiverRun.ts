/**
 * A receiving transfer while it runs: joins the room, pairs when it is admitted, takes the offer to the user, and keeps
 * a data session until everything has its name. It is the side that connects again: whatever breaks, it begins a
 * resumption handshake until the two are together.
 */
import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { DISK_PAUSES } from '@godwit/engine/domain/transfer/hold'
import { type KnownTransfer, type Receiver, receiverOf, runOf } from '@godwit/engine/domain/transfer/state'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { Failure } from '@godwit/protocol/errors'
import { ERRORS } from '@godwit/protocol/errors'
import { ROOM_MAX_TTL_MS } from '@godwit/protocol/limits'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { decodeWake, type SignedWake } from '@godwit/protocol/wakeMessage'
import { checkDiskSpace, checkOutputDir } from '../files/diskSpace.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import type { TransferRecord } from '../records/transferRecord.js'
import { HoldTimer } from './holdTimer.js'
import { mirroredEventOf } from './mirroredEvents.js'
import { candidatePolicyOf, openPeerSession } from './peerSession.js'
import { ReceiverConnector } from './receiverConnector.js'
import { ReceiverData } from './receiverData.js'
import { ReceiverRoomLink } from './receiverRoomLink.js'
import type { Run } from './run.js'
import type { RunContext } from './runContext.js'
import { Serial } from './serial.js'

export class ReceiverRun implements Run {
  readonly transferId: string
  readonly #context: RunContext
  readonly #serial = new Serial()
  readonly #room: ReceiverRoomLink
  readonly #connector: ReceiverConnector
  readonly #data: ReceiverData
  #status: KnownTransfer['status'] = 'active'
  /** Why the room is over for us; it counts once no session works. */
  #roomEnd: Failure | undefined
  /** When the disk that was full or failing is looked at again. */
  readonly #holdTimer: HoldTimer
  #isTrying = false
  #isStopped = false
  #isOver = false

  constructor(context: RunContext, transferId: string) {
    this.#context = context
    this.transferId = transferId
    this.#holdTimer = new HoldTimer(() => this.#spawn(() => this.#tryDisk()))
    const shared = {
      context,
      transferId,
      receiver: () => this.#room.receiver,
      fail: (failure: Failure) => this.#fail(failure),
      spawn: (task: () => Promise<void>) => this.#spawn(task),
    }
    this.#room = new ReceiverRoomLink({
      context,
      transferId,
      execute: (command) => this.#execute(command),
      onItem: (item) => this.#serial.run(() => this.#onItem(item)),
      onGone: (failure) => this.#spawn(() => this.#onRoomGone(failure)),
      retry: () => this.#spawn(() => this.#enterAgain()),
    })
    this.#data = new ReceiverData({
      ...shared,
      execute: (command) => this.#execute(command),
      sync: () => this.#sync(),
      onEstablished: () => this.#connector.confirmUse(),
      onLost: () => this.#sync(),
      onCompletionKnown: () => this.#onCompletionKnown(),
    })
    this.#connector = new ReceiverConnector({
      ...shared,
      candidatePolicy: candidatePolicyOf(context.listenHost),
      openSession: () => openPeerSession(context, transferId, this.#room.client),
      post: (message) => this.#room.post(message),
      isWanted: () => this.#isSessionWanted(),
      onPaired: async ({ peer, verification }) => {
        context.records.update(transferId, { peerName: peer.deviceName, verification })
        await this.#execute({ type: 'pair', receiver: this.#room.receiver, name: peer.deviceName })
      },
      onKeys: async (keys, session) => this.#data.start(keys, session),
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get isIdle(): boolean {
    // One that is complete still has to tell the sender, who would wait for it.
    return this.#status === 'failed' || this.#status === 'cancelled'
  }

  sync(): Promise<void> {
    return this.#serial.run(() => this.#sync())
  }

  retransmit(_receiver: string, ranges: readonly RangePair[], reason: RetransmitReason): Promise<void> {
    return this.#serial.run(async () => this.#data.requestRetransmit(ranges, reason))
  }

  abandon(): Promise<void> {
    return this.#serial.run(async () => {
      const projection = await this.#context.log.read(this.transferId)
      const record = this.#context.records.get(this.transferId)
      if (projection !== undefined && record !== undefined) await this.#room.leave(projection, record)
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#holdTimer.stop()
    this.#connector.stop()
    this.#data.close('shutdown')
    await this.#room.stop()
    await this.#serial.settled()
  }

  async #sync(): Promise<void> {
    if (this.#isStopped || this.#isOver) return
    const projection = await this.#context.log.read(this.transferId)
    const record = this.#context.records.get(this.transferId)
    if (projection === undefined || projection.transfer.status === 'none' || record === undefined) {
      this.#finish()
      return
    }
    const { transfer } = projection
    this.#status = transfer.status
    switch (transfer.status) {
      case 'active':
        this.#isTrying = false
        this.#holdTimer.set(undefined)
        if (record.ended !== null) this.#context.records.update(this.transferId, { ended: null })
        this.#data.agree(this.#own(projection)?.session?.number)
        if (await this.#enter(projection, record)) await this.#advance(projection, record)
        return
      case 'paused':
        this.#connector.cancel()
        this.#data.close('paused')
        this.#onPaused(projection, record)
        return
      case 'failed': {
        const isMendable = ERRORS[transfer.code].isRetryable
        await this.#end(projection, record, { code: transfer.code }, isMendable ? undefined : 'failed')
        return
      }
      case 'cancelled':
        await this.#end(projection, record, { code: 'ERR_CANCELLED_BY_PEER' }, 'cancelled')
        return
      case 'completed':
        // Only now that the end is recorded: a crash before must find it again.
        await this.#data.discardStaging()
        if (record.isCompletionKnown) {
          await this.#finishAs('completed')
          return
        }
        // The sender has to hear of it, or it would wait for ever; but no room lasts longer than this.
        if (Date.now() - (projection.endedAt ?? 0) > ROOM_MAX_TTL_MS) await this.#onCompletionKnown()
        else if (await this.#enter(projection, record)) this.#connect()
        return
    }
  }

  #onPaused({ transfer }: TransferProjection, record: TransferRecord): void {
    if (transfer.status !== 'paused' || !DISK_PAUSES.includes(transfer.reason)) {
      this.#isTrying = false
      this.#holdTimer.set(undefined)
      return
    }
    if (this.#isTrying || record.output === null) return
    this.#isTrying = true
    const bytesDone = receiverOf(transfer.run, this.#room.receiver)?.ackedBytes ?? 0
    this.#holdTimer.set(this.#holdTimer.pauseBeforeTry(bytesDone))
  }

  /** Whether the disk can take the rest is seen by its free space; whether it works, only by another try. */
  async #tryDisk(): Promise<void> {
    const context = this.#context
    const { transferId } = this
    const transfer = (await context.log.read(transferId))?.transfer
    const output = context.records.get(transferId)?.output ?? null
    this.#isTrying = false
    if (transfer?.status !== 'paused' || output === null) return
    const { contents } = transfer.run
    const bytesDone = receiverOf(transfer.run, this.#room.receiver)?.ackedBytes ?? 0
    const need = { bytes: Math.max(0, (contents?.totalBytes ?? 0) - bytesDone), files: contents?.fileCount ?? 0 }
    const writable = await checkOutputDir(output)
    const fits = writable.ok ? await checkDiskSpace(output, need) : writable
    if (fits.ok) await this.#execute({ type: 'resume', by: 'node', reasons: DISK_PAUSES })
    await this.#sync()
  }

  async #enter(projection: TransferProjection, record: TransferRecord): Promise<boolean> {
    // A session that runs needs no room; when it ends, this is asked again.
    if (this.#data.isOpen && !this.#room.isEntered) return true
    const entered =
      this.#roomEnd === undefined
        ? await this.#room.enter(projection, record)
        : { ok: false as const, failure: this.#roomEnd }
    if (entered.ok) return entered.value
    // A sender that has closed its room knows all that it wants to know.
    if (projection.transfer.status === 'completed') await this.#onCompletionKnown()
    else await this.#fail(entered.failure)
    return false
  }

  /**
   * Tells the sender and lets go of everything, once the session has let go of the staging. @param how - how it ended for
   * good: then the room is left and the staging removed; undefined for what may be asked to go on.
   */
  async #end(
    projection: TransferProjection,
    record: TransferRecord,
    failure: Failure,
    how: 'failed' | 'cancelled' | undefined,
  ): Promise<void> {
    this.#connector.cancel()
    this.#data.failSession(failure)
    const hasLeft = how === undefined || (await this.#room.leave(projection, record))
    // The end of the session, or another try to leave, comes back to here.
    if (this.#data.isOpen || !hasLeft) return
    if (how === undefined) {
      this.#finish()
      return
    }
    await this.#data.discardStaging()
    await this.#finishAs(how)
  }

  async #advance(projection: TransferProjection, record: TransferRecord): Promise<void> {
    const own = this.#own(projection)
    switch (own?.phase.is) {
      case 'joined':
      case 'inLine':
        // The log has lost that the two had paired. The sender has not, and admits nobody twice.
        if (record.peerName !== '' && (await this.#connector.hasPaired())) {
          await this.#execute({ type: 'pair', receiver: own.id, name: record.peerName })
          this.#connect()
        }
        return
      case 'admitted':
        this.#connect()
        return
      case 'offered':
        // A log that was lost is built again: the user has answered already.
        if (record.acceptsAtOnce || record.isAccepted) await this.#execute({ type: 'accept', receiver: own.id })
        return
      case 'accepted':
        if (this.#data.isEstablished) await this.#data.begin(projection, record)
        else this.#connect()
        return
    }
  }

  #own({ transfer }: TransferProjection): Receiver | undefined {
    const run = runOf(transfer)
    return run && receiverOf(run, this.#room.receiver)
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
    if (event?.type === 'ReceiverLeft' && event.data.receiver === this.#room.receiver) {
      await this.#onPutOut(event.data.reason)
    }
    if (event?.type === 'RoomClosed') {
      const isCancelled = event.data.reason === 'cancelled'
      await this.#onRoomEnd({ code: isCancelled ? 'ERR_CANCELLED_BY_PEER' : 'ERR_ROOM_CLOSED' })
    }
  }

  /** We are not in the room any more, and our token does not lead back in. */
  async #onPutOut(reason: string): Promise<void> {
    if (reason === 'completed') return this.#onRoomEnd({ code: 'ERR_ROOM_CLOSED' })
    if (await this.#connector.hasPaired()) return this.#onRoomEnd({ code: 'ERR_RESUME_REFUSED' })
    if (reason === 'wrongCode') return this.#fail({ code: 'ERR_WRONG_CODE' })
    if (reason !== 'timeout') return this.#fail({ code: 'ERR_RESUME_REFUSED' })
    // Our place went to somebody else, since we did not pair in time. Another try is another receiver, with its own token.
    await this.#context.secrets.update(this.transferId, (secrets) => secrets && { ...secrets, roomToken: null })
    await this.#fail({ code: 'ERR_PEER_TIMEOUT' })
  }

  /** The room is over for us. While a session works, what ends it is said in it, under its keys: that is waited for. */
  async #onRoomEnd(failure: Failure): Promise<void> {
    this.#roomEnd = failure
    this.#room.forget(false)
    if (this.#data.isEstablished) return
    const projection = await this.#context.log.read(this.transferId)
    // A sender that is complete has dealt with this receiver.
    if (projection?.transfer.status === 'completed') await this.#onCompletionKnown()
    else await this.#fail(failure)
  }

  async #onRoomGone(failure: Failure): Promise<void> {
    if (failure.code !== 'ERR_ROOM_NOT_FOUND') return this.#onRoomEnd(failure)
    this.#room.forget(true)
    await this.#enterAgain()
  }

  /**
   * The session that runs needs no room. But should the sender have died with its rendezvous, it is by the room that it
   * asks us to come, long before the session is found dead. What keeps us out counts when the session has ended.
   */
  async #enterAgain(): Promise<void> {
    if (!this.#data.isOpen) return this.#sync()
    const record = this.#context.records.get(this.transferId)
    const projection = await this.#context.log.read(this.transferId)
    if (this.#isStopped || this.#isOver || this.#roomEnd !== undefined) return
    if (record !== undefined && projection !== undefined) await this.#room.enter(projection, record)
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
    crashPoint('completionKnown')
    this.#data.close('done')
    const projection = await this.#context.log.read(this.transferId)
    const record = this.#context.records.get(this.transferId)
    // Nobody waits for this: a room that cannot be left now is over by itself.
    if (projection !== undefined && record !== undefined) await this.#room.leave(projection, record)
    await this.#sync()
  }

  async #failUnlessPaired(failure: Failure): Promise<void> {
    if (!(await this.#connector.hasPaired())) await this.#fail(failure)
  }

  async #fail(failure: Failure): Promise<void> {
    await this.#execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
    await this.#sync()
  }

  async #finishAs(how: NonNullable<TransferRecord['ended']>): Promise<void> {
    await this.#context.secrets.delete(this.transferId)
    this.#context.records.update(this.transferId, { ended: how })
    this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    this.#holdTimer.stop()
    this.#connector.stop()
    void this.#room.stop()
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
