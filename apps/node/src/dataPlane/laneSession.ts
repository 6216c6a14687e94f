/**
 * A session on its first lane: the transfer's session above the connection, its disk, and the lanes beside it. The network
 * is `laneLoop.ts`, decisions are the engine's; here they are put together and told to the main thread.
 */
import type { MessagePort } from 'node:worker_threads'
import { newCreditCounter } from '@godwit/engine/transfer/credit'
import type { WindowStats } from '@godwit/engine/transfer/ports'
import { ReceiverSession } from '@godwit/engine/transfer/receiverSession'
import { SenderSession } from '@godwit/engine/transfer/senderSession'
import type { CloseCode } from '@godwit/engine/transport/types'
import { assert } from '@godwit/protocol/assert'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { LaneAddress, RetransmitReason } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import type { LanePools } from './bufferPool.js'
import { type EndCause, type LaneLoop, type LaneOwner, nowUs } from './laneLoop.js'
import type {
  BeginParameters,
  LaneReport,
  ReceiverParameters,
  SenderParameters,
  SessionParameters,
} from './messages.js'
import { ReceiverDisk } from './receiverDisk.js'
import { SenderDisk } from './senderDisk.js'
import { SideLinks } from './sideLinks.js'

export class LaneSession implements LaneOwner {
  readonly #key: string
  readonly #loop: LaneLoop
  readonly #pools: LanePools
  readonly #post: (report: LaneReport) => void
  readonly #onOver: () => void
  readonly #sideLinks = new SideLinks()
  readonly #creditCounter = newCreditCounter()
  #sender: SenderSession | undefined
  #receiver: ReceiverSession | undefined
  #senderDisk: SenderDisk | undefined
  #receiverDisk: ReceiverDisk | undefined
  #isEnded = false
  #wasEstablished = false
  /** Counters at the last window, so that a report carries differences. */
  #lastWindow = { atUs: nowUs(), lost: 0, retransmitted: 0, corrupted: 0 }

  /** @param loop - with its socket bound. @param onOver - the main thread was told the end. */
  constructor(key: string, loop: LaneLoop, pools: LanePools, post: (report: LaneReport) => void, onOver: () => void) {
    this.#key = key
    this.#loop = loop
    this.#pools = pools
    this.#post = post
    this.#onOver = onOver
  }

  start(session: SessionParameters, transfer: SenderParameters | ReceiverParameters): void {
    if (this.#isEnded) return
    const stream = { writeControl: (bytes: Uint8Array): number => this.#loop.writeControl(bytes) }
    const data = transfer.role === 'sender' ? this.#makeSender(transfer, stream).source : this.#makeReceiver(stream)
    this.#loop.start(session, transfer.role, data, this)
  }

  async begin(begin: BeginParameters): Promise<void> {
    const disk = new ReceiverDisk(begin, {
      onChunkWritten: (chunk, outcome) => this.#receive((session) => session.onChunkWritten(chunk, outcome)),
      onCheckpoint: (ranges) => this.#receive((session) => session.onCheckpoint(ranges)),
      onFileVerified: (file, damaged) => this.#receive((session) => session.onFileVerified(file, damaged)),
      onFinalized: (failure) => this.#receive((session) => session.onFinalized(failure)),
      onFilesCompleted: (first, count) => this.#post({ type: 'filesCompleted', key: this.#key, first, count }),
      onFiles: (files, missing) => this.#post({ type: 'files', key: this.#key, files, missing }),
    })
    this.#receiverDisk = disk
    const opened = await disk.open()
    if (this.#isEnded) {
      await disk.close()
      return
    }
    if (!opened.ok) {
      this.#receiver?.fail(opened.failure)
      this.#reportReceiver({ type: 'failed', failure: opened.failure })
      this.#loop.schedule()
      return
    }
    const { held, isResumed, isFinalizing } = opened.value
    this.#post({ type: 'begun', key: this.#key, held: held.toPairs(), isResumed })
    if (isFinalizing) this.#receive((session) => session.resumeFinalizing())
    else this.#receive((session) => session.begin(disk.plan, held, [], begin.missing))
  }

  decline(): void {
    this.#receive((session) => session.decline())
  }

  confirmDurable(ranges: readonly RangePair[]): void {
    this.#receive((session) => session.confirmDurable(ranges))
  }

  requestRetransmit(ranges: readonly RangePair[], reason: RetransmitReason): void {
    this.#receive((session) => session.requestRetransmit(ranges, reason))
  }

  requeue(ranges: readonly RangePair[], reason: RetransmitReason): void {
    this.#send((session) => session.requeue(ranges, reason))
  }

  confirmCompletion(): void {
    this.#send((session) => session.confirmCompletion())
  }

  announceFiles(first: number, count: number): void {
    this.#receive((session) => session.announceFiles(first, count))
  }

  announceCompletion(bytes: number, milliseconds: number, missing: readonly RangePair[]): void {
    this.#receive((session) => session.announceCompletion(bytes, milliseconds, missing))
  }

  leaveOut(files: readonly RangePair[], code: ErrorCode): void {
    this.#send((session) => session.leaveOut(files, code))
  }

  offerLanes(lanes: readonly LaneAddress[]): void {
    this.#send((session) => session.offerLanes(lanes))
  }

  answerLanes(lanes: readonly LaneAddress[]): void {
    this.#receive((session) => session.answerLanes(lanes))
  }

  /** A lane beside this one, by the port to its thread. */
  attachLane(port: MessagePort): void {
    const sender = this.#sender
    const receiver = this.#receiver
    const disk = this.#receiverDisk
    if (this.#isEnded) port.close()
    else if (sender !== undefined) this.#sideLinks.attachSender(port, sender.supply, () => this.#loop.wake())
    else if (receiver !== undefined && disk !== undefined) {
      this.#sideLinks.attachReceiver(
        port,
        { type: 'begin', manifest: disk.manifest, held: receiver.heldBits.words, credit: this.#creditCounter },
        {
          takeChunk: (chunk, buffer, length, hash, release) =>
            this.#receive((session) => session.takeChunk(chunk, buffer, length, hash, release)),
          onLaneLost: (lost) => this.#receive((session) => session.onLaneLost(lost)),
        },
        () => this.#loop.schedule(),
      )
    }
  }

  setLimit(limit: number | null): void {
    this.#loop.setLimit(limit)
  }

  fail(failure: Failure): void {
    this.#sender?.fail(failure)
    this.#receiver?.fail(failure)
    this.#loop.schedule()
  }

  close(code: CloseCode): void {
    if (this.#isEnded) return
    const isStarted = this.#loop.isStarted
    this.#loop.close(code)
    // A lane that has not started has nobody to tell.
    if (!isStarted) this.onEnded('closedByUs', code)
  }

  // LaneOwner

  get hasSaidAll(): boolean {
    return (this.#sender ?? this.#receiver)?.isFlushed ?? true
  }

  onPath(_pathId: number, isFirst: boolean): void {
    if (!isFirst) {
      this.onShapeChanged()
      return
    }
    this.#wasEstablished = true
    this.#post({
      type: 'established',
      key: this.#key,
      path: this.#loop.pathKind,
      family: 'ipv4',
      mtu: this.#loop.stats?.datagramBytes ?? 0,
      trains: this.#loop.hasTrains,
    })
    this.#sender?.onEstablished()
  }

  onControl(bytes: Uint8Array): boolean {
    return this.#sender?.onControl(bytes) ?? this.#receiver?.onControl(bytes) ?? false
  }

  onShapeChanged(): void {
    if (!this.#wasEstablished) return
    this.#post({
      type: 'changed',
      key: this.#key,
      path: this.#loop.pathKind,
      mtu: this.#loop.stats?.datagramBytes ?? 0,
      trains: this.#loop.hasTrains,
    })
  }

  pump(now: number): void {
    if (this.#receiver !== undefined && now >= this.#receiver.pollTimeout()) this.#receiver.onTimeout(now)
    this.#sender?.pump()
    this.#receiver?.pump()
    if (this.#sender !== undefined) this.#sideLinks.serve(this.#sender.supply)
  }

  pollTimeout(): number {
    return this.#receiver?.pollTimeout() ?? Number.POSITIVE_INFINITY
  }

  onEnded(cause: EndCause, code: CloseCode | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#sideLinks.close()
    const partial = this.#receiver?.partial() ?? new RangeSet()
    this.#sender?.stop()
    this.#receiver?.stop()
    const post = (): void => {
      this.#post({
        type: 'ended',
        key: this.#key,
        cause,
        code,
        partial: partial.toPairs(),
        wasEstablished: this.#wasEstablished,
        datagramsReceived: this.#loop.datagramsReceived,
      })
      this.#onOver()
    }
    // Files are closed before the end is told: the next session may open them at once.
    Promise.all([this.#senderDisk?.close(), this.#receiverDisk?.close()]).then(post, (error: unknown) => {
      setImmediate(() => {
        throw error
      })
    })
  }

  #makeSender(transfer: SenderParameters, stream: { writeControl(bytes: Uint8Array): number }): SenderSession {
    const decoded = decodeManifest(transfer.manifest)
    assert(decoded.ok, 'our own manifest can be decoded')
    const plan = ChunkPlan.of(decoded.value)
    const disk = new SenderDisk(transfer.sources, plan, {
      onChunkRead: (chunk, hash) => this.#send((session) => session.onChunkRead(chunk, hash)),
      onFileHashed: (file, hash, wasAsked) => this.#send((session) => session.onFileHashed(file, hash, wasAsked)),
      onReadFailed: (file, chunk, failure) => this.#send((session) => session.onReadFailed(file, chunk, failure)),
    })
    this.#senderDisk = disk
    const session = new SenderSession({
      plan,
      manifest: transfer.manifest,
      // Lanes beside this one send from the same buffers.
      pool: transfer.lanes > 1 ? this.#pools.shared : this.#pools.own,
      io: disk,
      stream,
      knownHash: (file) => {
        const hash = transfer.fileHashes.subarray(file * 32, file * 32 + 32)
        return hash.some((byte) => byte !== 0) ? hash : undefined
      },
      missing: transfer.missing,
      report: (report) =>
        this.#post({ type: 'sender', key: this.#key, report, stats: this.#windowStats(report.type === 'durable') }),
    })
    this.#sender = session
    return session
  }

  #makeReceiver(stream: { writeControl(bytes: Uint8Array): number }): ReceiverSession {
    const session = new ReceiverSession({
      creditCounter: this.#creditCounter,
      pool: this.#pools.own,
      io: {
        writeChunk: (chunk, buffer, length, hash) => this.#disk().writeChunk(chunk, buffer, length, hash),
        checkpoint: () => this.#disk().checkpoint(),
        verifyFile: (file, hash) => this.#disk().verifyFile(file, hash),
        dropFiles: (files) => this.#disk().dropFiles(files),
        finalize: (missing) => this.#disk().finalize(missing),
      },
      stream,
      grant: (totalBytes) => this.#loop.grantCredit(totalBytes),
      report: (report) => this.#reportReceiver(report),
    })
    this.#receiver = session
    return session
  }

  #disk(): ReceiverDisk {
    assert(this.#receiverDisk !== undefined, 'chunks are written after the staging was opened')
    return this.#receiverDisk
  }

  #reportReceiver(report: Extract<LaneReport, { type: 'receiver' }>['report']): void {
    const stats = this.#windowStats(report.type === 'checkpoint')
    this.#post({ type: 'receiver', key: this.#key, report, stats })
  }

  #send(act: (session: SenderSession) => void): void {
    if (this.#sender === undefined || this.#isEnded) return
    act(this.#sender)
    this.#loop.wake()
  }

  #receive(act: (session: ReceiverSession) => void): void {
    if (this.#receiver === undefined) return
    this.#receiver.setNow(nowUs())
    act(this.#receiver)
    if (!this.#isEnded) this.#loop.schedule()
  }

  #windowStats(isWindow: boolean): WindowStats {
    const stats = this.#loop.stats
    const side = this.#sideLinks.counters
    const last = this.#lastWindow
    const atUs = nowUs()
    const lost = (stats?.packetsLost ?? 0) + side.packetsLost
    const retransmitted = (stats?.bytesRetransmitted ?? 0) + side.bytesRetransmitted
    const corrupted = (stats?.packetsCorrupted ?? 0) + side.packetsCorrupted
    const window = {
      sinceMs: Math.max(1, Math.round((atUs - last.atUs) / 1000)),
      rttUs: Math.round(stats?.rttUs ?? 0),
      lost: lost - last.lost,
      retransmitted: retransmitted - last.retransmitted,
      corrupted: corrupted - last.corrupted,
    }
    if (isWindow) this.#lastWindow = { atUs, lost, retransmitted, corrupted }
    return window
  }
}
