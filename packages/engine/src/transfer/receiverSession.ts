/**
 * One session of a transfer on the receiving side: takes the offer, puts chunks together, makes them durable in
 * checkpoints, verifies whole files and gives them their names. It reports; the node records, and only what is recorded
 * is told to the sender as durable.
 *
 * ```
 *  awaitingOffer ─ Manifest ─▶ offered ─ begin ─▶ receiving ─ all durable, all hashes equal ─▶ finalizing ─▶ completed
 * ```
 */
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { ControlMessage, LaneAddress, RetransmitReason } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import { CHECKPOINT_BYTES, CHECKPOINT_INTERVAL_MS, CHUNK_REJECTIONS_MAX } from '@godwit/protocol/limits'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import type { ChunkSink } from '../transport/types.js'
import { ControlChannel, type ControlStreamPort } from './controlChannel.js'
import { CreditWindow, creditOf } from './credit.js'
import { LaneSink } from './laneSink.js'
import type { BufferPool, ReceiverIo, ReceiverReport, WriteOutcome } from './ports.js'
import { SharedBits } from './sharedBits.js'

/** Files read back at the same time. */
const VERIFYING_MAX = 4

const WAITING = 0
const VERIFYING = 1
const VERIFIED = 2
const MISSING = 3

type Phase = 'awaitingOffer' | 'offered' | 'receiving' | 'finalizing' | 'completed' | 'ended'

export interface ReceiverSessionOptions {
  readonly pool: BufferPool
  readonly io: ReceiverIo
  readonly stream: ControlStreamPort
  /** Bytes of chunk buffers in use, over all lanes (`newCreditCounter`). */
  readonly creditCounter: Int32Array
  /** Grants credit: bytes in total since the session began. */
  readonly grant: (totalBytes: number) => void
  readonly report: (report: ReceiverReport) => void
}

export class ReceiverSession implements ChunkSink {
  readonly #options: ReceiverSessionOptions
  readonly #channel: ControlChannel
  #phase: Phase = 'awaitingOffer'
  #plan: ChunkPlan | undefined
  readonly #credit: CreditWindow
  #sink: LaneSink | undefined
  /** Chunks that are verified and written (durable or not). */
  #held = new RangeSet()
  /** The same for the other lanes. */
  #heldBits = SharedBits.empty(0)
  /** Chunks that are being written, and what gives their buffers back to their lane. */
  readonly #writing = new Map<number, () => void>()
  /** Chunks that a checkpoint has made durable. */
  #durable = new RangeSet()
  /** Chunks of missing files. They still come to their end on the way, which returns their credit. */
  readonly #leftOut = new RangeSet()
  /** Files that the sender cannot deliver. */
  readonly #missing = new RangeSet()
  /** How many of the chunks that are wanted are held. */
  #heldWanted = 0
  #hashes: (Uint8Array | undefined)[] = []
  #dirtyBytes = 0
  #dirtySinceUs: number | undefined
  #isCheckpointing = false
  /** Per file: waiting, being read back, verified. */
  #fileStates = new Uint8Array(0)
  /** Files before this one do not wait. */
  #verifyCursor = 0
  #verifying = 0
  #verified = 0
  #areLanesOffered = false
  /** How often each chunk had to be asked for again. */
  readonly #rejections = new Map<number, number>()
  #nowUs = 0

  constructor(options: ReceiverSessionOptions) {
    this.#options = options
    this.#channel = new ControlChannel(options.stream)
    this.#credit = new CreditWindow(options.creditCounter, options.grant)
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Whether everything that was said was handed to the connection. */
  get isFlushed(): boolean {
    return this.#channel.isFlushed
  }

  /** Chunks that the first lane has begun, and that are not yet written. */
  partial(): RangeSet {
    return this.#sink?.partial() ?? new RangeSet()
  }

  /** When `onTimeout` wants to be called; Infinity for never. */
  pollTimeout(): number {
    if (this.#isCheckpointing || this.#dirtySinceUs === undefined) return Number.POSITIVE_INFINITY
    return this.#dirtySinceUs + CHECKPOINT_INTERVAL_MS * 1000
  }

  /** @param nowUs - the clock of the connection. */
  onTimeout(nowUs: number): void {
    this.#nowUs = nowUs
    if (nowUs >= this.pollTimeout()) this.#checkpoint()
  }

  /** Time for what follows from I/O outcomes. */
  setNow(nowUs: number): void {
    this.#nowUs = nowUs
  }

  onControl(bytes: Uint8Array): boolean {
    const messages = this.#channel.receive(bytes)
    if (messages === undefined) return false
    for (const message of messages) if (!this.#onMessage(message)) return false
    return true
  }

  pump(): void {
    this.#channel.pump()
  }

  // ChunkSink

  onChunkHash(chunk: number, hash: Uint8Array): void {
    this.#sink?.onChunkHash(chunk, hash)
  }

  onChunkData(chunk: number, offset: number, data: Uint8Array): boolean {
    // Packets that were under way when the session ended are no violation.
    if (this.#phase === 'ended' || this.#phase === 'completed') return true
    return this.#sink?.onChunkData(chunk, offset, data) ?? false
  }

  // the other lanes

  /** Chunks that need not come, as other lanes see them; after `begin`. */
  get heldBits(): SharedBits {
    return this.#heldBits
  }

  /** A chunk that another lane put together. `release`: its buffer is free. */
  takeChunk(chunk: number, buffer: Uint8Array, length: number, hash: Uint8Array, release: () => void): void {
    const isLeftOut = this.#leftOut.has(chunk)
    // One that came on two lanes is written once.
    if (this.#phase === 'receiving' && !isLeftOut && !this.#held.has(chunk) && !this.#writing.has(chunk)) {
      this.#writing.set(chunk, release)
      this.#options.io.writeChunk(chunk, buffer, length, hash)
      return
    }
    // It has come, and need not come again: a packet that is late takes no credit.
    if (isLeftOut && !this.#writing.has(chunk)) this.#hold(chunk)
    release()
    this.#credit.giveBack(creditOf(length))
  }

  /** Another lane is gone; these chunks had begun to arrive on it. */
  onLaneLost(lost: RangeSet): void {
    const plan = this.#plan
    if (plan === undefined) return
    for (const [start, end] of lost.ranges()) {
      for (let chunk = start; chunk < end; chunk++) this.#credit.giveBack(creditOf(plan.lengthOf(chunk)))
    }
  }

  // commands

  /**
   * The offer is accepted and the staging is open. @param held - chunks that are there, verified and durable; kept.
   * @param knownHashes - hashes of whole files from earlier sessions. @param missing - files that were missing in them.
   */
  begin(
    plan: ChunkPlan,
    held: RangeSet,
    knownHashes: readonly (Uint8Array | undefined)[],
    missing: readonly RangePair[] = [],
  ): void {
    if (this.#phase !== 'offered') return
    this.#phase = 'receiving'
    this.#plan = plan
    this.#durable = held.clone()
    this.#hashes = Array.from({ length: plan.fileCount }, (_, file) => knownHashes[file])
    this.#fileStates = new Uint8Array(plan.fileCount)
    this.#held = held
    this.#heldWanted = held.size
    this.#heldBits = SharedBits.empty(plan.chunkCount)
    for (const [start, end] of held.ranges()) this.#heldBits.add(start, end)
    const sink = new LaneSink({
      plan,
      pool: this.#options.pool,
      gate: this.#credit.gate,
      isHeld: (chunk) => this.#held.has(chunk),
      handOver: (chunk, buffer, length, hash) => this.takeChunk(chunk, buffer, length, hash, () => sink.release(chunk)),
    })
    this.#sink = sink
    this.#leaveOut(missing)
    this.#channel.send({ type: 'Accept', held: held.toPairs() })
    this.#credit.start()
    this.#advance()
  }

  /** Instead of `begin`: an earlier session had begun to give the files their names, so that is finished first. */
  resumeFinalizing(): void {
    if (this.#phase !== 'offered') return
    this.#phase = 'finalizing'
    this.#options.io.finalize([])
  }

  decline(): void {
    if (this.#phase !== 'offered') return
    this.#channel.send({ type: 'Decline' })
    this.#end()
  }

  /** These chunks are durable and recorded: the sender may count on them. */
  confirmDurable(ranges: readonly RangePair[]): void {
    if (this.#phase === 'ended') return
    this.#channel.send({ type: 'Durable', ranges })
  }

  /** Asks for chunks again, as recorded by RetransmitRequested. */
  requestRetransmit(ranges: readonly RangePair[], reason: RetransmitReason): void {
    if (this.#phase !== 'receiving') return
    const missing = new RangeSet()
    for (const [first, count] of ranges) {
      for (const [start, end] of this.#held.missing(first, first + count)) missing.add(start, end)
    }
    if (!missing.isEmpty) this.#channel.send({ type: 'Retransmit', reason, ranges: missing.toPairs() })
  }

  /** Answers an offer of lanes with those that this side opened. */
  answerLanes(lanes: readonly LaneAddress[]): void {
    if (this.#phase === 'receiving') this.#channel.send({ type: 'Lanes', lanes })
  }

  /** Files stand under their final names. */
  announceFiles(first: number, count: number): void {
    this.#channel.send({ type: 'FilesCompleted', first, count })
  }

  /** Everything is in place and recorded. Also instead of `begin`, for a transfer completed in an earlier session. */
  announceCompletion(bytes: number, milliseconds: number, missing: readonly RangePair[] = []): void {
    this.#phase = 'completed'
    this.#channel.send({ type: 'Completed', bytes, milliseconds, missing })
  }

  fail(failure: Failure): void {
    if (this.#phase === 'ended') return
    this.#channel.send({ type: 'Failed', code: failure.code })
    this.#end()
  }

  stop(): void {
    this.#end()
  }

  // outcomes of ReceiverIo

  onChunkWritten(chunk: number, outcome: WriteOutcome): void {
    const plan = this.#plan
    if (plan === undefined) return
    this.#writing.get(chunk)?.()
    this.#writing.delete(chunk)
    const isLeftOut = this.#leftOut.has(chunk)
    if (outcome === 'written' || isLeftOut) this.#hold(chunk)
    this.#credit.giveBack(creditOf(plan.lengthOf(chunk)))
    if (this.#phase !== 'receiving') return
    if (isLeftOut && (outcome === 'written' || outcome === 'hashMismatch')) {
      this.#advance()
    } else if (outcome === 'written') {
      this.#dirtyBytes += plan.lengthOf(chunk)
      this.#dirtySinceUs ??= this.#nowUs
      if (this.#dirtyBytes >= CHECKPOINT_BYTES || this.#isComplete) this.#checkpoint()
    } else if (outcome === 'hashMismatch') {
      this.#reject([[chunk, 1]], 'hashMismatch')
    } else {
      this.#failLocally(outcome)
    }
  }

  /** @param ranges - chunks that this checkpoint made durable, or why it could not. */
  onCheckpoint(ranges: readonly RangePair[] | Failure): void {
    this.#isCheckpointing = false
    const plan = this.#plan
    if (plan === undefined || this.#phase !== 'receiving') return
    if ('code' in ranges) {
      this.#failLocally(ranges)
      return
    }
    this.#durable.addPairs(ranges)
    const pairs: [number, number][] = ranges.map(([first, count]) => [first, count])
    if (pairs.length > 0) this.#options.report({ type: 'checkpoint', ranges: pairs, bytes: plan.bytesOf(pairs) })
    if (this.#dirtyBytes >= CHECKPOINT_BYTES || (this.#dirtyBytes > 0 && this.#isComplete)) {
      this.#checkpoint()
    }
    this.#advance()
  }

  /** `damaged` is empty when the file is what the sender announced. */
  onFileVerified(file: number, damaged: readonly RangePair[] | Failure): void {
    this.#verifying -= 1
    if (this.#phase !== 'receiving') return
    if (this.#fileStates[file] === MISSING) {
      this.#advance()
      return
    }
    if ('code' in damaged) {
      this.#failLocally(damaged)
      return
    }
    if (damaged.length === 0) {
      this.#fileStates[file] = VERIFIED
      this.#verified += 1
    } else {
      for (const [first, count] of damaged) {
        this.#durable.remove(first, first + count)
        this.#heldWanted -= this.#held.remove(first, first + count)
        this.#heldBits.remove(first, first + count)
      }
      this.#fileStates[file] = WAITING
      this.#verifyCursor = Math.min(this.#verifyCursor, file)
      this.#reject(damaged, 'stagingDamaged')
    }
    this.#advance()
  }

  onFinalized(failure?: Failure): void {
    if (this.#phase !== 'finalizing') return
    if (failure !== undefined) {
      this.#failLocally(failure)
      return
    }
    this.#options.report({ type: 'finalized' })
  }

  /** Whether every chunk is written. */
  get #isComplete(): boolean {
    return this.#plan !== undefined && this.#heldWanted === this.#plan.chunkCount - this.#leftOut.size
  }

  /** A chunk that need not come any more. */
  #hold(chunk: number): void {
    const added = this.#held.add(chunk, chunk + 1)
    this.#heldBits.add(chunk, chunk + 1)
    if (!this.#leftOut.has(chunk)) this.#heldWanted += added
  }

  /** The sender cannot deliver these files. Those that have all been given their names by now are not among them. */
  #onFilesFailed(files: RangeSet, code: ErrorCode): void {
    if (this.#phase !== 'receiving') return
    files.removeAll(this.#missing)
    if (files.isEmpty) return
    const pairs = files.toPairs()
    this.#leaveOut(pairs)
    this.#options.report({ type: 'filesFailed', files: pairs, code })
    if (this.#dirtyBytes > 0 && this.#isComplete) this.#checkpoint()
    this.#advance()
  }

  #leaveOut(files: readonly RangePair[]): void {
    const plan = this.#plan
    if (plan === undefined || files.length === 0) return
    for (const [first, count] of files) {
      this.#missing.add(first, first + count)
      for (let file = first; file < first + count; file++) {
        if (this.#fileStates[file] === VERIFIED) this.#verified -= 1
        this.#fileStates[file] = MISSING
      }
    }
    for (const [first, count] of plan.chunksOfFiles(files)) {
      let held = count
      for (const [start, end] of this.#held.missing(first, first + count)) held -= end - start
      this.#heldWanted -= held
      this.#leftOut.add(first, first + count)
    }
    this.#options.io.dropFiles(files)
  }

  /** Asks for chunks again, but not for ever: a disk or a memory that damages everything would never come to an end. */
  #reject(ranges: readonly RangePair[], reason: 'hashMismatch' | 'stagingDamaged'): void {
    for (const [first, count] of ranges) {
      for (let chunk = first; chunk < first + count; chunk++) {
        const times = (this.#rejections.get(chunk) ?? 0) + 1
        this.#rejections.set(chunk, times)
        if (times <= CHUNK_REJECTIONS_MAX) continue
        const isDisk = reason === 'stagingDamaged'
        this.#failLocally(
          isDisk
            ? { code: 'ERR_DISK_IO', detail: `chunk ${chunk} is read otherwise than it was written, again and again` }
            : { code: 'ERR_INTEGRITY', detail: `chunk ${chunk} arrived damaged again and again` },
        )
        return
      }
    }
    this.#options.report({ type: 'rejected', ranges: ranges.map(([first, count]) => [first, count]), reason })
  }

  #failLocally(failure: Failure): void {
    this.#channel.send({ type: 'Failed', code: failure.code })
    this.#end()
    this.#options.report({ type: 'failed', failure })
  }

  #end(): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#sink?.stop()
  }

  #checkpoint(): void {
    if (this.#isCheckpointing || this.#phase !== 'receiving') return
    this.#isCheckpointing = true
    this.#dirtyBytes = 0
    this.#dirtySinceUs = undefined
    this.#options.io.checkpoint()
  }

  /** Verifies files whose chunks are durable and whose hash is known, in order; finalizes after the last. */
  #advance(): void {
    const plan = this.#plan
    if (plan === undefined || this.#phase !== 'receiving') return
    while (this.#verifying < VERIFYING_MAX && this.#verifyCursor < plan.fileCount) {
      const file = this.#verifyCursor
      if (this.#fileStates[file] === WAITING) {
        const hash = this.#hashes[file]
        const { first, count } = plan.chunksOfFile(file)
        if (hash === undefined || !this.#durable.contains(first, first + count)) return
        this.#fileStates[file] = VERIFYING
        this.#verifying += 1
        if (file === plan.fileCount - 1) this.#options.report({ type: 'verifying' })
        this.#options.io.verifyFile(file, hash)
      }
      this.#verifyCursor += 1
    }
    const isDiskAtRest = this.#verifying === 0 && this.#writing.size === 0 && !this.#isCheckpointing
    if (this.#verified + this.#missing.size === plan.fileCount && isDiskAtRest) {
      this.#phase = 'finalizing'
      this.#options.io.finalize(this.#missing.toPairs())
    }
  }

  #onMessage(message: ControlMessage): boolean {
    switch (message.type) {
      case 'Manifest':
        if (this.#phase !== 'awaitingOffer') return false
        this.#phase = 'offered'
        this.#options.report({ type: 'offered', manifest: message.manifest })
        return true
      case 'FileHashes': {
        if (this.#plan === undefined) return false
        const count = message.hashes.length / 32
        if (message.first + count > this.#plan.fileCount) return false
        for (let i = 0; i < count; i++) this.#hashes[message.first + i] ??= message.hashes.slice(i * 32, i * 32 + 32)
        this.#advance()
        return true
      }
      case 'FilesFailed': {
        const plan = this.#plan
        const files = RangeSet.fromPairs(message.files, plan?.fileCount ?? 0, message.files.length)
        if (files === undefined) return false
        this.#onFilesFailed(files, message.code)
        return true
      }
      case 'Lanes':
        // One offer a session; a receiver that has all by now does not need them.
        if (this.#areLanesOffered || this.#plan === undefined) return false
        this.#areLanesOffered = true
        if (this.#phase === 'receiving') this.#options.report({ type: 'lanesOffered', lanes: message.lanes })
        return true
      case 'CompletionKnown':
        if (this.#phase !== 'completed') return false
        this.#options.report({ type: 'completionKnown' })
        return true
      case 'Failed':
        this.#end()
        this.#options.report({ type: 'peerFailed', failure: { code: message.code } })
        return true
      case 'Accept':
      case 'Decline':
      case 'Durable':
      case 'Retransmit':
      case 'FilesCompleted':
      case 'Completed':
        return false
    }
  }
}
