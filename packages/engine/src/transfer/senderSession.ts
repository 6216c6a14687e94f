/**
 * One session of a transfer on the sending side: offers the manifest, sends chunks, announces the files' hashes and
 * follows what the receiver holds. It decides nothing about the transfer's life: it reports, and the node records.
 *
 * ```
 *  established ── Manifest ──▶ offered ── Accept ──▶ sending ── Completed ──▶ completed
 *                                 └───── Decline ──▶ declined
 * ```
 */
import { assert } from '@godwit/protocol/assert'
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { ControlMessage, LaneAddress, RetransmitReason } from '@godwit/protocol/controlMessages'
import { FILE_HASHES_MAX, PAIRS_MAX } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { ChunkSupply } from './chunkSupply.js'
import { ControlChannel, type ControlStreamPort } from './controlChannel.js'
import { LaneSource } from './laneSource.js'
import type { BufferPool, SenderIo, SenderReport } from './ports.js'

/** Whole files hashed at the same time when they were not read in order. */
const HASHING_MAX = 2
/** Hashes of small files that are announced together. */
const HASH_BATCH = 256

/** What is wrong with one file and says nothing of the others. */
const FILE_CODE = 'ERR_SOURCE_CHANGED'

type Phase = 'connecting' | 'offered' | 'sending' | 'completed' | 'ended'

export interface SenderSessionOptions {
  readonly plan: ChunkPlan
  /** The encoded manifest, as it is sent. */
  readonly manifest: Uint8Array
  readonly pool: BufferPool
  readonly io: SenderIo
  readonly stream: ControlStreamPort
  /** Hashes of whole files that are known from earlier sessions: 32 bytes, or undefined. */
  readonly knownHash: (file: number) => Uint8Array | undefined
  /** Files that this receiver does not get, as recorded in earlier sessions. */
  readonly missing?: { readonly files: readonly RangePair[]; readonly code: ErrorCode } | undefined
  readonly report: (report: SenderReport) => void
}

export class SenderSession {
  readonly #options: SenderSessionOptions
  readonly #channel: ControlChannel
  readonly #durable = new RangeSet()
  readonly #hashes: (Uint8Array | undefined)[]
  #phase: Phase = 'connecting'
  /** Files before this one are announced. */
  #announced = 0
  /** Files before this one have been asked for or are known. */
  #hashCursor = 0
  #hashing = 0
  /** Files that cannot be delivered. */
  readonly #missing = new RangeSet()
  /** Those of them that the node has not been told of yet. */
  readonly #unreported = new RangeSet()
  /** The node has been told of some, and has not recorded them yet. */
  #isReporting = false
  #lanes: 'none' | 'offered' | 'answered' = 'none'
  /** The receiver's completion, told when every file has its hash. */
  #completion: Extract<SenderReport, { type: 'completed' }> | undefined

  /** Where all lanes take their chunks from. */
  readonly supply: ChunkSupply
  /** Where the connection of the first lane takes its data from. */
  readonly source: LaneSource

  constructor(options: SenderSessionOptions) {
    this.#options = options
    this.#channel = new ControlChannel(options.stream)
    this.#hashes = Array.from({ length: options.plan.fileCount }, (_, file) => options.knownHash(file))
    this.supply = new ChunkSupply(options.plan, options.pool, {
      readChunk: (chunk, buffer, length) => options.io.readChunk(chunk, buffer, length),
      hashFile: (file) => options.io.hashFile(file),
    })
    this.source = new LaneSource(this.supply)
    if (options.missing !== undefined) this.#leaveOut(options.missing.files)
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Whether everything that was said was handed to the connection. */
  get isFlushed(): boolean {
    return this.#channel.isFlushed
  }

  /** The path works: offer. */
  onEstablished(): void {
    if (this.#phase !== 'connecting') return
    this.#phase = 'offered'
    this.#channel.send({ type: 'Manifest', manifest: this.#options.manifest })
  }

  /** Bytes of the peer's control stream. False when they break the protocol. */
  onControl(bytes: Uint8Array): boolean {
    const messages = this.#channel.receive(bytes)
    if (messages === undefined) return false
    for (const message of messages) if (!this.#onMessage(message)) return false
    return true
  }

  /** To be called after each input: sends what waited for room. */
  pump(): void {
    this.#channel.pump()
    this.#hashMore()
  }

  // outcomes of SenderIo

  onChunkRead(chunk: number, hash: Uint8Array): void {
    this.supply.onChunkRead(chunk, hash)
    this.#hashMore()
  }

  onFileHashed(file: number, blake3: Uint8Array, wasAsked: boolean): void {
    if (wasAsked) this.#hashing -= 1
    if (this.#phase === 'ended') return
    if (this.#hashes[file] === undefined && !this.#missing.has(file)) {
      this.#hashes[file] = blake3.slice()
      this.#options.report({ type: 'fileHashed', file, blake3: blake3.slice() })
    }
    this.#announce()
    this.#hashMore()
    this.#hashRest()
  }

  /**
   * A file cannot be read, or changed. One that changed is left out, and the others go on; what else there is ends this
   * transfer, unless it is complete already.
   *
   * @param chunk - the chunk of it that was asked for; undefined where its hash was.
   */
  onReadFailed(file: number, chunk: number | undefined, failure: Failure): void {
    if (chunk !== undefined) this.supply.onReadFailed(chunk)
    else this.#hashing -= 1
    if (this.#phase === 'completed') {
      this.#hashRest()
      return
    }
    if (this.#phase === 'ended') return
    if (failure.code === FILE_CODE) {
      this.#onFileFailed(file)
      return
    }
    this.#channel.send({ type: 'Failed', code: failure.code })
    this.#end()
    this.#options.report({ type: 'failed', failure })
  }

  // commands

  /** Sends chunks again, as recorded by RetransmitRequested. */
  requeue(ranges: readonly RangePair[], reason: RetransmitReason): void {
    if (this.#phase !== 'sending') return
    for (const [first, count] of ranges) this.supply.requeue(first, first + count, reason !== 'sessionBroken')
  }

  /** Files that were reported as failed are recorded as such: the receiver is told. */
  leaveOut(files: readonly RangePair[], code: ErrorCode): void {
    this.#isReporting = false
    if (this.#phase !== 'sending') return
    if (files.length > 0) this.#channel.send({ type: 'FilesFailed', code, files })
    this.#reportFailed()
  }

  /** Offers further lanes, once a session, after the receiver has accepted. */
  offerLanes(lanes: readonly LaneAddress[]): void {
    if (this.#phase !== 'sending' || this.#lanes !== 'none') return
    this.#lanes = 'offered'
    this.#channel.send({ type: 'Lanes', lanes })
  }

  /** The receiver's completion is recorded. */
  confirmCompletion(): void {
    this.#channel.send({ type: 'CompletionKnown' })
  }

  /** Tells the receiver why this side ends, before the connection is closed. */
  fail(failure: Failure): void {
    if (this.#phase === 'ended') return
    this.#channel.send({ type: 'Failed', code: failure.code })
    this.#end()
  }

  /** The connection is gone. */
  stop(): void {
    this.#end()
  }

  #end(): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.supply.stop()
    this.source.stop()
  }

  #onMessage(message: ControlMessage): boolean {
    const { plan, report } = this.#options
    // What was under way when this side ended is no violation.
    if (this.#phase === 'ended') return true
    switch (message.type) {
      case 'Accept': {
        if (this.#phase !== 'offered') return false
        const held = RangeSet.fromPairs(message.held, plan.chunkCount, message.held.length)
        if (held === undefined) return false
        this.#phase = 'sending'
        report({ type: 'accepted' })
        this.#recordDurable(held)
        this.supply.start(held)
        this.#tellMissing()
        this.#announce()
        this.#hashMore()
        return true
      }
      case 'Decline':
        if (this.#phase !== 'offered') return false
        this.#end()
        report({ type: 'declined' })
        return true
      case 'Durable': {
        const ranges = RangeSet.fromPairs(message.ranges, plan.chunkCount, message.ranges.length)
        if (this.#phase !== 'sending' || ranges === undefined) return false
        this.#recordDurable(ranges)
        return true
      }
      case 'Retransmit':
        return this.#onRetransmit(message.ranges, message.reason)
      case 'Lanes':
        if (this.#lanes !== 'offered') return false
        this.#lanes = 'answered'
        report({ type: 'lanesAnswered', lanes: message.lanes })
        return true
      case 'FilesCompleted':
        if (message.first + message.count > plan.fileCount) return false
        report({ type: 'filesCompleted', first: message.first, count: message.count })
        return true
      case 'Completed':
        // A receiver that completed in an earlier session says so instead of accepting.
        if (this.#phase !== 'sending' && this.#phase !== 'offered') return false
        // It says which files it has not: all that it was told of, or fewer where it had them by then.
        if (RangeSet.fromPairs(message.missing, plan.fileCount, message.missing.length) === undefined) return false
        if (message.bytes !== plan.totalBytes - plan.bytesOf(plan.chunksOfFiles(message.missing))) return false
        this.#recordCompletion(message.missing)
        this.#phase = 'completed'
        this.supply.stop()
        this.source.stop()
        this.#completion = {
          type: 'completed',
          bytes: message.bytes,
          seconds: message.milliseconds / 1000,
          missing: message.missing.map(([first, count]) => [first, count]),
        }
        this.#hashRest()
        return true
      case 'Failed':
        this.#end()
        report({ type: 'peerFailed', failure: { code: message.code } })
        return true
      case 'Manifest':
      case 'FileHashes':
      case 'CompletionKnown':
      case 'FilesFailed':
        return false
    }
  }

  #recordCompletion(missing: readonly RangePair[]): void {
    const { plan } = this.#options
    const chunks = RangeSet.of(0, plan.chunkCount)
    chunks.removePairs(plan.chunksOfFiles(missing))
    this.#missing.addPairs(missing)
    this.#recordDurable(chunks)
  }

  #onFileFailed(file: number): void {
    if (!this.#missing.has(file)) {
      this.#unreported.add(file, file + 1)
      this.#leaveOut([[file, 1]])
      this.#reportFailed()
    }
    this.#announce()
    this.#hashMore()
  }

  #leaveOut(files: readonly RangePair[]): void {
    this.#missing.addPairs(files)
    for (const [first, count] of this.#options.plan.chunksOfFiles(files)) this.supply.leaveOut(first, first + count)
  }

  /** All that have failed until now in one report: a tree that was deleted leads to few events. */
  #reportFailed(): void {
    if (this.#isReporting || this.#unreported.isEmpty) return
    const files = this.#unreported.toPairs(PAIRS_MAX)
    this.#unreported.removePairs(files)
    this.#isReporting = true
    this.#options.report({ type: 'filesFailed', files, code: FILE_CODE })
  }

  /** A receiver that died before it had recorded what it was told is told again. */
  #tellMissing(): void {
    const { missing } = this.#options
    if (missing === undefined || missing.files.length === 0) return
    this.#channel.send({ type: 'FilesFailed', code: missing.code, files: missing.files })
  }

  #onRetransmit(pairs: readonly RangePair[], reason: RetransmitReason): boolean {
    const ranges = RangeSet.fromPairs(pairs, this.#options.plan.chunkCount, pairs.length)
    if (this.#phase !== 'sending' || ranges === undefined) return false
    this.#durable.removeAll(ranges)
    this.#options.report({ type: 'retransmitRequested', ranges: ranges.toPairs(), reason })
    return true
  }

  #recordDurable(ranges: RangeSet): void {
    const added = new RangeSet()
    for (const [start, end] of ranges.ranges()) {
      for (const [from, to] of [...this.#durable.missing(start, end)]) added.add(from, to)
      this.#durable.add(start, end)
      this.supply.drop(start, end)
    }
    if (added.isEmpty) return
    const pairs = added.toPairs()
    this.#options.report({ type: 'durable', ranges: pairs, bytes: this.#options.plan.bytesOf(pairs) })
  }

  /** Announces hashes in the order of the files: batches of small files, large ones at once. */
  #announce(): void {
    if (this.#phase !== 'sending') return
    for (;;) {
      while (this.#missing.has(this.#announced)) this.#announced += 1
      let end = this.#announced
      while (end - this.#announced < FILE_HASHES_MAX && this.#hashes[end] !== undefined && !this.#missing.has(end))
        end += 1
      const count = end - this.#announced
      if (count === 0) return
      const isLast = end === this.#hashes.length || this.#missing.has(end)
      const { plan } = this.#options
      const isLarge = plan.chunksOfFile(end - 1).count > 16
      if (count < HASH_BATCH && !isLast && !isLarge && !this.supply.isAllRead) return
      const hashes = new Uint8Array(count * 32)
      for (let file = this.#announced; file < end; file++) {
        const hash = this.#hashes[file]
        assert(hash !== undefined, 'a hash that was just there')
        hashes.set(hash, (file - this.#announced) * 32)
      }
      this.#channel.send({ type: 'FileHashes', first: this.#announced, hashes })
      this.#announced = end
    }
  }

  /** When all chunks were read: hashes the files that were not read in order, from the first one on. */
  #hashMore(): void {
    if (this.#phase !== 'sending' || !this.supply.isAllRead) return
    this.#announce()
    this.#hashNext()
  }

  /** Asks for as many of the hashes that are not known as may be under way. */
  #hashNext(): void {
    while (this.#hashing < HASHING_MAX && this.#hashCursor < this.#hashes.length) {
      const file = this.#hashCursor++
      if (this.#hashes[file] !== undefined || this.#missing.has(file)) continue
      this.#hashing += 1
      this.#options.io.hashFile(file)
    }
  }

  /**
   * Everything arrived. Hashes that this side does not know, because it died before it had kept them, are what its user
   * is told of the files in the end; a file that is gone by now has none.
   */
  #hashRest(): void {
    const completion = this.#completion
    if (completion === undefined || this.#phase !== 'completed') return
    this.#hashNext()
    if (this.#hashing > 0) return
    this.#completion = undefined
    this.#options.report(completion)
  }
}
