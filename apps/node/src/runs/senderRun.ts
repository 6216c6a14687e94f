/**
 * A sending transfer while it runs: keeps the room open, admits receivers, answers their handshakes and keeps a data
 * session with each. What it learns it records first; what is recorded it acts on, here or after the job that the event
 * leads to.
 */

import {
  holdOf,
  isOverdue,
  nextLookMs,
  SELF_LIFTING,
  TIMED_HOLDS,
  TRIED_PAUSES,
} from '@godwit/engine/domain/transfer/hold'
import {
  type KnownTransfer,
  type Receiver,
  receiverOf,
  runOf,
  type Run as TransferRun,
} from '@godwit/engine/domain/transfer/state'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import { ERRORS, type Failure } from '@godwit/protocol/errors'
import { HANDSHAKE_TIMEOUT_MS } from '@godwit/protocol/limits'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { crashPoint } from '../lifecycle/crashPoint.js'
import type { TransferRecord } from '../records/transferRecord.js'
import { describe } from '../transfers/transferLog.js'
import { Admissions } from './admissions.js'
import { HoldTimer, LOOK_AT_MOST_MS } from './holdTimer.js'
import { mirroredEventOf } from './mirroredEvents.js'
import type { Run } from './run.js'
import type { RunContext } from './runContext.js'
import { SenderPeer } from './senderPeer.js'
import { SenderRoom } from './senderRoom.js'
import { SenderRoomLink } from './senderRoomLink.js'
import { Serial } from './serial.js'
import { partOfLimit } from './sharedLimit.js'

/** Who pauses and resumes by itself, as events say it. */
const NODE = 'node'
/** Phases of a receiver that has a place in the room. */
const SERVED: readonly Receiver['phase']['is'][] = ['admitted', 'offered', 'accepted']

export class SenderRun implements Run {
  readonly transferId: string
  readonly #context: RunContext
  readonly #serial = new Serial()
  readonly #room: SenderRoomLink
  /** What receivers pair by. */
  readonly #pairing: SenderRoom
  readonly #peers = new Map<string, SenderPeer>()
  readonly #admissions = new Admissions()
  #admissionTimer: NodeJS.Timeout | undefined
  /** When the schedule, or a pause that lifts itself, is looked at again. */
  readonly #holdTimer: HoldTimer
  /** The pause that the hold timer was set for: it is not put off by other wake-ups. */
  #pauseVersion: number | undefined
  /** Gives the place back when nobody has come for a while. */
  #slotTimer: NodeJS.Timeout | undefined
  #status: KnownTransfer['status'] = 'active'
  /** The transfer was looked at since this run began. */
  #isKnown = false
  #isStopped = false
  #isOver = false

  constructor(context: RunContext, transferId: string) {
    this.#context = context
    this.transferId = transferId
    this.#pairing = new SenderRoom(context, transferId)
    this.#holdTimer = new HoldTimer(() => this.#spawn(() => this.#look()))
    this.#room = new SenderRoomLink({
      context,
      transferId,
      execute: (command) => this.#execute(command),
      // Receivers that were connected before a restart of this node learn at once that it is back.
      onEntered: () => this.#wakeReceivers(),
      onItem: (item) => this.#serial.run(() => this.#onItem(item)),
      onGone: (failure) => this.#spawn(() => this.#onRoomGone(failure)),
      retry: () => this.#spawn(() => this.#sync()),
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get isIdle(): boolean {
    return this.#status !== 'active' && this.#status !== 'paused'
  }

  get #hasSession(): boolean {
    return [...this.#peers.values()].some(({ isOpen }) => isOpen)
  }

  sync(): Promise<void> {
    return this.#serial.run(() => this.#sync())
  }

  retransmit(receiver: string, ranges: readonly RangePair[], reason: RetransmitReason): Promise<void> {
    return this.#serial.run(async () => this.#peers.get(receiver)?.requeue(ranges, reason))
  }

  abandon(): Promise<void> {
    return this.#serial.run(async () => {
      const projection = await this.#context.log.read(this.transferId)
      const record = this.#context.records.get(this.transferId)
      if (projection !== undefined && record !== undefined) await this.#room.close(projection, record, 'cancelled')
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#letGo()
    for (const peer of this.#peers.values()) peer.close('shutdown')
    await this.#room.stop()
    await this.#serial.settled()
    this.#pairing.close()
    await Promise.all([...this.#peers.values()].map((peer) => peer.saved()))
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
    const before = this.#status
    this.#status = transfer.status
    if (transfer.status !== 'active' && transfer.status !== 'paused') this.#letGo()
    switch (transfer.status) {
      case 'active':
        if (record.ended !== null) this.#context.records.update(this.transferId, { ended: null })
        for (const { id, session } of transfer.run.receivers) this.#peers.get(id)?.agree(session?.number)
        if (await this.#isHeld(projection)) return
        this.#shareLimit(transfer.run)
        if (await this.#enter(record)) await this.#serve(record)
        if (before === 'paused') void this.#wakeReceivers()
        return
      case 'paused':
        for (const peer of this.#peers.values()) peer.close('paused')
        await this.#onPaused(projection, record)
        return
      case 'failed':
        for (const peer of this.#peers.values()) peer.fail({ code: transfer.code })
        // One that can be mended leaves the room open, also over a restart: the receiver may try again.
        if (ERRORS[transfer.code].isRetryable && (await this.#room.enter(record)).ok) return
        await this.#end(projection, record, 'failed')
        return
      case 'cancelled':
        for (const peer of this.#peers.values()) peer.fail({ code: 'ERR_CANCELLED_BY_PEER' })
        await this.#end(projection, record, 'cancelled')
        return
      case 'completed':
        // The last receiver still waits to hear that its completion is known.
        if ([...this.#peers.values()].some((peer) => peer.isConfirming)) return
        await this.#end(projection, record, 'completed')
        return
    }
  }

  /** Stops what is not to run now, and records why; true when it did. */
  async #isHeld({ transfer }: TransferProjection): Promise<boolean> {
    if (transfer.status !== 'active') return false
    const { schedule, receivers } = transfer.run
    const { slots, wallTime } = this.#context
    const time = wallTime()
    this.#pauseVersion = undefined
    this.#holdTimer.set(nextLookMs(schedule, time, LOOK_AT_MOST_MS))
    if (isOverdue(schedule, time)) {
      await this.#execute({ type: 'fail', code: 'ERR_DEADLINE', detail: null })
      return true
    }
    const hold = holdOf(schedule, time)
    if (hold !== undefined) {
      await this.#execute({ type: 'pause', reason: hold, by: NODE })
      return true
    }
    const isSending = this.#hasSession || receivers.some(({ phase }) => phase.is === 'joined' || phase.is === 'inLine')
    // After a restart: whoever was sending keeps its place for as long as its receiver takes to come back.
    if (!this.#isKnown && receivers.some(({ phase }) => phase.is === 'accepted')) slots.take(this.transferId)
    this.#isKnown = true
    if (!isSending) {
      if (slots.has(this.transferId)) {
        this.#slotTimer ??= setTimeout(() => this.#giveBackSlot(), HANDSHAKE_TIMEOUT_MS)
      }
      return false
    }
    clearTimeout(this.#slotTimer)
    this.#slotTimer = undefined
    if (slots.take(this.transferId)) return false
    await this.#execute({ type: 'pause', reason: 'queue', by: NODE })
    return true
  }

  /** A hold leaves the room open, so that its code works; it is lifted here when what it waits for has come. */
  async #onPaused({ transfer, version, createdAt }: TransferProjection, record: TransferRecord): Promise<void> {
    if (transfer.status !== 'paused') return
    const { reason, run } = transfer
    const { slots, wallTime } = this.#context
    const time = wallTime()
    const lookMs = nextLookMs(run.schedule, time, LOOK_AT_MOST_MS)
    if (isOverdue(run.schedule, time)) {
      await this.#execute({ type: 'fail', code: 'ERR_DEADLINE', detail: null })
      return
    }
    this.#context.sharedLimit.leave(this.transferId)
    if (reason === 'queue') {
      const onTurn = (): void => this.#spawn(() => this.#lift())
      slots.wait(this.transferId, { priority: run.priority, createdAt, onTurn })
    } else slots.release(this.transferId)
    const isTimed = TIMED_HOLDS.some((hold) => hold === reason)
    if (isTimed && holdOf(run.schedule, time) !== reason) {
      await this.#lift()
      return
    }
    if (!TRIED_PAUSES.includes(reason)) this.#holdTimer.set(lookMs)
    else if (this.#pauseVersion === undefined) {
      this.#pauseVersion = version
      const bytesDone = run.receivers.reduce((sum, { ackedBytes }) => sum + ackedBytes, 0)
      this.#holdTimer.set(Math.min(this.#holdTimer.pauseBeforeTry(bytesDone), lookMs ?? Number.POSITIVE_INFINITY))
    }
    if (SELF_LIFTING.includes(reason)) await this.#enter(record)
  }

  /** The hold timer's moment has come. */
  async #look(): Promise<void> {
    const isTried = this.#pauseVersion !== undefined
    this.#pauseVersion = undefined
    if (isTried) await this.#execute({ type: 'resume', by: NODE, reasons: TRIED_PAUSES })
    await this.#sync()
  }

  async #lift(): Promise<void> {
    await this.#execute({ type: 'resume', by: NODE, reasons: [...TIMED_HOLDS, 'queue'] })
    await this.#sync()
  }

  #giveBackSlot(): void {
    this.#slotTimer = undefined
    if (!this.#hasSession) this.#context.slots.release(this.transferId)
  }

  /** The transfer's part of the node's limit, within its own, goes in equal parts to the receivers that it sends to. */
  #shareLimit({ priority, limit, receivers }: TransferRun): void {
    const { sharedLimit } = this.#context
    const open = [...this.#peers].filter(([, { isOpen }]) => isOpen)
    if (open.length === 0) {
      sharedLimit.leave(this.transferId)
      return
    }
    // One that has not accepted yet, or has everything, takes nothing from the others.
    const isTaking = new Set(receivers.flatMap(({ id, phase }) => (phase.is === 'accepted' ? [id] : [])))
    const taking = open.filter(([id]) => isTaking.has(id)).length
    sharedLimit.join(this.transferId, {
      priority,
      limit,
      apply: (part) => {
        for (const [id, peer] of open) {
          peer.setLimit(partOfLimit(part, isTaking.has(id) ? taking : taking + 1))
        }
      },
    })
  }

  #letGo(): void {
    clearTimeout(this.#admissionTimer)
    clearTimeout(this.#slotTimer)
    this.#holdTimer.stop()
    this.#context.sharedLimit.leave(this.transferId)
    this.#context.slots.release(this.transferId)
  }

  async #enter(record: TransferRecord): Promise<boolean> {
    const entered = await this.#room.enter(record)
    if (entered.ok) return entered.value
    // Sessions that run need no room; when the last of them has ended, this is asked again.
    if (!this.#hasSession) {
      await this.#execute({ type: 'fail', code: entered.failure.code, detail: entered.failure.detail ?? null })
    }
    return false
  }

  /**
   * Tells those that are served to come for a session: what they had, or had begun, this side does not know any more.
   * Never rejects: whoever is not told comes by itself.
   */
  async #wakeReceivers(): Promise<void> {
    try {
      const projection = await this.#context.log.read(this.transferId)
      if (projection === undefined) return
      const served = receiversOf(projection).filter(({ phase }) => SERVED.includes(phase.is))
      await Promise.all(served.map(({ id }) => this.#peerOf(id).wake()))
    } catch (error) {
      this.#context.logger.warn({ transferId: this.transferId, err: error }, 'the receivers were not told to come')
    }
  }

  /** Admits the first in line while a place is free. */
  async #serve(record: TransferRecord): Promise<void> {
    const projection = await this.#context.log.read(this.transferId)
    if (projection === undefined || projection.transfer.status !== 'active') return
    const { run } = projection.transfer
    const { receivers } = run
    const waiting = receivers
      .filter(({ phase }) => phase.is === 'joined' || phase.is === 'inLine')
      .sort((a, b) => placeOf(a) - placeOf(b))
    const places = receivers.filter(({ phase }) => SERVED.includes(phase.is))
    const failed = places.filter(({ id }) => this.#peers.get(id)?.hasFailed === true)
    // Who has failed may try again, but not while others wait for the place.
    const dismissed = waiting.length > 0 ? failed : []
    for (const { id } of dismissed) await this.#command({ type: 'dismiss', receiver: id, reason: 'failed' })
    const free = Math.max(0, record.capacity - (places.length - dismissed.length))
    for (const { id } of waiting.slice(0, free)) {
      const admitted = await this.#command({ type: 'admit', receiver: id })
      if (admitted === 'ERR_ROOM_LINE_FULL') await this.#dismissDone(receivers)
    }
    this.#putOutSilent(run, waiting.length > free)
    if (run.room?.isLocked === true && !receivers.some(mayComplete)) {
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
    for (const receiver of overdue.receivers) void this.#command({ type: 'dismiss', receiver, reason: 'timeout' })
    if (overdue.nextInMs !== undefined) {
      this.#admissionTimer = setTimeout(() => this.#spawn(() => this.#sync()), overdue.nextInMs)
    }
  }

  /** Every place is taken as the rendezvous sees it: one that has everything, or declined, was not put out in time. */
  async #dismissDone(receivers: readonly Receiver[]): Promise<void> {
    for (const { id, phase } of receivers) {
      if (phase.is === 'completed') await this.#command({ type: 'dismiss', receiver: id, reason: 'completed' })
      if (phase.is === 'declined') await this.#command({ type: 'dismiss', receiver: id, reason: 'failed' })
    }
  }

  /** Why the rendezvous did not do it; undefined when it did. What it does comes back as an event. */
  async #command(command: Parameters<SenderRoomLink['command']>[0]): Promise<Failure['code'] | undefined> {
    const done = await this.#room.command(command)
    if (done.ok) return undefined
    this.#context.logger.info({ transferId: this.transferId }, `no ${command.type}: ${describe(done.failure)}`)
    return done.failure.code
  }

  async #onItem(item: RoomFeedItem): Promise<void> {
    if (item.kind === 'message') {
      await this.#onMessage(item.from, new Uint8Array(Buffer.from(item.body, 'base64')))
      return
    }
    const event = mirroredEventOf(item)
    if (event === undefined) return
    const mirrored = await this.#execute({ type: 'mirrorRoomEvent', event })
    // One that was admitted before the log lost it may have a session that died: it does not come by itself.
    if (event.type === 'ReceiverAdmitted' && mirrored.ok) await this.#peerOf(event.data.receiver).wakeIfPaired()
    if (event.type === 'ReceiverLeft' && mirrored.ok) {
      await this.#peerOf(event.data.receiver).onLeft(event.data.reason === 'left')
    }
    if (event.type === 'RoomClosed') {
      const isExpired = event.data.reason === 'expired'
      const detail = isExpired ? 'the room was open for too long' : 'the rendezvous closed the room'
      this.#room.over({ code: 'ERR_ROOM_CLOSED', detail })
      await this.#sync()
    }
  }

  /** Only of receivers that the log knows: a rendezvous could make up any number of them. */
  async #onMessage(from: string, message: Uint8Array): Promise<void> {
    if (!this.#peers.has(from)) {
      const run = runOf((await this.#context.log.read(this.transferId))?.transfer)
      if (run === undefined || receiverOf(run, from) === undefined) return
    }
    await this.#peerOf(from).onMessage(message)
  }

  async #onRoomGone(failure: Failure): Promise<void> {
    if (failure.code === 'ERR_ROOM_NOT_FOUND') this.#room.lost()
    else this.#room.over(failure)
    await this.#sync()
  }

  #peerOf(receiver: string): SenderPeer {
    const known = this.#peers.get(receiver)
    if (known !== undefined) return known
    const peer = new SenderPeer({
      context: this.#context,
      transferId: this.transferId,
      receiver,
      room: this.#pairing,
      client: () => this.#room.client,
      post: (message) => this.#room.post(message, receiver),
      command: (command) => void this.#command(command),
      execute: (command) => this.#execute(command),
      spawn: (task) => this.#spawn(task),
      sync: () => this.#spawn(() => this.#sync()),
    })
    this.#peers.set(receiver, peer)
    return peer
  }

  /** Closes the room, then lets go of the transfer; what cannot be closed yet is tried again. */
  async #end(
    projection: TransferProjection,
    record: TransferRecord,
    how: NonNullable<TransferRecord['ended']>,
  ): Promise<void> {
    const { transfer } = projection
    // A locked room stays until its time is over: it tells whoever still comes with the code that it is locked.
    const isLocked = transfer.status === 'failed' && transfer.code === 'ERR_ROOM_LOCKED'
    if (!isLocked && !(await this.#room.close(projection, record, how))) return
    crashPoint('roomClosed')
    // What can be mended may be asked to go on, and is told then that its room is closed.
    const mayGoOn = transfer.status === 'failed' && ERRORS[transfer.code].isRetryable
    if (!mayGoOn) await this.#context.secrets.delete(this.transferId)
    this.#context.records.update(this.transferId, { ended: how })
    this.#finish()
  }

  #finish(): void {
    this.#isOver = true
    this.#letGo()
    this.#pairing.close()
    for (const peer of this.#peers.values()) peer.close('done')
    void this.#room.stop()
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

const receiversOf = ({ transfer }: TransferProjection): readonly Receiver[] => runOf(transfer)?.receivers ?? []

/** Those that were never put in line came before those that were. */
const placeOf = ({ phase }: Receiver): number => (phase.is === 'inLine' ? phase.place : 0)

/** The handshake has told the device's name, or an older session has. */
const hasPaired = ({ name, sessionCount }: Receiver): boolean => name !== '' || sessionCount > 0

/** Whether a receiver can still get everything in a room that takes nobody in any more. */
const mayComplete = (receiver: Receiver): boolean => SERVED.includes(receiver.phase.is) && hasPaired(receiver)
