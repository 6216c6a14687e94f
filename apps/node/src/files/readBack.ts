/**
 * Hashes whole files as they stand on the disk. A long file is read behind the checkpoints while the rest of it still
 * arrives, so that little is left to read when its last chunk is there; what is read was synced before. One file at a time,
 * the first that is not finished.
 */
import { assert } from '@godwit/protocol/assert'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { Blake3Stream } from '../crypto/blake3.js'
import { readUpTo } from './chunkHashes.js'
import { hashFrom, type StagedParts } from './stagingVerify.js'

/** Shorter files are read at once when they are whole. */
const AHEAD_MIN_CHUNKS = 16
/** Chunks read in one go: the file's handle is free for others in between. */
const STEP_CHUNKS = 2

interface Progress {
  readonly file: number
  readonly hash: Blake3Stream
  /** Everything before this chunk of the transfer is hashed. */
  next: number
}

export class ReadBack {
  readonly #parts: StagedParts
  readonly #durable = new RangeSet()
  readonly #dropped = new RangeSet()
  #current: Progress | undefined
  /** The first file that may still be read ahead. */
  #cursor = 0
  #running: Promise<void> | undefined
  #buffer: Buffer | undefined
  #isStopped = false

  constructor(parts: StagedParts) {
    this.#parts = parts
  }

  /** These chunks are durable now. */
  onDurable(chunks: RangeSet): void {
    this.#durable.addAll(chunks)
    this.#run()
  }

  /** These chunks are not what they were: they will be written again. */
  onForgotten(chunks: RangeSet): void {
    this.#durable.removeAll(chunks)
    const current = this.#current
    if (current === undefined) return
    const { first } = this.#parts.plan.chunksOfFile(current.file)
    const isTouched = current.next > first && chunks.clone().remove(first, current.next) > 0
    if (isTouched) this.#current = undefined
    this.#cursor = Math.min(this.#cursor, current.file)
  }

  /** These files will never be whole: nothing is read ahead of them. */
  onDropped(files: RangeSet): void {
    this.#dropped.addAll(files)
    if (this.#current !== undefined && files.has(this.#current.file)) this.#current = undefined
  }

  /** BLAKE3 of a whole file, from where reading ahead has come to. All its chunks are durable. */
  async hash(file: number): Promise<Uint8Array> {
    this.#cursor = Math.max(this.#cursor, file + 1)
    const current = this.#current
    if (current?.file !== file) return hashFrom(this.#parts, file, new Blake3Stream(), 0)
    this.#current = undefined
    // A step that is under way belongs to this file's hash.
    await this.#running
    const { plan } = this.#parts
    const { first, count } = plan.chunksOfFile(file)
    const offset = current.next === first + count ? plan.sizeOf(file) : plan.offsetOf(current.next)
    const digest = await hashFrom(this.#parts, file, current.hash, offset)
    this.#run()
    return digest
  }

  /** Reads nothing more; resolves when nothing is being read. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  #run(): void {
    if (this.#running !== undefined || this.#isStopped) return
    this.#running = this.#readAhead().finally(() => {
      this.#running = undefined
    })
  }

  async #readAhead(): Promise<void> {
    for (let progress = this.#next(); progress !== undefined; progress = this.#next()) {
      if (!(await this.#step(progress))) return
    }
  }

  /** The file that is being read, if its next chunk is there. */
  #next(): Progress | undefined {
    if (this.#isStopped) return undefined
    const { plan } = this.#parts
    while (this.#current === undefined && this.#cursor < plan.fileCount) {
      const { first, count } = plan.chunksOfFile(this.#cursor)
      if (count < AHEAD_MIN_CHUNKS || this.#dropped.has(this.#cursor)) this.#cursor += 1
      else this.#current = { file: this.#cursor, hash: new Blake3Stream(), next: first }
    }
    const current = this.#current
    if (current === undefined) return undefined
    const { first, count } = plan.chunksOfFile(current.file)
    return current.next < first + count && this.#durable.has(current.next) ? current : undefined
  }

  /** Hashes a few chunks more. False where the disk fails: whoever asks for the hash will be told. */
  async #step(progress: Progress): Promise<boolean> {
    const { plan, use } = this.#parts
    const { file, next } = progress
    const { first, count } = plan.chunksOfFile(file)
    const end = Math.min(this.#durable.firstMissing(next), first + count, next + STEP_CHUNKS)
    assert(end > next, 'the next chunk is durable')
    const offset = plan.offsetOf(next)
    const length = (end === first + count ? plan.sizeOf(file) : plan.offsetOf(end)) - offset
    this.#buffer ??= Buffer.allocUnsafe(STEP_CHUNKS * CHUNK_SIZE_BYTES)
    const bytes = this.#buffer.subarray(0, length)
    try {
      const read = await use(file, (handle) => readUpTo(handle, bytes, length, offset))
      if (read < length) return false
    } catch {
      return false
    }
    progress.hash.update(bytes)
    progress.next = end
    // Else `hash` has taken it over, or it was given up because chunks of it were damaged.
    return this.#current === progress
  }
}
