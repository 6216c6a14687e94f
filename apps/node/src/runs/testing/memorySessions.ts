/**
 * Data planes in memory for tests of runs: the two ends of a session say to each other what the real ones say, without
 * packets and without data. A test says when chunks are durable and when the files have their names.
 */

import type { ReceiverReport, SenderReport } from '@godwit/engine/transfer/ports'
import type { CloseCode } from '@godwit/engine/transport/types'
import { assert } from '@godwit/protocol/assert'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { ok } from '@godwit/protocol/errors'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import type { SessionCommand } from '../../dataPlane/dataPlane.js'
import type { LaneReport, SenderParameters } from '../../dataPlane/messages.js'
import type { SessionOpener } from '../runContext.js'

type Report = Parameters<Parameters<SessionOpener['open']>[0]>[0]
type WithoutKey<R> = R extends { key: string } ? Omit<R, 'key'> : never
type Started = Extract<SessionCommand, { type: 'start' }>
type EndCause = Extract<LaneReport, { type: 'ended' }>['cause']

const STATS = { sinceMs: 100, rttUs: 1000, lost: 0, retransmitted: 0, corrupted: 0 }

/** One side of a session. */
export class MemoryEnd {
  readonly #onReport: (report: Report) => void
  readonly #network: MemoryNetwork
  readonly #isAlive: () => boolean
  started: Started | undefined
  isEnded = false
  /** Whether its disk has something to do that its end has to wait for. */
  isBusy = false
  #tellEnd: (() => void) | undefined
  wasEstablished = false
  /** Bytes a second that the run allows it; null for no limit. */
  limit: number | null = null
  /** Every command that the run gave, by type. */
  readonly commands: SessionCommand['type'][] = []

  constructor(network: MemoryNetwork, onReport: (report: Report) => void, isAlive: () => boolean) {
    this.#network = network
    this.#onReport = onReport
    this.#isAlive = isAlive
  }

  /** Whether its node was killed. */
  get isDead(): boolean {
    return !this.#isAlive()
  }

  get role(): 'sender' | 'receiver' | undefined {
    return this.started?.transfer.role
  }

  command(command: SessionCommand): void {
    if (!this.#isAlive() || this.isEnded) return
    this.commands.push(command.type)
    this.#network.onCommand(this, command)
  }

  /** Tells the run, in order, unless its node is dead. */
  report(report: WithoutKey<LaneReport>): void {
    void Promise.resolve().then(() => {
      if (this.#isAlive()) this.#onReport({ ...report, key: 'memory' } as Report)
    })
  }

  reportAsSender(report: SenderReport): void {
    this.report({ type: 'sender', report, stats: STATS })
  }

  reportAsReceiver(report: ReceiverReport): void {
    this.report({ type: 'receiver', report, stats: STATS })
  }

  /** Ends it; told at once, or after `rest` where its disk is busy. */
  end(cause: EndCause, code: CloseCode | null): void {
    if (this.isEnded) return
    this.isEnded = true
    const { wasEstablished } = this
    this.#tellEnd = () => this.report({ type: 'ended', cause, code, partial: [], wasEstablished, datagramsReceived: 0 })
    if (!this.isBusy) this.#tellEnd()
  }

  /** The disk has come to rest: an end that was held back is told. */
  rest(): void {
    this.isBusy = false
    this.#tellEnd?.()
  }
}

export interface MemorySession {
  readonly sender: MemoryEnd
  readonly receiver: MemoryEnd
}

export class MemoryNetwork {
  readonly #waiting: { readonly id: string; readonly end: MemoryEnd }[] = []
  readonly #sessions: MemorySession[] = []
  readonly #wakes = new Set<() => void>()
  readonly #durable = new WeakMap<MemoryEnd, RangeSet>()
  /** While true nothing passes: sessions that are started find no path. */
  isBlocked = false
  /** Chunks on the receiver's disk, by transfer. */
  readonly disks = new Map<string, RangeSet>()

  /** The data plane of one node. */
  plane(isAlive: () => boolean): SessionOpener {
    return {
      open: async (onReport) => {
        const end = new MemoryEnd(this, onReport, isAlive)
        return ok({ port: 4000, command: (command) => end.command(command) })
      },
    }
  }

  /** Sessions that were established so far, the last one at the end. */
  get sessions(): readonly MemorySession[] {
    return this.#sessions
  }

  /** Waits until `count` sessions have been established and hands out the last. */
  async session(count: number): Promise<MemorySession> {
    while (this.#sessions.length < count) await this.changed()
    const session = this.#sessions[count - 1]
    assert(session !== undefined, 'it was established')
    return session
  }

  /** Waits until `end` was given a command of this type. */
  async commanded(end: MemoryEnd, type: SessionCommand['type']): Promise<void> {
    while (!end.commands.includes(type)) await this.changed()
  }

  /** Resolves at the next command or session. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#wakes.add(resolve))
  }

  /** Ends that were started and have met no other. */
  get lonely(): readonly MemoryEnd[] {
    return this.#waiting.map(({ end }) => end).filter(({ isEnded }) => !isEnded)
  }

  /** Whether the receiver receives in it. */
  hasBegun({ receiver }: MemorySession): boolean {
    return this.#transfers.has(receiver) && !receiver.isEnded
  }

  /** The receiver has made these chunks durable. */
  checkpoint({ receiver }: MemorySession, ranges: readonly RangePair[]): void {
    const disk = this.#diskOf(receiver)
    disk.addPairs(ranges)
    const bytes = this.#planOf(receiver).bytesOf(ranges)
    receiver.reportAsReceiver({ type: 'checkpoint', ranges: ranges.map(([first, count]) => [first, count]), bytes })
  }

  /** All chunks are durable and all files stand under their names. */
  finalize(session: MemorySession): void {
    const plan = this.#planOf(session.receiver)
    if (plan.chunkCount > 0) this.checkpoint(session, [[0, plan.chunkCount]])
    session.receiver.report({ type: 'files', files: [], missing: this.#missing.get(session.receiver)?.toPairs() ?? [] })
    session.receiver.reportAsReceiver({ type: 'finalized' })
  }

  /** Neither side hears of the other any more. */
  cut({ sender, receiver }: MemorySession): void {
    sender.end('idle', null)
    receiver.end('idle', null)
  }

  onCommand(end: MemoryEnd, command: SessionCommand): void {
    this.#act(end, command)
    for (const wake of this.#wakes) wake()
    this.#wakes.clear()
  }

  #act(end: MemoryEnd, command: SessionCommand): void {
    const session = this.#sessions.find(({ sender, receiver }) => sender === end || receiver === end)
    const other = session === undefined ? undefined : session.sender === end ? session.receiver : session.sender
    switch (command.type) {
      case 'start':
        end.started = command
        end.limit = command.session.limit
        this.#meet(end, Buffer.from(command.session.connectionIds.sender).toString('hex'))
        return
      case 'setLimit':
        end.limit = command.limit
        return
      case 'begin': {
        const { transferId } = command.begin
        const isResumed = this.disks.has(transferId)
        const held = this.disks.get(transferId) ?? new RangeSet()
        this.disks.set(transferId, held)
        this.#transfers.set(end, transferId)
        this.#leaveOut(end, command.begin.missing)
        end.report({ type: 'begun', held: held.toPairs(), isResumed })
        other?.reportAsSender({ type: 'accepted' })
        if (other !== undefined && !held.isEmpty) this.#tellDurable(other, held.toPairs())
        return
      }
      case 'confirmDurable':
        if (other !== undefined) this.#tellDurable(other, command.ranges)
        return
      case 'announceCompletion': {
        if (other === undefined) return
        const { chunkCount } = this.#planOf(end)
        if (chunkCount > 0) this.#tellDurable(other, [[0, chunkCount]])
        const { bytes, milliseconds, missing } = command
        const pairs = missing.map(([first, count]): [number, number] => [first, count])
        other.reportAsSender({ type: 'completed', bytes, seconds: milliseconds / 1000, missing: pairs })
        return
      }
      case 'leaveOut': {
        if (other === undefined) return
        const files = command.files.map(([first, count]): [number, number] => [first, count])
        this.#leaveOut(other, files)
        other.reportAsReceiver({ type: 'filesFailed', files, code: command.code })
        return
      }
      case 'confirmCompletion':
        other?.reportAsReceiver({ type: 'completionKnown' })
        return
      case 'decline':
        other?.reportAsSender({ type: 'declined' })
        return
      case 'fail': {
        const report = { type: 'peerFailed', failure: { code: command.failure.code } } as const
        if (other === session?.sender) other?.reportAsSender(report)
        else other?.reportAsReceiver(report)
        return
      }
      case 'close':
        other?.end('closedByPeer', command.code)
        end.end('closedByUs', command.code)
        return
      default:
        return
    }
  }

  readonly #transfers = new WeakMap<MemoryEnd, string>()
  /** Files that a receiver was told it does not get. */
  readonly #missing = new WeakMap<MemoryEnd, RangeSet>()

  #leaveOut(receiver: MemoryEnd, files: readonly RangePair[]): void {
    const missing = this.#missing.get(receiver) ?? new RangeSet()
    this.#missing.set(receiver, missing)
    missing.addPairs(files)
  }

  /** The sender tells in a new session what it had recorded in an earlier one. */
  leaveOut({ receiver }: MemorySession, files: readonly RangePair[]): void {
    const pairs = files.map(([first, count]): [number, number] => [first, count])
    this.#leaveOut(receiver, pairs)
    receiver.reportAsReceiver({ type: 'filesFailed', files: pairs, code: 'ERR_SOURCE_CHANGED' })
  }

  /** The sender has found that these files have changed. */
  failFiles({ sender }: MemorySession, files: readonly RangePair[]): void {
    const pairs = files.map(([first, count]): [number, number] => [first, count])
    sender.reportAsSender({ type: 'filesFailed', files: pairs, code: 'ERR_SOURCE_CHANGED' })
  }

  #meet(end: MemoryEnd, id: string): void {
    const met = this.#waiting.findIndex((one) => one.id === id && !one.end.isEnded && one.end.role !== end.role)
    const other = this.#waiting[met]?.end
    if (this.isBlocked || other === undefined) {
      this.#waiting.push({ id, end })
      return
    }
    this.#waiting.splice(met, 1)
    const [sender, receiver] = end.role === 'sender' ? [end, other] : [other, end]
    this.#sessions.push({ sender, receiver })
    for (const side of [sender, receiver]) {
      side.wasEstablished = true
      side.report({ type: 'established', path: 'host', family: 'ipv4', mtu: 1200, trains: false })
    }
    receiver.reportAsReceiver({ type: 'offered', manifest: manifestOf(sender) })
  }

  /** As the real session: only what it has not told before. */
  #tellDurable(sender: MemoryEnd, pairs: readonly RangePair[]): void {
    const known = this.#durable.get(sender) ?? new RangeSet()
    this.#durable.set(sender, known)
    const fresh = new RangeSet()
    for (const [first, count] of pairs) {
      for (const [start, end] of [...known.missing(first, first + count)]) fresh.add(start, end)
      known.add(first, first + count)
    }
    if (fresh.isEmpty) return
    const ranges = fresh.toPairs()
    sender.reportAsSender({ type: 'durable', ranges, bytes: this.#planOf(sender).bytesOf(ranges) })
  }

  #diskOf(receiver: MemoryEnd): RangeSet {
    const disk = this.disks.get(this.#transfers.get(receiver) ?? '')
    assert(disk !== undefined, 'the receiver has begun')
    return disk
  }

  #planOf(end: MemoryEnd): ChunkPlan {
    const session = this.#sessions.find(({ sender, receiver }) => sender === end || receiver === end)
    assert(session !== undefined, 'an end of an established session')
    const decoded = decodeManifest(manifestOf(session.sender))
    assert(decoded.ok, 'the sender offers a sound manifest')
    return ChunkPlan.of(decoded.value)
  }
}

const manifestOf = (sender: MemoryEnd): Uint8Array => {
  const transfer = sender.started?.transfer
  assert(transfer?.role === 'sender', 'the sender was started as one')
  return (transfer as SenderParameters).manifest
}
