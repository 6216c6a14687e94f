/**
 * A receiving transfer while it runs: joins the room, pairs when it is admitted, takes the offer to the user, and keeps
 * a data session until everything has its name. It is the side that connects again: whatever breaks, it begins a
 * resumption handshake until the two are together.
 */
import { randomBytes } from 'node:crypto'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { RetransmitReason } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure, Result } from '@godwit/protocol/errors'
import { ERRORS, ok } from '@godwit/protocol/errors'
import { EXPOSED_HANDSHAKES_MAX, LOG_AWAY_MAX_MS } from '@godwit/protocol/limits'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { equalBytes } from '@godwit/protocol/bytes'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { type Receiver, receiverOf } from '@godwit/engine/domain/transfer/state'
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { ResumeInitiator } from '@godwit/engine/handshake/resumeInitiator'
import { confirmUse, type ResumptionSecrets } from '@godwit/engine/handshake/resumption'
import type { HandshakeContext, HandshakeStep, SessionKeys } from '@godwit/engine/handshake/types'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { ReceiverReport } from '@godwit/engine/transfer/ports'
import { Secret } from '../crypto/secret.js'
import { checkDiskSpace, checkOutputDir } from '../files/diskSpace.js'
import { Staging } from '../files/staging.js'
import { hostAddresses, isLoopbackOnly } from '../network/hostAddresses.js'
import { openPeerSocket } from '../network/peerSocket.js'
import type { TransferRecord } from '../records/transferRecord.js'
import type { RendezvousClient } from '../rendezvous/rendezvousClient.js'
import { NO_SECRETS, resumptionOf, withResumption, type TransferSecrets } from '../secrets/transferSecrets.js'
import { describe } from '../transfers/transferLog.js'
import { mirroredEventOf } from './mirroredEvents.js'
import type { EndedReport, InnerReport } from './peerSession.js'
import { noPathDetail, PeerSession, reasonOfEnd, sessionNumberOf } from './peerSession.js'
import { cursorKeeping, RoomLink } from './roomLink.js'
import type { Run } from './run.js'
import type { RunContext } from './runContext.js'
import { Serial } from './serial.js'
import { isWakeMessage } from './wakeMessage.js'

/** Milliseconds before another try to join the room. */
const JOIN_RETRY_MS = 2000
/** Milliseconds that a handshake may take before the next one begins: pairing stretches the words on both sides. */
const PAIRING_ATTEMPT_MS = 10_000
const RESUMING_ATTEMPT_MS = 4000
/** Milliseconds between two attempts, growing. */
const ATTEMPT_DELAYS_MS = [100, 300, 1000, 2000] as const
/** A session younger than this is not given up because the sender says that it is there again. */
const FRESH_SESSION_MS = 3000

type Machine = PairingInitiator | ResumeInitiator

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
  #resumption: ResumptionSecrets | null = null
  #machine: Machine | undefined
  #prepared: PeerSession | undefined
  #session: PeerSession | undefined
  #attempts = 0
  #attemptTimer: NodeJS.Timeout | undefined
  #joinTimer: NodeJS.Timeout | undefined
  #isStopped = false
  #isOver = false
  #hasBegun = false
  #plan: ChunkPlan | undefined

  constructor(context: RunContext, transferId: string) {
    this.#context = context
    this.transferId = transferId
  }

  get isOver(): boolean {
    return this.#isOver
  }

  sync(): Promise<void> {
    return this.#serial.run(() => this.#sync())
  }

  retransmit(_receiver: string, ranges: readonly RangePair[], reason: RetransmitReason): Promise<void> {
    return this.#serial.run(async () => this.#session?.command({ type: 'requestRetransmit', ranges, reason }))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#disconnect('shutdown')
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
        this.#disconnect('paused')
        return
      case 'failed':
        this.#session?.command({ type: 'fail', failure: { code: transfer.code } })
        this.#disconnect('cancelled')
        if (!ERRORS[transfer.code].isRetryable) await this.#leaveRoom()
        await this.#finish()
        return
      case 'cancelled':
        this.#session?.command({ type: 'fail', failure: { code: 'ERR_CANCELLED_BY_PEER' } })
        this.#disconnect('cancelled')
        await this.#leaveRoom()
        await this.#discardStaging()
        await this.#finish('cancelled')
        return
      case 'completed':
        // Only now that the end is recorded: a crash before must find it again.
        await this.#discardStaging()
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
    if (this.#link !== undefined) return true
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
      await this.#onJoinFailure(joined.failure, projection.transfer.status === 'completed')
      return false
    }
    this.#roomId = joined.value.roomId
    this.#receiver = joined.value.receiver
    this.#resumption = resumptionOf(secrets.value, this.#receiver)
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

  async #onJoinFailure(failure: Failure, isCompleted: boolean): Promise<void> {
    this.#context.logger.warn({ transferId: this.transferId }, `not in the room yet: ${describe(failure)}`)
    if (ERRORS[failure.code].exit === 'network') {
      clearTimeout(this.#joinTimer)
      this.#joinTimer = setTimeout(() => this.#spawn(() => this.#sync()), JOIN_RETRY_MS)
      return
    }
    // A sender that has closed its room knows all that it wants to know.
    if (isCompleted) await this.#onCompletionKnown()
    else await this.#execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
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
        if (this.#session?.isEstablished === true) await this.#begin(projection, record)
        else this.#connect()
        return
    }
  }

  #own({ transfer }: TransferProjection): Receiver | undefined {
    return transfer.status === 'none' ? undefined : receiverOf(transfer.run, this.#receiver)
  }

  async #onItem(item: RoomFeedItem): Promise<void> {
    if (item.kind === 'message') {
      const message = new Uint8Array(Buffer.from(item.body, 'base64'))
      if (isWakeMessage(message)) this.#onSenderBack()
      else if (this.#machine !== undefined) await this.#onStep(this.#machine, await this.#machine.handle(message))
      return
    }
    const event = mirroredEventOf(item)
    if (event !== undefined) await this.#execute({ type: 'mirrorRoomEvent', event })
    if (item.event.type === 'RoomLocked') await this.#failUnlessPaired({ code: 'ERR_ROOM_LOCKED' })
    if (event?.type === 'ReceiverLeft' && event.data.receiver === this.#receiver) {
      if (event.data.reason === 'wrongCode') await this.#fail({ code: 'ERR_WRONG_CODE' })
      else if (event.data.reason === 'completed') await this.#onRoomClosed('completed')
      else if (event.data.reason === 'timeout') await this.#failUnlessPaired({ code: 'ERR_PEER_TIMEOUT' })
    }
    if (event?.type === 'RoomClosed') await this.#onRoomClosed(event.data.reason)
  }

  async #onRoomClosed(reason: string): Promise<void> {
    const projection = await this.#context.log.read(this.transferId)
    if (projection?.transfer.status === 'completed') return this.#onCompletionKnown()
    if (reason === 'cancelled') return this.#fail({ code: 'ERR_CANCELLED_BY_PEER' })
    // While a session runs the room is not needed; a sender that is complete has dealt with this receiver.
    if (this.#session?.isEstablished !== true) await this.#fail({ code: 'ERR_ROOM_CLOSED' })
  }

  async #onRoomGone(failure: Failure): Promise<void> {
    await this.#link?.stop()
    this.#link = undefined
    const projection = await this.#context.log.read(this.transferId)
    if (projection?.transfer.status === 'completed') return this.#onCompletionKnown()
    if (this.#session?.isEstablished !== true) await this.#fail(failure)
  }

  /** The sender's node started again: the old session is dead, whatever its timers say. */
  #onSenderBack(): void {
    const session = this.#session
    if (session !== undefined && performance.now() - session.startedAt < FRESH_SESSION_MS) return
    this.#attempts = 0
    session?.close('replaced')
    this.#connect()
  }

  // Connecting

  #connect(): void {
    if (this.#isStopped || this.#isOver || this.#session !== undefined || this.#machine !== undefined) return
    if (this.#attemptTimer !== undefined) return
    const delay = this.#attempts === 0 ? 0 : (ATTEMPT_DELAYS_MS[Math.min(this.#attempts, ATTEMPT_DELAYS_MS.length) - 1] ?? 0)
    this.#attempts += 1
    this.#attemptTimer = setTimeout(() => {
      this.#attemptTimer = undefined
      this.#spawn(() => this.#attempt())
    }, delay)
  }

  async #attempt(): Promise<void> {
    if (this.#isStopped || this.#session !== undefined || this.#machine !== undefined || !(await this.#isWanted())) return
    const read = await this.#context.secrets.read(this.transferId)
    if (!read.ok || read.value === null) return
    const secrets = read.value
    this.#resumption = resumptionOf(secrets, this.#receiver)
    const context = this.#handshakeContext()
    if (this.#resumption === null && secrets.passphrase === null) return this.#fail({ code: 'ERR_RESUME_REFUSED' })
    if (this.#resumption === null && secrets.exposedHandshakes >= EXPOSED_HANDSHAKES_MAX) {
      return this.#fail({ code: 'ERR_WRONG_CODE', detail: 'the sender did not prove that it knows the code' })
    }
    const machine =
      this.#resumption !== null
        ? new ResumeInitiator(context, this.#resumption.current)
        : new PairingInitiator(context, secrets.passphrase?.text.bytes() ?? new Uint8Array())
    this.#machine = machine
    const timeoutMs = this.#resumption === null ? PAIRING_ATTEMPT_MS : RESUMING_ATTEMPT_MS
    this.#attemptTimer = setTimeout(() => {
      this.#attemptTimer = undefined
      this.#spawn(async () => {
        if (this.#machine !== machine) return
        this.#endAttempt()
        this.#connect()
      })
    }, timeoutMs)
    await this.#link?.post(machine.start())
  }

  #endAttempt(): void {
    clearTimeout(this.#attemptTimer)
    this.#attemptTimer = undefined
    this.#machine = undefined
    this.#prepared?.close('done')
    this.#prepared = undefined
  }

  /** Whether a session is of use now: not while the user is asked, nor after the end. */
  async #isWanted(): Promise<boolean> {
    const projection = await this.#context.log.read(this.transferId)
    if (projection === undefined) return false
    if (projection.transfer.status === 'completed') {
      return this.#context.records.get(this.transferId)?.isCompletionKnown === false
    }
    if (projection.transfer.status !== 'active') return false
    const phase = this.#own(projection)?.phase.is
    return phase === 'admitted' || phase === 'accepted'
  }

  #handshakeContext(): HandshakeContext {
    const { crypto, deviceName, listenHost, plane } = this.#context
    return {
      crypto,
      deviceName,
      candidatePolicy: { allowsLoopback: isLoopbackOnly(hostAddresses(listenHost)) },
      localCandidates: async () => {
        if (this.#client === undefined) return []
        this.#prepared?.close('done')
        this.#prepared = undefined
        const opened = await openPeerSocket({ plane, rendezvous: this.#client, listenHost })
        if (!opened.ok) {
          this.#context.logger.error({ transferId: this.transferId }, describe(opened.failure))
          return []
        }
        this.#prepared = new PeerSession(opened.value)
        return this.#prepared.candidates
      },
    }
  }

  async #onStep(machine: Machine, step: HandshakeStep): Promise<void> {
    if (this.#machine !== machine) return
    switch (step.kind) {
      case 'ignored':
        return
      case 'send':
        if (step.exposesGuess) await this.#countExposure(1)
        await this.#link?.post(step.message)
        return
      case 'paired':
        if (!(await this.#store(step.pairing.resumption))) return
        await this.#countExposure(0)
        this.#context.records.update(this.transferId, {
          peerName: step.pairing.peer.deviceName,
          verification: step.pairing.verification,
        })
        await this.#execute({ type: 'pair', receiver: this.#receiver, name: step.pairing.peer.deviceName })
        await this.#start(step.pairing)
        return
      case 'resumed':
        if (!(await this.#store(step.session.resumption))) return
        await this.#start(step.session)
        return
      case 'failed': {
        this.#endAttempt()
        const isFinal = step.failure.code === 'ERR_WRONG_CODE' || step.failure.code === 'ERR_VERSION_UNSUPPORTED'
        if (isFinal) await this.#fail(step.failure)
        else this.#connect()
        return
      }
    }
  }

  /** One more confirmation of ours lets somebody test a guess; none after a pairing that succeeded. */
  async #countExposure(more: 0 | 1): Promise<void> {
    await this.#context.secrets.update(this.transferId, (secrets) => {
      const before = secrets ?? NO_SECRETS
      return { ...before, exposedHandshakes: more === 0 ? 0 : before.exposedHandshakes + more }
    })
  }

  /** With the first resumption secret the words are not needed any more. */
  async #store(resumption: ResumptionSecrets): Promise<boolean> {
    const stored = await this.#context.secrets.update(this.transferId, (secrets) => ({
      ...withResumption(secrets ?? NO_SECRETS, this.#receiver, resumption),
      passphrase: null,
    }))
    this.#resumption = resumption
    if (!stored.ok) await this.#fail(stored.failure)
    return stored.ok
  }

  async #start(keys: SessionKeys): Promise<void> {
    clearTimeout(this.#attemptTimer)
    this.#attemptTimer = undefined
    this.#machine = undefined
    const session = this.#prepared
    this.#prepared = undefined
    if (session === undefined) return
    this.#session = session
    this.#hasBegun = false
    session.start(
      keys,
      { role: 'receiver' },
      null,
      {
        onEstablished: async (report) => {
          if (this.#session !== session) return
          this.#attempts = 0
          if (this.#resumption !== null) await this.#store(confirmUse(this.#resumption))
          const opened = await this.#execute({
            type: 'openSession',
            receiver: this.#receiver,
            path: report.path,
            family: report.family,
            mtu: report.mtu,
            trains: report.trains,
          })
          session.number = sessionNumberOf(opened)
        },
        onReport: (report) => this.#onReport(session, report),
        onEnded: (report) => this.#onEnded(session, report),
      },
      (task) => this.#spawn(task),
    )
  }

  // The session

  async #onReport(session: PeerSession, report: InnerReport): Promise<void> {
    if (this.#session !== session) return
    switch (report.type) {
      case 'begun':
        return this.#onBegun(report.held, report.isResumed)
      case 'filesCompleted':
        await this.#execute({
          type: 'completeFiles',
          receiver: this.#receiver,
          first: report.first,
          count: report.count,
        })
        session.command({ type: 'announceFiles', first: report.first, count: report.count })
        return
      case 'files':
        this.#context.records.writeFiles(this.transferId, report.files)
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
        session.command({ type: 'confirmDurable', ranges: report.ranges })
        return
      }
      case 'rejected':
        return this.#reject(report.ranges, report.reason)
      case 'verifying':
        return
      case 'finalized':
        return this.#onFinalized(session)
      case 'completionKnown':
        return this.#onCompletionKnown()
      case 'peerFailed':
        return this.#onPeerFailed(report.failure.code)
      case 'failed':
        return this.#onLocalFailure(report.failure)
    }
  }

  /** Checks the list of files before the user sees it; nothing of a list that is refused is kept. */
  async #onOffered(manifest: Uint8Array): Promise<void> {
    const { records } = this.#context
    const projection = await this.#context.log.read(this.transferId)
    const record = records.get(this.transferId)
    if (projection === undefined || record === undefined) return
    const decoded = decodeManifest(manifest)
    if (!decoded.ok) return this.#fail(decoded.failure)
    const known = records.readManifest(this.transferId)
    if (known !== undefined && !equalBytes(known, manifest)) {
      return this.#fail({ code: 'ERR_PEER_PROTOCOL', detail: 'another list of files was offered than before' })
    }
    const plan = ChunkPlan.of(decoded.value)
    this.#plan = plan
    if (projection.transfer.status === 'completed') {
      const { transfer } = projection
      this.#session?.command({
        type: 'announceCompletion',
        bytes: transfer.bytes,
        milliseconds: Math.round(transfer.seconds * 1000),
      })
      return
    }
    if (known === undefined) {
      records.writeManifest(this.transferId, manifest)
      const names = [...new Set(decoded.value.entries.map(({ path }) => path[0] ?? ''))].slice(0, 1000)
      records.update(this.transferId, { names, fileCount: plan.fileCount, totalBytes: plan.totalBytes })
    }
    const offered = await this.#execute({
      type: 'offer',
      receiver: this.#receiver,
      fileCount: plan.fileCount,
      totalBytes: plan.totalBytes,
      chunkCount: plan.chunkCount,
    })
    if (!offered.ok) return this.#fail(offered.failure)
    await this.#sync()
  }

  /** The user has accepted and a session stands: opens the staging in the data plane, once for each session. */
  async #begin(projection: TransferProjection, record: TransferRecord): Promise<void> {
    const manifest = this.#context.records.readManifest(this.transferId)
    const session = this.#session
    if (this.#hasBegun || this.#plan === undefined || manifest === undefined || session === undefined) return
    if (record.output === null) return
    this.#hasBegun = true
    if (!record.isAccepted) this.#context.records.update(this.transferId, { isAccepted: true })
    const own = this.#own(projection)
    const writable = await checkOutputDir(record.output)
    if (!writable.ok) return this.#fail(writable.failure)
    const bytes = this.#plan.totalBytes - (own?.ackedBytes ?? 0)
    const space = await checkDiskSpace(record.output, { bytes, files: this.#plan.fileCount })
    if (!space.ok) return this.#fail(space.failure)
    session.command({
      type: 'begin',
      begin: {
        transferId: this.transferId,
        outputDir: record.output,
        manifest: Uint8Array.from(manifest),
        claimed: own?.acked ?? [],
      },
    })
  }

  /** What the disk holds is the truth: the log is brought to it, and what was under way is asked for again. */
  async #onBegun(held: readonly RangePair[], isResumed: boolean): Promise<void> {
    const projection = await this.#context.log.read(this.transferId)
    if (projection === undefined || this.#plan === undefined) return
    const onDisk = new RangeSet()
    for (const [first, count] of held) onDisk.add(first, first + count)
    const missing = new RangeSet()
    for (const [first, count] of this.#own(projection)?.acked ?? []) {
      for (const [start, end] of onDisk.missing(first, first + count)) missing.add(start, end)
    }
    if (!missing.isEmpty) await this.#reject(missing.toPairs(), 'stagingDamaged')
    if (held.length > 0) {
      await this.#ack(held, { sinceMs: 0, rttUs: 0, rate: 0, lost: 0, retransmitted: 0, corrupted: 0 })
    }
    if (!isResumed || onDisk.size === this.#plan.chunkCount) return
    const again = new RangeSet()
    for (const [start, end] of onDisk.missing(0, Math.min(this.#plan.chunkCount, (onDisk.end ?? 0) + 1))) {
      again.add(start, end)
    }
    await this.#execute({
      type: 'requestRetransmit',
      receiver: this.#receiver,
      ranges: again.toPairs(),
      bytesOf: this.#bytesOf(),
      reason: 'sessionBroken',
    })
  }

  async #ack(
    ranges: readonly RangePair[],
    stats: Extract<TransferCommand, { type: 'ackChunks' }>['stats'],
  ): Promise<void> {
    // While the log is away data flows on into the staging, but not for ever.
    const patience = setTimeout(() => this.#session?.close('shutdown'), LOG_AWAY_MAX_MS)
    const acked = await this.#execute({ type: 'ackChunks', receiver: this.#receiver, ranges, bytesOf: this.#bytesOf(), stats })
    clearTimeout(patience)
    if (!acked.ok) this.#context.logger.warn({ transferId: this.transferId }, describe(acked.failure))
  }

  async #reject(ranges: readonly RangePair[], reason: 'hashMismatch' | 'stagingDamaged'): Promise<void> {
    const shared = { receiver: this.#receiver, ranges, bytesOf: this.#bytesOf(), reason }
    await this.#execute({ type: 'rejectChunks', ...shared })
    await this.#execute({ type: 'requestRetransmit', ...shared })
  }

  #bytesOf(): (ranges: readonly RangePair[]) => number {
    return (ranges) => this.#plan?.bytesOf(ranges) ?? 0
  }

  /** The files stand under their names: recorded, then told. */
  async #onFinalized(session: PeerSession): Promise<void> {
    const projection = await this.#context.log.read(this.transferId)
    if (projection === undefined || this.#plan === undefined) return
    const { fileCount, totalBytes } = this.#plan
    if (fileCount > 0) await this.#execute({ type: 'completeFiles', receiver: this.#receiver, first: 0, count: fileCount })
    const milliseconds = Math.max(1, Date.now() - (projection.acceptedAt ?? Date.now()))
    const completed = await this.#execute({
      type: 'completeReceiver',
      receiver: this.#receiver,
      bytes: totalBytes,
      seconds: milliseconds / 1000,
    })
    if (!completed.ok) {
      this.#context.logger.error({ transferId: this.transferId }, describe(completed.failure))
      return
    }
    session.command({ type: 'announceCompletion', bytes: totalBytes, milliseconds })
    await this.#discardStaging()
  }

  async #discardStaging(): Promise<void> {
    const output = this.#context.records.get(this.transferId)?.output ?? null
    if (output === null) return
    const discarded = await Staging.discard(output, this.transferId)
    if (!discarded.ok) this.#context.logger.warn({ transferId: this.transferId }, describe(discarded.failure))
  }

  async #onCompletionKnown(): Promise<void> {
    this.#context.records.update(this.transferId, { isCompletionKnown: true })
    this.#session?.close('done')
    await this.#leaveRoom()
    await this.#sync()
  }

  async #onPeerFailed(code: ErrorCode): Promise<void> {
    this.#session?.close('done')
    await this.#fail({ code })
  }

  async #onLocalFailure(failure: Failure): Promise<void> {
    this.#session?.close('done')
    await this.#fail(failure)
  }

  async #onEnded(session: PeerSession, report: EndedReport): Promise<void> {
    if (this.#session !== session) return
    this.#session = undefined
    if (session.number > 0) {
      await this.#execute({
        type: 'loseSession',
        receiver: this.#receiver,
        session: session.number,
        reason: reasonOfEnd(report),
      })
    }
    const projection = await this.#context.log.read(this.transferId)
    const own = projection === undefined ? undefined : this.#own(projection)
    // A path that was never found is the user's to mend; one that was lost comes back.
    if (report.cause === 'noPath' && !report.wasEstablished && (own?.sessionCount ?? 0) === 0) {
      return this.#fail({ code: 'ERR_NO_PATH', detail: noPathDetail(report, session.candidates.length) })
    }
    this.#connect()
  }

  #disconnect(code: 'paused' | 'cancelled' | 'shutdown'): void {
    this.#endAttempt()
    this.#session?.close(code)
  }

  async #failUnlessPaired(failure: Failure): Promise<void> {
    if (this.#resumption === null) await this.#fail(failure)
  }

  async #fail(failure: Failure): Promise<void> {
    await this.#execute({ type: 'fail', code: failure.code, detail: failure.detail ?? null })
    await this.#sync()
  }

  async #leaveRoom(): Promise<void> {
    if (this.#client !== undefined && this.#roomId !== '') await this.#client.leave(this.#token, this.#roomId)
  }

  async #finish(ended?: TransferRecord['ended']): Promise<void> {
    this.#isOver = true
    this.#endAttempt()
    clearTimeout(this.#joinTimer)
    void this.#link?.stop()
    if (ended === undefined) return
    this.#context.records.update(this.transferId, { ended })
    await this.#context.secrets.delete(this.transferId)
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
