/**
 * One receiver of a sending transfer: answers its handshakes, runs its data session, records what it holds. Each
 * receiver has its own keys, its own session and its own fate.
 */

import { NOT_MEASURED } from '@godwit/engine/domain/transfer/commands'
import { missingOf } from '@godwit/engine/domain/transfer/decideEnd'
import { pauseReasonOf } from '@godwit/engine/domain/transfer/pauses'
import { type Receiver, receiverOf, runOf } from '@godwit/engine/domain/transfer/state'
import type { SessionKeys } from '@godwit/engine/handshake/types'
import type { SenderReport } from '@godwit/engine/transfer/ports'
import type { CloseCode } from '@godwit/engine/transport/types'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import type { RangePair } from '@godwit/protocol/rangeSet'
import { crashPoint } from '../lifecycle/crashPoint.js'
import { recordOfMissing } from '../records/transferRecord.js'
import { describe } from '../transfers/transferLog.js'
import { lanesOf } from './lanes.js'
import type { EndedReport, InnerReport, PeerSession } from './peerSession.js'
import { noPathDetail, reasonOfEnd, sessionNumberOf } from './peerSession.js'
import { SenderConnector, type SenderConnectorOptions } from './senderConnector.js'

/** Milliseconds that the session stays after the receiver's completion is recorded, for it to hear of it. */
const CONFIRMING_MS = 10_000
/** Milliseconds between two writings of the files' hashes. */
const HASHES_SAVED_EVERY_MS = 1000
/** Phases of a receiver that may still get everything. */
const PRESENT: readonly Receiver['phase']['is'][] = ['joined', 'inLine', 'admitted', 'offered', 'accepted']

export interface SenderPeerOptions extends Omit<SenderConnectorOptions, 'onKeys'> {
  readonly sync: () => void
}

export class SenderPeer {
  readonly #options: SenderPeerOptions
  readonly #connector: SenderConnector
  #session: PeerSession | undefined
  /** The session that there is was told to end. */
  #isClosing = false
  /** What its user has to mend, as it said at the end of its session. */
  #waitsFor: ErrorCode | undefined
  #confirmingTimer: NodeJS.Timeout | undefined
  #plan: ChunkPlan | undefined
  #hashes: Uint8Array = new Uint8Array(0)
  #hashesTimer: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()
  /** It has left the room; why is told at the end of its session. */
  #hasLeft = false
  /** It has failed, and others may still come: it may try again as long as nobody waits for its place. */
  #hasFailed = false

  constructor(options: SenderPeerOptions) {
    this.#options = options
    this.#connector = new SenderConnector({
      ...options,
      onKeys: (keys, session) => this.#start(keys, session),
    })
  }

  /** Whether the receiver has everything and may not have heard yet that this is known. */
  get isConfirming(): boolean {
    return this.#confirmingTimer !== undefined
  }

  get isOpen(): boolean {
    return this.#session !== undefined
  }

  /** Whether a session with this receiver works. */
  get isEstablished(): boolean {
    return this.#session?.isEstablished === true && !this.#isClosing
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** Asks it to come for a session, unless it has one. Resolves when that was left for it, or could not be. */
  async wake(): Promise<void> {
    if (this.#session === undefined || this.#isClosing) await this.#connector.wake()
  }

  /** The same for one with which the code has been used: whoever has just come begins by itself. */
  async wakeIfPaired(): Promise<void> {
    if (await this.#connector.hasPaired()) await this.wake()
  }

  /**
   * Compares the session that runs with the one that the log knows: a pause that was lifted before anybody looked has
   * ended it there, so it ends here.
   */
  agree(number: number | undefined): void {
    const session = this.#session
    if (session === undefined || session.number === 0 || session.number === number) return
    this.#isClosing = true
    session.close('shutdown')
  }

  /**
   * The rendezvous says that it is not in the room any more. While a session works, that says so itself. @param byItself -
   * whether nobody put it out.
   */
  async onLeft(byItself: boolean): Promise<void> {
    if (byItself) this.#hasLeft = true
    if (this.isEstablished) return
    this.close('done')
    if (byItself && !this.isOpen) await this.#onGoneForGood()
  }

  /** Resolves when nothing of it is being written any more. */
  async saved(): Promise<void> {
    if (this.#hashesTimer !== undefined) this.#saveHashes()
    await this.#saving
  }

  onMessage(message: Uint8Array): Promise<void> {
    return this.#connector.onMessage(message)
  }

  requeue(ranges: readonly RangePair[], reason: RetransmitReason): void {
    this.#session?.command({ type: 'requeue', ranges, reason })
  }

  setLimit(limit: number | null): void {
    this.#session?.setLimit(limit)
  }

  /** Tells the receiver why this side ends, and ends. */
  fail(failure: Failure): void {
    this.#session?.command({ type: 'fail', failure })
    this.close('cancelled')
  }

  close(code: CloseCode): void {
    clearTimeout(this.#confirmingTimer)
    this.#confirmingTimer = undefined
    this.#connector.cancel()
    this.#isClosing = true
    this.#session?.close(code)
  }

  async #start(keys: SessionKeys, session: PeerSession): Promise<void> {
    const { context, transferId, execute, receiver, spawn } = this.#options
    const manifest = context.records.readManifest(transferId)
    const decoded = manifest === undefined ? undefined : decodeManifest(manifest)
    const sources = await context.records.readSources(transferId)
    const projection = await context.log.read(transferId)
    if (projection === undefined || projection.transfer.status === 'none') {
      session.close('done')
      return
    }
    if (manifest === undefined || decoded?.ok !== true || sources === undefined) {
      session.close('done')
      await execute({ type: 'fail', code: 'ERR_DISK_IO', detail: 'the record of this transfer is damaged' })
      return
    }
    this.#plan = ChunkPlan.of(decoded.value)
    this.#hashes = context.records.readHashes(transferId, this.#plan.fileCount)
    const replaced = this.#session
    replaced?.close('replaced')
    this.#session = session
    this.#isClosing = false
    this.#hasFailed = false
    if (replaced !== undefined) await this.#loseSession(replaced, 'ERR_SESSION_LOST')
    const { limit, profile } = projection.transfer.run
    session.start(
      keys,
      {
        role: 'sender',
        manifest,
        sources,
        fileHashes: this.#hashes,
        missing: missingOf([receiverOf(projection.transfer.run, receiver)]),
        lanes: lanesOf(context.records.get(transferId)),
      },
      { limit, profile: profile ?? 'standard' },
      {
        onEstablished: async (report) => {
          if (this.#session !== session) return
          await this.#connector.confirmUse()
          const opened = await execute({
            type: 'openSession',
            receiver,
            path: report.path,
            family: report.family,
            mtu: report.mtu,
            trains: report.trains,
          })
          session.number = sessionNumberOf(opened)
          crashPoint('sessionOpenedAppended')
          await execute({
            type: 'offer',
            receiver,
            fileCount: this.#plan?.fileCount ?? 0,
            totalBytes: this.#plan?.totalBytes ?? 0,
            chunkCount: this.#plan?.chunkCount ?? 0,
          })
        },
        onChanged: async (shape) => {
          if (this.#session === session && session.number > 0) {
            await execute({ type: 'changeSession', receiver, session: session.number, ...shape })
          }
        },
        onReport: (report) => this.#onReport(session, report),
        onEnded: (report) => this.#onEnded(session, report),
      },
      spawn,
    )
  }

  async #onReport(session: PeerSession, report: InnerReport): Promise<void> {
    if (report.type !== 'sender' || this.#session !== session) return
    const { stats } = report
    await this.#onSenderReport(session, report.report, stats)
  }

  async #onSenderReport(
    session: PeerSession,
    report: SenderReport,
    stats: Extract<InnerReport, { type: 'sender' }>['stats'],
  ): Promise<void> {
    const { execute, receiver, context, transferId, sync } = this.#options
    const plan = this.#plan
    if (plan === undefined) return
    const bytesOf = (ranges: readonly RangePair[]): number => plan.bytesOf(ranges)
    switch (report.type) {
      case 'accepted':
        await execute({ type: 'accept', receiver })
        session.offerLanes(lanesOf(context.records.get(transferId)))
        return
      case 'declined':
        await execute({ type: 'decline', receiver })
        this.#options.command({ type: 'dismiss', receiver, reason: 'failed' })
        session.close('done')
        await this.#giveUp({ code: 'ERR_DECLINED' })
        return
      case 'durable': {
        crashPoint('durableAckTaken')
        const { sinceMs, rttUs, lost, retransmitted, corrupted } = stats
        const rate = Math.round((report.bytes * 1000) / sinceMs)
        await execute({
          type: 'ackChunks',
          receiver,
          ranges: report.ranges,
          bytesOf,
          stats: { sinceMs, rttUs, rate, lost, retransmitted, corrupted },
        })
        crashPoint('durableAckAppended')
        return
      }
      case 'retransmitRequested':
        await execute({ type: 'requestRetransmit', receiver, ranges: report.ranges, bytesOf, reason: report.reason })
        return
      case 'filesCompleted':
        await execute({ type: 'completeFiles', receiver, first: report.first, count: report.count })
        return
      case 'fileHashed':
        this.#hashes.set(report.blake3, report.file * 32)
        this.#hashesTimer ??= setTimeout(() => this.#saveHashes(), HASHES_SAVED_EVERY_MS)
        return
      case 'filesFailed':
        await this.#failFiles(plan, report.files, report.code)
        session.command({ type: 'leaveOut', files: report.files, code: report.code })
        return
      case 'completed':
        return this.#onCompleted(session, report, plan)
      case 'peerFailed':
        session.close('done')
        if (pauseReasonOf(report.failure.code) !== undefined) {
          // It comes back by itself when that is mended; as long as nobody else wants its place.
          this.#waitsFor = report.failure.code
          this.#hasFailed = true
          sync()
          return
        }
        await this.#giveUp(report.failure)
        return
      case 'failed':
        session.close('done')
        await execute({ type: 'fail', code: report.failure.code, detail: report.failure.detail ?? null })
        return
    }
  }

  async #failFiles(plan: ChunkPlan, files: readonly RangePair[], code: ErrorCode): Promise<void> {
    const { execute, receiver, context, transferId } = this.#options
    const failed = await execute({
      type: 'failFiles',
      receiver,
      files,
      code,
      chunksOf: (pairs) => plan.chunksOfFiles(pairs),
      bytesOf: (ranges) => plan.bytesOf(ranges),
    })
    if (!failed.ok) context.logger.warn({ transferId }, `missing files were not recorded: ${describe(failed.failure)}`)
  }

  /** The receiver has everything that could be delivered: recorded, and only then confirmed. */
  async #onCompleted(
    session: PeerSession,
    { bytes, seconds, missing }: Extract<SenderReport, { type: 'completed' }>,
    plan: ChunkPlan,
  ): Promise<void> {
    const { execute, receiver, sync, context, transferId } = this.#options
    crashPoint('completionTaken')
    await this.saved()
    await execute({ type: 'accept', receiver })
    // It was told by us, and this side's log may have lost that.
    if (missing.length > 0) await this.#failFiles(plan, missing, 'ERR_SOURCE_CHANGED')
    // Whatever of its acknowledgements did not get into the log: it has given the files their names.
    const bytesOf = (ranges: readonly RangePair[]): number => plan.bytesOf(ranges)
    const all: readonly RangePair[] = plan.chunkCount > 0 ? [[0, plan.chunkCount]] : []
    await execute({ type: 'ackChunks', receiver, ranges: all, bytesOf, stats: NOT_MEASURED })
    if (plan.fileCount > 0) await execute({ type: 'completeFiles', receiver, first: 0, count: plan.fileCount })
    this.#confirmingTimer = setTimeout(() => {
      this.#confirmingTimer = undefined
      sync()
    }, CONFIRMING_MS)
    const completed = await execute({ type: 'completeReceiver', receiver, bytes, seconds })
    if (!completed.ok) {
      // It will say so again in the next session.
      context.logger.warn({ transferId }, `a completion was not recorded: ${describe(completed.failure)}`)
      session.close('shutdown')
      return
    }
    // Where the log loses this, the record tells: nobody will come again once it is confirmed.
    const transfer = (await context.log.read(transferId))?.transfer
    if (transfer?.status === 'completed') {
      const done = transfer.run.receivers.filter(({ phase }) => phase.is === 'completed')
      context.records.update(transferId, { isCompletionKnown: true, missing: recordOfMissing(missingOf(done)) })
    }
    crashPoint('completionAppended')
    session.command({ type: 'confirmCompletion' })
    crashPoint('completionConfirmed')
    this.#options.command({ type: 'dismiss', receiver, reason: 'completed' })
  }

  /** Not awaited by what it is called from: a hash that is lost is computed again. */
  #saveHashes(): void {
    clearTimeout(this.#hashesTimer)
    this.#hashesTimer = undefined
    const { context, transferId } = this.#options
    const hashes = this.#hashes
    this.#saving = this.#saving
      .then(() => context.records.writeHashes(transferId, hashes))
      .catch((error: unknown) => context.logger.warn({ transferId, err: error }, 'the hashes could not be kept'))
  }

  async #onEnded(session: PeerSession, report: EndedReport): Promise<void> {
    if (this.#session !== session) return
    this.#session = undefined
    clearTimeout(this.#confirmingTimer)
    this.#confirmingTimer = undefined
    try {
      const waitsFor = this.#waitsFor
      this.#waitsFor = undefined
      await this.#loseSession(session, waitsFor ?? reasonOfEnd(report))
      if (this.#hasLeft) await this.#onGoneForGood()
      else if (report.code === 'protocol') await this.#giveUp({ code: 'ERR_PEER_PROTOCOL' })
      else if (report.cause === 'noPath' && !(await this.#hadSession())) {
        await this.#giveUp({ code: 'ERR_NO_PATH', detail: noPathDetail(report, session.candidates.length) })
      }
    } finally {
      this.#options.sync()
    }
  }

  async #loseSession({ number }: PeerSession, reason: ErrorCode): Promise<void> {
    const { execute, receiver } = this.#options
    if (number > 0) await execute({ type: 'loseSession', receiver, session: number, reason })
  }

  async #known(): Promise<Receiver | undefined> {
    const { context, transferId, receiver } = this.#options
    const run = runOf((await context.log.read(transferId))?.transfer)
    return run && receiverOf(run, receiver)
  }

  /** A path that was there once comes back; one that was never found is the user's to mend. */
  async #hadSession(): Promise<boolean> {
    return ((await this.#known())?.sessionCount ?? 0) > 0
  }

  /** It left without having everything. One that had not proved that it knows the code was nobody. */
  async #onGoneForGood(): Promise<void> {
    const known = await this.#known()
    if (known?.phase.is === 'left' && known.name !== '') await this.#giveUp({ code: 'ERR_CANCELLED_BY_PEER' })
  }

  /** What ends one receiver ends the transfer only where no other can come: one was wanted, and this was it. */
  async #giveUp(failure: Failure): Promise<void> {
    const { context, transferId, receiver, execute, sync } = this.#options
    const run = runOf((await context.log.read(transferId))?.transfer)
    if (run === undefined) return
    const { receiversWanted, receivers } = run
    const isAlone = !receivers.some(({ id, phase }) => id !== receiver && PRESENT.includes(phase.is))
    if (receiversWanted === 1 && isAlone) {
      await execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
      return
    }
    this.#hasFailed = true
    sync()
  }
}
