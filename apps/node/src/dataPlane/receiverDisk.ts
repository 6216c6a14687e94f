/**
 * The disk of a receiving session: the engine's requests (write, checkpoint, verify, finalize) carried out on the
 * staging folder. The order that durability rests on is the staging's; this file only joins the two.
 */

import type { ReceiverIo, WriteOutcome } from '@godwit/engine/transfer/ports'
import { assert } from '@godwit/protocol/assert'
import { equalBytes } from '@godwit/protocol/bytes'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { Failure, Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { blake3Of } from '../crypto/blake3.js'
import { attempt } from '../files/diskErrors.js'
import { checkDiskSpace } from '../files/diskSpace.js'
import { type FinishedFile, finalize, isEndUnderWay } from '../files/finalize.js'
import { Staging } from '../files/staging.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import type { BeginParameters } from './messages.js'

export interface ReceiverDiskOutcomes {
  onChunkWritten(chunk: number, outcome: WriteOutcome): void
  onCheckpoint(ranges: readonly RangePair[] | Failure): void
  onFileVerified(file: number, damaged: readonly RangePair[] | Failure): void
  onFinalized(failure?: Failure): void
  onFilesCompleted(first: number, count: number): void
  onFiles(files: readonly FinishedFile[], missing: readonly RangePair[]): void
}

export interface OpenedStaging {
  /** Chunks that are there, verified and durable. */
  readonly held: RangeSet
  /** Whether an earlier session had begun. */
  readonly isResumed: boolean
  /** Whether the files were already being given their names: then nothing is left but to finish that. */
  readonly isFinalizing: boolean
}

export class ReceiverDisk implements ReceiverIo {
  readonly #begin: BeginParameters
  readonly #outcomes: ReceiverDiskOutcomes
  #staging: Staging | undefined
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined
  #dropping: Promise<unknown> | undefined
  /** Operations under way, opening too; closing waits for them. */
  readonly #pending = new Set<Promise<unknown>>()

  constructor(begin: BeginParameters, outcomes: ReceiverDiskOutcomes) {
    this.#begin = begin
    this.#outcomes = outcomes
  }

  /** Finds out what an earlier session left, which may take long: a close breaks that off. */
  open(): Promise<Result<OpenedStaging>> {
    return this.#track(this.#openStaging())
  }

  /** The staging's chunk plan; after `open`. */
  get plan(): ChunkPlan {
    return this.#open().plan
  }

  /** As it was accepted. */
  get manifest(): Uint8Array {
    return this.#begin.manifest
  }

  writeChunk(chunk: number, buffer: Uint8Array, length: number, hash: Uint8Array): void {
    const bytes = buffer.subarray(0, length)
    if (!equalBytes(blake3Of(bytes), hash)) {
      // Not at once: the session is in the middle of taking a packet in.
      this.#track(Promise.resolve().then(() => this.#outcomes.onChunkWritten(chunk, 'hashMismatch')))
      return
    }
    this.#track(
      this.#open()
        .write(chunk, bytes, hash)
        .then((result) => this.#outcomes.onChunkWritten(chunk, result.ok ? 'written' : result.failure)),
    )
  }

  checkpoint(): void {
    this.#track(
      this.#open()
        .checkpoint()
        .then((result) => this.#outcomes.onCheckpoint(result.ok ? result.durable.toPairs() : result.failure)),
    )
  }

  verifyFile(file: number, blake3: Uint8Array): void {
    this.#track(this.#verify(file, blake3))
  }

  dropFiles(files: readonly RangePair[]): void {
    const staging = this.#open()
    // What cannot be dropped goes with the staging folder.
    this.#dropping = this.#track(Promise.all([this.#dropping, staging.drop(files)]))
  }

  /** @param missing - of an earlier call that had begun, its own are what counts. */
  finalize(missing: readonly RangePair[]): void {
    this.#track(this.#finalize(missing))
  }

  async #finalize(missing: readonly RangePair[]): Promise<void> {
    await this.#dropping
    let recorded = missing
    const result = await finalize(this.#open(), {
      missing,
      onMissing: (files) => {
        recorded = files
      },
      onFilesCompleted: this.#outcomes.onFilesCompleted,
      afterStep: (step) => crashPoint(`finalize: ${step}`),
    })
    if (result.ok) this.#outcomes.onFiles(result.value, recorded)
    this.#outcomes.onFinalized(result.ok ? undefined : result.failure)
  }

  /** Makes durable what was written, then closes; the next session finds these chunks by their hashes. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#pending)
    // What was written since the last checkpoint need not be sent again. A failure here takes nothing away.
    await this.#staging?.checkpoint()
    await this.#staging?.close()
  }

  async #openStaging(): Promise<Result<OpenedStaging>> {
    const { outputDir, transferId, manifest, claimed } = this.#begin
    const found = await Staging.reopen(outputDir, transferId)
    if (!found.ok) return found
    if (found.value === undefined) {
      const decoded = decodeManifest(manifest)
      if (!decoded.ok) return decoded
      const room = await this.#checkRoom(ChunkPlan.of(decoded.value), undefined)
      if (!room.ok) return room
    }
    const opened = found.value === undefined ? await Staging.create(outputDir, transferId, manifest) : ok(found.value)
    if (!opened.ok) return opened
    const staging = opened.value
    this.#staging = staging
    const isResumed = found.value !== undefined
    const finalizing = await attempt('looking at the received data', () => isEndUnderWay(staging))
    if (!finalizing.ok) return finalizing
    if (finalizing.value) {
      return ok({ held: RangeSet.of(0, staging.plan.chunkCount), isResumed, isFinalizing: true })
    }
    const log = RangeSet.fromPairs(claimed, staging.plan.chunkCount, claimed.length)
    assert(log !== undefined, 'the log claims chunks of this transfer')
    const verified = await staging.verify(log, 'cheap', this.#closing.signal)
    if (!verified.ok) return verified
    const { held } = verified.value
    if (isResumed) {
      const needless = held.clone()
      needless.addPairs(staging.plan.chunksOfFiles(this.#begin.missing))
      const room = await this.#checkRoom(staging.plan, needless)
      if (!room.ok) return room
    }
    return ok({ held, isResumed, isFinalizing: false })
  }

  /** Whether the disk has room for what is missing; what is staged already takes its room, whatever the log knows. */
  async #checkRoom(plan: ChunkPlan, held: RangeSet | undefined): Promise<Result<void>> {
    let files = 0
    for (let file = 0; file < plan.fileCount; file += 1) {
      const { first, count } = plan.chunksOfFile(file)
      if (held?.contains(first, first + count) !== true) files += 1
    }
    const bytes = plan.totalBytes - (held === undefined ? 0 : plan.bytesOf(held.toPairs()))
    return checkDiskSpace(this.#begin.outputDir, { bytes, files })
  }

  #open(): Staging {
    assert(this.#staging !== undefined, 'the staging is open while its session receives')
    return this.#staging
  }

  async #verify(file: number, blake3: Uint8Array): Promise<void> {
    const staging = this.#open()
    const read = await staging.hashFile(file)
    crashPoint('fileHashed')
    if (!read.ok) return this.#outcomes.onFileVerified(file, read.failure)
    if (equalBytes(read.value, blake3)) return this.#outcomes.onFileVerified(file, [])
    const damaged = await staging.damagedChunks(file)
    if (!damaged.ok) return this.#outcomes.onFileVerified(file, damaged.failure)
    // Every chunk is what its hash says, and the whole is not: the sender announced another file than it sent.
    if (damaged.value.isEmpty) return this.#outcomes.onFileVerified(file, { code: 'ERR_INTEGRITY' })
    const forgotten = await staging.forget(damaged.value)
    if (!forgotten.ok) return this.#outcomes.onFileVerified(file, forgotten.failure)
    this.#outcomes.onFileVerified(file, damaged.value.toPairs())
  }

  #track<T>(operation: Promise<T>): Promise<T> {
    const tracked = operation.finally(() => this.#pending.delete(tracked))
    this.#pending.add(tracked)
    return tracked
  }
}
