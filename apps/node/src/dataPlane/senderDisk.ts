/**
 * Reads and hashes for a sending session: chunks, and whole files along the way. Chunks that are read in order feed
 * their file's hash for nothing; a file that was not read from its start to its end is read once more for it.
 */

import type { SenderIo } from '@godwit/engine/transfer/ports'
import { assert } from '@godwit/protocol/assert'
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { Failure } from '@godwit/protocol/errors'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import { Blake3Stream, blake3Of } from '../crypto/blake3.js'
import { type SourceFile, SourceFiles } from '../files/sourceFiles.js'

export interface SenderDiskOutcomes {
  onChunkRead(chunk: number, hash: Uint8Array): void
  onFileHashed(file: number, hash: Uint8Array, wasAsked: boolean): void
  onReadFailed(file: number, chunk: number | undefined, failure: Failure): void
}

export class SenderDisk implements SenderIo {
  readonly #files: SourceFiles
  readonly #plan: ChunkPlan
  readonly #outcomes: SenderDiskOutcomes
  /** Reads run at the same time; their outcomes are taken in the order of asking, so that files hash in order. */
  #order: Promise<void> = Promise.resolve()
  /** The file that is being hashed along the way: the next chunk that it needs. */
  #running: { file: number; nextChunk: number; hasher: Blake3Stream } | undefined
  /** Whole files that are being read for their hash. */
  readonly #hashing = new Set<Promise<void>>()
  #isClosed = false

  constructor(sources: readonly SourceFile[], plan: ChunkPlan, outcomes: SenderDiskOutcomes) {
    this.#files = new SourceFiles(sources)
    this.#plan = plan
    this.#outcomes = outcomes
  }

  readChunk(chunk: number, buffer: Uint8Array, length: number): void {
    const { file, offset } = this.#plan.locate(chunk)
    const read = this.#files.read(file, offset, buffer, length)
    this.#order = this.#order.then(async () => {
      const result = await read
      if (this.#isClosed) return
      if (!result.ok) {
        this.#outcomes.onReadFailed(file, chunk, result.failure)
        return
      }
      const bytes = buffer.subarray(0, length)
      const hash = blake3Of(bytes)
      this.#hashAlong(chunk, file, bytes, hash)
      this.#outcomes.onChunkRead(chunk, hash)
    })
  }

  hashFile(file: number): void {
    const hashing = this.#hashWhole(file).then((result) => {
      this.#hashing.delete(hashing)
      if (this.#isClosed) return
      if (result.ok) this.#outcomes.onFileHashed(file, result.hash, true)
      else this.#outcomes.onReadFailed(file, undefined, result.failure)
    })
    this.#hashing.add(hashing)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#order
    await Promise.all(this.#hashing)
    await this.#files.closeAll()
  }

  /** A file of one chunk has that chunk's hash; a longer one is hashed while its chunks come in order. */
  #hashAlong(chunk: number, file: number, bytes: Uint8Array, chunkHash: Uint8Array): void {
    const { first, count } = this.#plan.chunksOfFile(file)
    if (count === 1) {
      this.#outcomes.onFileHashed(file, chunkHash, false)
      return
    }
    if (chunk === first) this.#running = { file, nextChunk: first, hasher: new Blake3Stream() }
    const running = this.#running
    if (running === undefined || running.file !== file || running.nextChunk !== chunk) return
    running.hasher.update(bytes)
    running.nextChunk += 1
    if (running.nextChunk === first + count) {
      this.#running = undefined
      this.#outcomes.onFileHashed(file, running.hasher.digest(), false)
    }
  }

  async #hashWhole(file: number): Promise<{ ok: true; hash: Uint8Array } | { ok: false; failure: Failure }> {
    const size = this.#plan.sizeOf(file)
    const hasher = new Blake3Stream()
    const buffer = new Uint8Array(Math.min(CHUNK_SIZE_BYTES, Math.max(1, size)))
    for (let offset = 0; offset < size && !this.#isClosed; ) {
      const length = Math.min(buffer.length, size - offset)
      const result = await this.#files.read(file, offset, buffer, length)
      if (!result.ok) return { ok: false, failure: result.failure }
      assert(result.value === length, 'a read that succeeds is whole')
      hasher.update(buffer.subarray(0, length))
      offset += length
    }
    return { ok: true, hash: hasher.digest() }
  }
}
