/**
 * The receiver's data session: from the offer to the files under their names. It records what the session reports and
 * tells the sender only what is recorded: data, fsync, event, durable ack.
 */

import { NOT_MEASURED, type TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { pauseReasonOf } from '@godwit/engine/domain/transfer/pauses'
import { type Receiver, receiverOf, runOf } from '@godwit/engine/domain/transfer/state'
import type { SessionKeys } from '@godwit/engine/handshake/types'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { ReceiverReport } from '@godwit/engine/transfer/ports'
import type { CloseCode } from '@godwit/engine/transport/types'
import { equalBytes } from '@godwit/protocol/bytes'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import { LOG_AWAY_MAX_MS } from '@godwit/protocol/limits'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { checkOutputDir } from '../files/diskSpace.js'
import { Staging } from '../files/staging.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import { recordOfMissing, type TransferRecord } from '../records/transferRecord.js'
import { describe } from '../transfers/transferLog.js'
import type { EndedReport, InnerReport, PeerSession } from './peerSession.js'
import { noPathDetail, reasonOfEnd, sessionNumberOf } from './peerSession.js'
import type { Execute, RunContext } from './runContext.js'

/** Names at the top of a transfer that its record keeps. */
const TOP_NAMES_KEPT = 1000

export interface ReceiverDataOptions {
  readonly context: RunContext
  readonly transferId: string
  /** Our id in the room. */
  readonly receiver: () => string
  readonly execute: Execute
  readonly fail: (failure: Failure) => Promise<void>
  readonly sync: () => Promise<void>
  readonly spawn: (task: () => Promise<void>) => void
  /** A path works: the handshake's secrets are confirmed. */
  readonly onEstablished: () => Promise<void>
  /** The session is gone, and its files are closed. */
  readonly onLost: () => Promise<void>
  readonly onCompletionKnown: () => Promise<void>
}

export class ReceiverData {
  readonly #options: ReceiverDataOptions
  #session: PeerSession | undefined
  /** Of the session: whether the sender has offered in it, and whether the staging was opened for it. */
  #isOffered = false
  #hasBegun = false
  #plan: ChunkPlan | undefined
  /** What the sender's user has to mend, as it said at the end of the session. */
  #waitsFor: ErrorCode | undefined

  constructor(options: ReceiverDataOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#session !== undefined
  }

  get isEstablished(): boolean {
    return this.#session?.isEstablished === true
  }

  /**
   * Compares the session that runs with the one that the log knows: a pause that was lifted before anybody looked has
   * ended it there, so it ends here.
   */
  agree(number: number | undefined): void {
    const session = this.#session
    if (session !== undefined && session.number > 0 && session.number !== number) session.close('shutdown')
  }

  close(code: CloseCode): void {
    this.#session?.close(code)
  }

  /** Tells the sender why this side ends, and ends. */
  failSession(failure: Failure): void {
    this.#session?.command(failure.code === 'ERR_DECLINED' ? { type: 'decline' } : { type: 'fail', failure })
    this.#session?.close('cancelled')
  }

  requestRetransmit(ranges: readonly RangePair[], reason: RetransmitReason): void {
    this.#session?.command({ type: 'requestRetransmit', ranges, reason })
  }

  start(keys: SessionKeys, session: PeerSession): void {
    const { execute, receiver, spawn, onEstablished } = this.#options
    this.#session?.close('replaced')
    this.#session = session
    this.#isOffered = false
    this.#hasBegun = false
    this.#waitsFor = undefined
    session.start(
      keys,
      { role: 'receiver' },
      // Congestion is controlled where chunks are sent.
      { limit: null, profile: 'standard' },
      {
        onEstablished: async (report) => {
          if (this.#session !== session) return
          await onEstablished()
          const opened = await execute({
            type: 'openSession',
            receiver: receiver(),
            path: report.path,
            family: report.family,
            mtu: report.mtu,
            trains: report.trains,
          })
          session.number = sessionNumberOf(opened)
          crashPoint('sessionOpenedAppended')
        },
        onChanged: async (shape) => {
          if (this.#session === session && session.number > 0) {
            await execute({ type: 'changeSession', receiver: receiver(), session: session.number, ...shape })
          }
        },
        onReport: async (report) => {
          if (this.#session === session) await this.#onReport(session, report)
        },
        onEnded: (report) => this.#onEnded(session, report),
      },
      spawn,
    )
  }

  /** The user has accepted and the session has its offer: opens the staging in the data plane, once for each session. */
  async begin(projection: TransferProjection, record: TransferRecord): Promise<void> {
    const { context, transferId, fail } = this.#options
    const manifest = context.records.readManifest(transferId)
    const session = this.#session
    if (!this.#isOffered || this.#hasBegun || session === undefined) return
    if (this.#plan === undefined || manifest === undefined) return
    if (record.output === null) return
    if (!record.isAccepted) context.records.update(transferId, { isAccepted: true })
    const own = this.#own(projection)
    const writable = await checkOutputDir(record.output)
    if (!writable.ok) return fail(writable.failure)
    // Not before: what threw on the way here, a full disk perhaps, is tried again.
    this.#hasBegun = true
    session.command({
      type: 'begin',
      begin: {
        transferId,
        outputDir: record.output,
        manifest: Uint8Array.from(manifest),
        claimed: own?.acked ?? [],
        missing: own?.missing?.files ?? [],
      },
    })
  }

  /** Removes what was staged: the transfer is complete and recorded as such, or was given up. */
  async discardStaging(): Promise<void> {
    const { context, transferId } = this.#options
    const output = context.records.get(transferId)?.output ?? null
    if (output === null) return
    const discarded = await Staging.discard(output, transferId)
    if (!discarded.ok) context.logger.warn({ transferId }, describe(discarded.failure))
  }

  #own({ transfer }: TransferProjection): Receiver | undefined {
    const run = runOf(transfer)
    return run && receiverOf(run, this.#options.receiver())
  }

  async #onReport(session: PeerSession, report: InnerReport): Promise<void> {
    const { context, transferId, execute, receiver } = this.#options
    switch (report.type) {
      case 'begun':
        return this.#onBegun(report.held, report.isResumed)
      case 'filesCompleted': {
        const { first, count } = report
        await execute({ type: 'completeFiles', receiver: receiver(), first, count })
        crashPoint('filesCompletedAppended')
        session.command({ type: 'announceFiles', first, count })
        return
      }
      case 'files':
        // Before the files: with them the record says that this transfer is complete.
        context.records.update(transferId, { missing: this.#recordOf(report.missing) })
        context.records.writeFiles(transferId, report.files)
        return
      case 'receiver':
        return this.#onReceiverReport(session, report.report, report.stats)
      case 'sender':
        return
    }
  }

  async #onReceiverReport(
    session: PeerSession,
    report: ReceiverReport,
    stats: Extract<InnerReport, { type: 'receiver' }>['stats'],
  ): Promise<void> {
    switch (report.type) {
      case 'offered':
        return this.#onOffered(report.manifest)
      case 'checkpoint': {
        const { sinceMs, rttUs, corrupted } = stats
        const rate = Math.round((report.bytes * 1000) / sinceMs)
        await this.#ack(report.ranges, { sinceMs, rttUs, rate, lost: 0, retransmitted: 0, corrupted })
        crashPoint('chunksAckedAppended')
        session.command({ type: 'confirmDurable', ranges: report.ranges })
        crashPoint('durableAckHandedOver')
        return
      }
      case 'rejected':
        return this.#reject(report.ranges, report.reason)
      case 'filesFailed':
        return this.#failFiles(report.files, report.code)
      case 'verifying':
        return
      case 'finalized':
        return this.#onFinalized(session)
      case 'completionKnown':
        return this.#options.onCompletionKnown()
      case 'peerFailed':
        if (pauseReasonOf(report.failure.code) !== undefined) {
          // The sender goes on by itself when that is mended.
          this.#waitsFor = report.failure.code
          session.close('done')
          return
        }
        session.close('done')
        return this.#options.fail(report.failure)
      case 'failed':
        session.close('done')
        return this.#options.fail(report.failure)
    }
  }

  /** Checks the list of files before the user sees it; nothing of a list that is refused is kept. */
  async #onOffered(manifest: Uint8Array): Promise<void> {
    const { context, transferId, execute, receiver, fail, sync } = this.#options
    const { records, log } = context
    const projection = await log.read(transferId)
    const record = records.get(transferId)
    if (projection === undefined || record === undefined) return
    const decoded = decodeManifest(manifest)
    if (!decoded.ok) return fail(decoded.failure)
    const known = records.readManifest(transferId)
    if (known !== undefined && !equalBytes(known, manifest)) {
      return fail({ code: 'ERR_PEER_PROTOCOL', detail: 'another list of files was offered than before' })
    }
    const plan = ChunkPlan.of(decoded.value)
    this.#plan = plan
    this.#isOffered = true
    const { transfer } = projection
    if (transfer.status === 'completed') {
      const milliseconds = Math.round(transfer.seconds * 1000)
      const missing = this.#own(projection)?.missing?.files ?? records.get(transferId)?.missing?.files ?? []
      this.#session?.command({ type: 'announceCompletion', bytes: transfer.bytes, milliseconds, missing })
      return
    }
    if (known === undefined) {
      records.writeManifest(transferId, manifest)
      const names = [...new Set(decoded.value.entries.map(({ path }) => path[0] ?? ''))].slice(0, TOP_NAMES_KEPT)
      records.update(transferId, { names, fileCount: plan.fileCount, totalBytes: plan.totalBytes })
    }
    const { fileCount, totalBytes, chunkCount } = plan
    const offered = await execute({ type: 'offer', receiver: receiver(), fileCount, totalBytes, chunkCount })
    if (!offered.ok) {
      // Paused or ended meanwhile: this session ends by that.
      if (offered.failure.code === 'ERR_TRANSFER_STATE') return
      return fail(offered.failure)
    }
    await sync()
  }

  /** What the disk holds is the truth: the log is brought to it, and what was under way is asked for again. */
  async #onBegun(held: readonly RangePair[], isResumed: boolean): Promise<void> {
    const { context, transferId, execute, receiver } = this.#options
    const projection = await context.log.read(transferId)
    const plan = this.#plan
    if (projection === undefined || plan === undefined) return
    const onDisk = RangeSet.ofPairs(held)
    const missing = new RangeSet()
    for (const [first, count] of this.#own(projection)?.acked ?? []) {
      for (const [start, end] of onDisk.missing(first, first + count)) missing.add(start, end)
    }
    if (!missing.isEmpty) await this.#reject(missing.toPairs(), 'stagingDamaged')
    if (held.length > 0) {
      await this.#ack(held, NOT_MEASURED)
    }
    if (!isResumed || onDisk.size === plan.chunkCount) return
    // Gaps, and the chunk behind the last that is there: at least that one was under way.
    const again = new RangeSet()
    const horizon = Math.min(plan.chunkCount, (onDisk.end ?? 0) + 1)
    for (const [start, end] of onDisk.missing(0, horizon)) again.add(start, end)
    if (again.isEmpty) return
    const bytesOf = this.#bytesOf()
    await execute({
      type: 'requestRetransmit',
      receiver: receiver(),
      ranges: again.toPairs(),
      bytesOf,
      reason: 'sessionBroken',
    })
  }

  async #ack(
    ranges: readonly RangePair[],
    stats: Extract<TransferCommand, { type: 'ackChunks' }>['stats'],
  ): Promise<void> {
    const { context, transferId, execute, receiver } = this.#options
    // While the log is away data flows on into the staging, but not for ever.
    const patience = setTimeout(() => this.#session?.close('shutdown'), LOG_AWAY_MAX_MS)
    const acked = await execute({ type: 'ackChunks', receiver: receiver(), ranges, bytesOf: this.#bytesOf(), stats })
    clearTimeout(patience)
    if (!acked.ok) context.logger.warn({ transferId }, describe(acked.failure))
  }

  async #reject(ranges: readonly RangePair[], reason: 'hashMismatch' | 'stagingDamaged'): Promise<void> {
    const { execute, receiver } = this.#options
    const shared = { receiver: receiver(), ranges, bytesOf: this.#bytesOf(), reason }
    await execute({ type: 'rejectChunks', ...shared })
    await execute({ type: 'requestRetransmit', ...shared })
  }

  /** The sender has told that it cannot deliver these, and why is the same for all of them. */
  async #failFiles(files: readonly RangePair[], code: ErrorCode): Promise<void> {
    const { context, transferId, execute, receiver } = this.#options
    const plan = this.#plan
    if (plan === undefined) return
    const chunksOf = (pairs: readonly RangePair[]): readonly RangePair[] => plan.chunksOfFiles(pairs)
    const shared = { receiver: receiver(), files, code, chunksOf, bytesOf: this.#bytesOf() }
    const failed = await execute({ type: 'failFiles', ...shared })
    if (!failed.ok) context.logger.warn({ transferId }, describe(failed.failure))
  }

  #recordOf(missing: readonly RangePair[]): TransferRecord['missing'] {
    if (missing.length === 0 || this.#plan === undefined) return null
    const bytes = this.#plan.bytesOf(this.#plan.chunksOfFiles(missing))
    return recordOfMissing({ files: missing, bytes, code: 'ERR_SOURCE_CHANGED' })
  }

  #bytesOf(): (ranges: readonly RangePair[]) => number {
    return (ranges) => this.#plan?.bytesOf(ranges) ?? 0
  }

  /** The files stand under their names: recorded, then told, then the staging goes. */
  async #onFinalized(session: PeerSession): Promise<void> {
    const { context, transferId, execute, receiver } = this.#options
    const projection = await context.log.read(transferId)
    if (projection === undefined || this.#plan === undefined) return
    const { fileCount, totalBytes, chunkCount } = this.#plan
    // Whatever of it did not get into the log: every file that has its name was read back whole.
    const missing = context.records.get(transferId)?.missing ?? null
    if (missing !== null) await this.#failFiles(missing.files, missing.code)
    const bytes = totalBytes - (missing?.bytes ?? 0)
    if (chunkCount > 0) await this.#ack([[0, chunkCount]], NOT_MEASURED)
    if (fileCount > 0) await execute({ type: 'completeFiles', receiver: receiver(), first: 0, count: fileCount })
    const milliseconds = Math.max(1, Date.now() - (projection.acceptedAt ?? Date.now()))
    const completed = await execute({
      type: 'completeReceiver',
      receiver: receiver(),
      bytes,
      seconds: milliseconds / 1000,
    })
    if (!completed.ok) {
      // Ended meanwhile, or another node's: the next session finds the files finished.
      context.logger.warn({ transferId }, `a completion was not recorded: ${describe(completed.failure)}`)
      session.close('shutdown')
      return
    }
    crashPoint('receiverCompletedAppended')
    session.command({ type: 'announceCompletion', bytes, milliseconds, missing: missing?.files ?? [] })
    crashPoint('completionAnnounced')
    await this.discardStaging()
    crashPoint('stagingRemoved')
  }

  async #onEnded(session: PeerSession, report: EndedReport): Promise<void> {
    const { execute, receiver, fail, onLost } = this.#options
    const isCurrent = this.#session === session
    if (isCurrent) this.#session = undefined
    try {
      if (session.number > 0) {
        const reason = (isCurrent ? this.#waitsFor : undefined) ?? reasonOfEnd(report)
        await execute({ type: 'loseSession', receiver: receiver(), session: session.number, reason })
      }
      if (!isCurrent) return
      if (report.code === 'protocol') return await fail({ code: 'ERR_PEER_PROTOCOL' })
      // A path that was never found is the user's to mend; one that was lost comes back.
      if (report.cause === 'noPath' && !(await this.#hadSession())) {
        return await fail({ code: 'ERR_NO_PATH', detail: noPathDetail(report, session.candidates.length) })
      }
    } finally {
      if (isCurrent) await onLost()
    }
  }

  async #hadSession(): Promise<boolean> {
    const { context, transferId } = this.#options
    const projection = await context.log.read(transferId)
    return projection !== undefined && (this.#own(projection)?.sessionCount ?? 0) > 0
  }
}
