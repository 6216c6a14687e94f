/**
 * One receiver of a sending transfer: answers its handshakes, runs its data session, records what it holds. Each
 * receiver has its own keys, its own session and its own fate.
 */

import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { receiverOf } from '@godwit/engine/domain/transfer/state'
import { MailboxResponder } from '@godwit/engine/handshake/mailboxResponder'
import type { RoomIdentity } from '@godwit/engine/handshake/pairingResponder'
import { confirmUse, type ResumptionSecrets } from '@godwit/engine/handshake/resumption'
import type { HandshakeStep, SessionKeys } from '@godwit/engine/handshake/types'
import { wakesFor } from '@godwit/engine/handshake/wake'
import type { SenderReport } from '@godwit/engine/transfer/ports'
import type { CloseCode } from '@godwit/engine/transport/types'
import type { CandidatePolicy } from '@godwit/protocol/candidates'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { Failure, Result } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import { HANDSHAKE_TIMEOUT_MS } from '@godwit/protocol/limits'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { RoomCommandInput } from '@godwit/protocol/rendezvousApi'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { ownPacketCiphers } from '../crypto/packetCiphers.js'
import { hostAddresses, isLoopbackOnly } from '../network/hostAddresses.js'
import { openPeerSocket } from '../network/peerSocket.js'
import type { RendezvousClient } from '../rendezvous/rendezvousClient.js'
import { NO_SECRETS, resumptionOf, withResumption } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { lanesOf } from './lanes.js'
import type { EndedReport, InnerReport } from './peerSession.js'
import { noPathDetail, PeerSession, reasonOfEnd, sessionNumberOf } from './peerSession.js'
import type { RunContext } from './runContext.js'
import type { SenderRoom } from './senderRoom.js'
import { guessesMax } from './senderRun.js'

/** Milliseconds that the session stays after the receiver's completion is recorded, for it to hear of it. */
const CONFIRMING_MS = 10_000
/** Milliseconds between two writings of the files' hashes. */
const HASHES_SAVED_EVERY_MS = 1000

export interface SenderPeerOptions {
  readonly context: RunContext
  readonly transferId: string
  readonly receiver: string
  readonly room: SenderRoom
  readonly client: () => RendezvousClient | undefined
  /** Leaves a message for the receiver; nothing here waits for the rendezvous to answer. */
  readonly post: (message: Uint8Array) => void
  readonly command: (command: RoomCommandInput['command']) => void
  readonly execute: (command: TransferCommand) => Promise<Result<readonly RecordedEvent<TransferEvent>[]>>
  readonly spawn: (task: () => Promise<void>) => void
  readonly sync: () => void
}

export class SenderPeer {
  readonly #options: SenderPeerOptions
  readonly #responder: MailboxResponder
  readonly #candidatePolicy: CandidatePolicy
  #room: RoomIdentity | null = null
  #resumption: ResumptionSecrets | null = null
  /** The socket of a handshake under way, until its keys are there. */
  #prepared: PeerSession | undefined
  /** The run under way and the end of its time. */
  #runId: string | null = null
  #runTimer: NodeJS.Timeout | undefined
  #session: PeerSession | undefined
  #isClosing = false
  #confirmingTimer: NodeJS.Timeout | undefined
  #plan: ChunkPlan | undefined
  #hashes: Uint8Array = new Uint8Array(0)
  #hashesTimer: NodeJS.Timeout | undefined

  constructor(options: SenderPeerOptions) {
    this.#options = options
    const { context } = options
    this.#candidatePolicy = { allowsLoopback: isLoopbackOnly(hostAddresses(context.listenHost)) }
    this.#responder = new MailboxResponder({
      context: {
        crypto: context.crypto,
        deviceName: context.deviceName,
        packetCiphers: ownPacketCiphers(),
        candidatePolicy: this.#candidatePolicy,
        localCandidates: () => this.#prepare(),
      },
      room: () => this.#room,
      resumption: () => this.#resumption,
    })
  }

  /** Whether the receiver has everything and may not have heard yet that this is known. */
  get isConfirming(): boolean {
    return this.#confirmingTimer !== undefined
  }

  /** Whether a session with this receiver works. */
  get isEstablished(): boolean {
    return this.#session?.isEstablished === true && !this.#isClosing
  }

  /** Asks the receiver to come for a session where there is none on this side. */
  async wake(): Promise<void> {
    if (this.#session !== undefined && !this.#isClosing) return
    const { context, transferId, receiver, post } = this.#options
    const secrets = await context.secrets.read(transferId)
    if (!secrets.ok || secrets.value === null) return
    for (const message of wakesFor(context.crypto, resumptionOf(secrets.value, receiver))) post(message)
  }

  /** The rendezvous says that the receiver has left: while a session works, that will say so itself. */
  onLeft(): void {
    if (!this.isEstablished) this.close('done')
  }

  async onMessage(message: Uint8Array): Promise<void> {
    if (!(await this.#load())) return
    const step = await this.#responder.handle(message)
    await this.#onStep(step)
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
    this.#endRun()
    this.#isClosing = true
    this.#session?.close(code)
  }

  /** What the handshake needs: read anew for each message, since it may have changed; false when it may not go on. */
  async #load(): Promise<boolean> {
    const { context, transferId, receiver } = this.#options
    const projection = await context.log.read(transferId)
    const record = context.records.get(transferId)
    if (projection === undefined || projection.transfer.status === 'none' || record === undefined) return false
    const { transfer } = projection
    const known = receiverOf(transfer.run, receiver)
    if (known === undefined || transfer.status === 'cancelled' || transfer.status === 'paused') return false
    const read = await context.secrets.read(transferId)
    if (!read.ok || read.value === null) return false
    const secrets = read.value
    this.#resumption = resumptionOf(secrets, receiver)
    const isLocked = transfer.run.room?.isLocked ?? false
    if (isLocked) this.#options.room.close()
    const mayPair = transfer.status === 'active' && known.phase.is === 'admitted' && !isLocked
    this.#room = mayPair ? this.#options.room.identity(secrets) : null
    return true
  }

  async #onStep(step: HandshakeStep): Promise<void> {
    const { execute, post, receiver } = this.#options
    switch (step.kind) {
      case 'ignored':
        return
      case 'send':
        this.#timeRun()
        post(step.message)
        return
      case 'paired':
        if (!(await this.#store(step.pairing.resumption))) return
        await execute({ type: 'pair', receiver, name: step.pairing.peer.deviceName })
        // Before the message: when the receiver gets it and probes, our NAT is open for it.
        await this.#start(step.pairing)
        if (step.message !== null) post(step.message)
        return
      case 'resumed':
        if (!(await this.#store(step.session.resumption))) return
        // A receiver that tries again takes a failed transfer up with it.
        await this.#takeUp()
        await this.#start(step.session)
        if (step.message !== null) post(step.message)
        return
      case 'failed':
        this.#endRun()
        if (step.message !== null) post(step.message)
        if (step.countsAsGuess) await this.#countGuess()
        return
    }
  }

  /** A handshake has HANDSHAKE_TIMEOUT_MS from its first message to its last. */
  #timeRun(): void {
    const { runId } = this.#responder
    if (runId === this.#runId) return
    this.#runId = runId
    clearTimeout(this.#runTimer)
    this.#runTimer = setTimeout(() => this.#options.spawn(async () => this.#endRun()), HANDSHAKE_TIMEOUT_MS)
  }

  #endRun(): void {
    clearTimeout(this.#runTimer)
    this.#runId = null
    this.#responder.end()
    this.#dropPrepared()
  }

  async #takeUp(): Promise<void> {
    const { context, transferId, execute } = this.#options
    const projection = await context.log.read(transferId)
    if (projection?.transfer.status === 'failed') await execute({ type: 'retry', by: 'peer' })
  }

  /** Recorded first; the room's worker tells the rendezvous. */
  async #countGuess(): Promise<void> {
    const { context, transferId, receiver, execute } = this.#options
    const record = context.records.get(transferId)
    if (record === undefined) return
    const events = await context.log.events.read(transferId)
    const failed = events.filter(({ type }) => type === 'GuessFailed').length
    const guessesLeft = Math.max(0, guessesMax(record) - failed - 1)
    await execute({ type: 'guessFailed', receiver, guessesLeft })
    this.#options.command({ type: 'guessFailed', receiver })
  }

  async #store(resumption: ResumptionSecrets): Promise<boolean> {
    const { context, transferId, receiver } = this.#options
    const stored = await context.secrets.update(transferId, (secrets) =>
      withResumption(secrets ?? NO_SECRETS, receiver, resumption),
    )
    this.#resumption = resumption
    if (!stored.ok) context.logger.error({ transferId }, describe(stored.failure))
    return stored.ok
  }

  async #prepare(): Promise<PeerSession['candidates']> {
    const { context, client } = this.#options
    const rendezvous = client()
    if (rendezvous === undefined) return []
    this.#dropPrepared()
    const opened = await openPeerSocket({ plane: context.plane, rendezvous, listenHost: context.listenHost })
    if (!opened.ok) {
      context.logger.error({ transferId: this.#options.transferId }, describe(opened.failure))
      return []
    }
    const prepared = new PeerSession(opened.value, {
      plane: context.plane,
      rendezvous,
      listenHost: context.listenHost,
      candidatePolicy: this.#candidatePolicy,
    })
    this.#prepared = prepared
    return prepared.candidates
  }

  #dropPrepared(): void {
    this.#prepared?.close('done')
    this.#prepared = undefined
  }

  async #start(keys: SessionKeys): Promise<void> {
    const { context, transferId, execute, receiver, spawn } = this.#options
    const session = this.#prepared
    this.#prepared = undefined
    this.#endRun()
    const manifest = context.records.readManifest(transferId)
    const sources = await context.records.readSources(transferId)
    const projection = await context.log.read(transferId)
    if (session === undefined || projection === undefined || projection.transfer.status === 'none') return
    if (manifest === undefined || sources === undefined) {
      session.close('done')
      await execute({ type: 'fail', code: 'ERR_DISK_IO', detail: 'the record of this transfer is damaged' })
      return
    }
    const decoded = decodeManifest(manifest)
    if (!decoded.ok) return
    this.#plan = ChunkPlan.of(decoded.value)
    this.#hashes = context.records.readHashes(transferId, this.#plan.fileCount)
    this.#session?.close('replaced')
    await this.#loseSession('ERR_SESSION_LOST')
    this.#session = session
    this.#isClosing = false
    const { limit, profile } = projection.transfer.run
    session.start(
      keys,
      { role: 'sender', manifest, sources, fileHashes: this.#hashes, lanes: lanesOf(context.records.get(transferId)) },
      { limit, profile: profile ?? 'standard' },
      {
        onEstablished: async (report) => {
          if (this.#session !== session) return
          // The first authentic datagram proves that the receiver has stored the new secret too.
          if (this.#resumption !== null) await this.#store(confirmUse(this.#resumption))
          const opened = await execute({
            type: 'openSession',
            receiver,
            path: report.path,
            family: report.family,
            mtu: report.mtu,
            trains: report.trains,
          })
          session.number = sessionNumberOf(opened)
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
    const { execute, receiver, sync, transferId, context } = this.#options
    const plan = this.#plan
    if (plan === undefined) return
    const bytesOf = (ranges: readonly RangePair[]): number => plan.bytesOf(ranges)
    switch (report.type) {
      case 'accepted':
        await execute({ type: 'accept', receiver })
        await session.offerLanes(lanesOf(context.records.get(transferId)))
        return
      case 'declined':
        await execute({ type: 'decline', receiver })
        this.#options.command({ type: 'dismiss', receiver, reason: 'failed' })
        session.close('done')
        await this.#failIfAlone({ code: 'ERR_DECLINED' })
        return
      case 'durable': {
        const { sinceMs, rttUs, lost, retransmitted, corrupted } = stats
        const rate = Math.round((report.bytes * 1000) / sinceMs)
        await execute({
          type: 'ackChunks',
          receiver,
          ranges: report.ranges,
          bytesOf,
          stats: { sinceMs, rttUs, rate, lost, retransmitted, corrupted },
        })
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
        this.#hashesTimer ??= setTimeout(() => {
          this.#hashesTimer = undefined
          void context.records.writeHashes(transferId, this.#hashes)
        }, HASHES_SAVED_EVERY_MS)
        return
      case 'completed': {
        if (this.#hashesTimer !== undefined) {
          clearTimeout(this.#hashesTimer)
          this.#hashesTimer = undefined
        }
        await context.records.writeHashes(transferId, this.#hashes)
        await execute({ type: 'accept', receiver })
        if (plan.fileCount > 0) await execute({ type: 'completeFiles', receiver, first: 0, count: plan.fileCount })
        this.#confirmingTimer = setTimeout(() => {
          this.#confirmingTimer = undefined
          sync()
        }, CONFIRMING_MS)
        await execute({ type: 'completeReceiver', receiver, bytes: report.bytes, seconds: report.seconds })
        session.command({ type: 'confirmCompletion' })
        this.#options.command({ type: 'dismiss', receiver, reason: 'completed' })
        return
      }
      case 'peerFailed':
        session.close('done')
        await this.#failIfAlone(report.failure)
        return
      case 'failed':
        session.close('done')
        await execute({ type: 'fail', code: report.failure.code, detail: report.failure.detail ?? null })
        return
    }
  }

  async #onEnded(session: PeerSession, report: EndedReport): Promise<void> {
    if (this.#session !== session) return
    const { sync } = this.#options
    clearTimeout(this.#confirmingTimer)
    this.#confirmingTimer = undefined
    await this.#loseSession(reasonOfEnd(report))
    this.#session = undefined
    if (report.cause === 'noPath' && !report.wasEstablished) {
      await this.#failIfAlone({ code: 'ERR_NO_PATH', detail: noPathDetail(report, session.candidates.length) })
    }
    sync()
  }

  async #loseSession(reason: 'ERR_SESSION_LOST' | ReturnType<typeof reasonOfEnd>): Promise<void> {
    const number = this.#session?.number ?? 0
    if (number === 0) return
    await this.#options.execute({ type: 'loseSession', receiver: this.#options.receiver, session: number, reason })
  }

  /** What ends one receiver ends the transfer only where no other can come: one was wanted, and this was it. */
  async #failIfAlone(failure: Failure): Promise<void> {
    const { context, transferId, execute } = this.#options
    const record = context.records.get(transferId)
    if (record?.receiversWanted !== 1) return
    await execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
  }
}
