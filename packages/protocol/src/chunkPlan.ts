/**
 * Where each chunk lies: the chunks of all files, numbered on one line in manifest order.
 *
 * A chunk never spans two files; each has CHUNK_SIZE_BYTES but the last of a file, which is shorter; an empty file has
 * none. Both sides compute the same plan from the same manifest, so a chunk number says file, offset and length.
 * Specified in docs/protocol/manifest.md. Which chunks are there or under way is not its business.
 */
import { assert } from './assert.js'
import { CHUNK_SIZE_BYTES, MANIFEST_MAX_ENTRIES, TRANSFER_MAX_BYTES } from './limits.js'
import type { Manifest } from './manifest.js'
import { type RangePair, RangeSet } from './rangeSet.js'

/** A chunk's place: `length` bytes of file number `file` from its byte `offset`. */
export interface ChunkPlace {
  readonly file: number
  readonly offset: number
  readonly length: number
}

/** A stretch of the chunk line. */
export interface ChunkStretch {
  readonly first: number
  readonly count: number
}

export class ChunkPlan {
  readonly fileCount: number
  readonly chunkCount: number
  /** Bytes of all files together. */
  readonly totalBytes: number
  readonly #sizes: Float64Array
  /** First chunk of each file, and behind the last file the number of all chunks. */
  readonly #firstChunk: Uint32Array
  /** Bytes of all files before each file. */
  readonly #bytesBefore: Float64Array

  /** @param sizes - bytes of each file in manifest order; within the limits of a manifest, else it is a bug. */
  constructor(sizes: ArrayLike<number>) {
    const fileCount = sizes.length
    assert(fileCount <= MANIFEST_MAX_ENTRIES, 'a plan has at most as many files as a manifest has entries')
    this.fileCount = fileCount
    this.#sizes = new Float64Array(fileCount)
    this.#firstChunk = new Uint32Array(fileCount + 1)
    this.#bytesBefore = new Float64Array(fileCount + 1)
    let chunks = 0
    let bytes = 0
    for (let file = 0; file < fileCount; file += 1) {
      const size = sizes[file] ?? Number.NaN
      assert(Number.isSafeInteger(size) && size >= 0, 'a size is a whole number of bytes')
      this.#sizes[file] = size
      this.#firstChunk[file] = chunks
      this.#bytesBefore[file] = bytes
      chunks += Math.ceil(size / CHUNK_SIZE_BYTES)
      bytes += size
      assert(bytes <= TRANSFER_MAX_BYTES, 'a plan stays within the bytes of one transfer')
    }
    this.#firstChunk[fileCount] = chunks
    this.#bytesBefore[fileCount] = bytes
    this.chunkCount = chunks
    this.totalBytes = bytes
  }

  /** The plan of a manifest's files. */
  static of(manifest: Manifest): ChunkPlan {
    const sizes: number[] = []
    for (const entry of manifest.entries) if (entry.kind === 'file') sizes.push(entry.sizeBytes)
    return new ChunkPlan(sizes)
  }

  /** Bytes of a file. */
  sizeOf(file: number): number {
    return at(this.#sizes, this.#checkFile(file))
  }

  /** The file that holds a chunk. Does not allocate. */
  fileOf(chunk: number): number {
    assert(Number.isInteger(chunk) && chunk >= 0 && chunk < this.chunkCount, 'the chunk is one of the plan')
    // The last file whose first chunk is not behind `chunk`: empty files share their successor's first chunk and lose.
    let low = 0
    let high = this.fileCount - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (at(this.#firstChunk, middle) <= chunk) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Byte of its file at which a chunk begins. Does not allocate. */
  offsetOf(chunk: number): number {
    return (chunk - at(this.#firstChunk, this.fileOf(chunk))) * CHUNK_SIZE_BYTES
  }

  /** Bytes of a chunk: 1 … CHUNK_SIZE_BYTES. Does not allocate. */
  lengthOf(chunk: number): number {
    const file = this.fileOf(chunk)
    const offset = (chunk - at(this.#firstChunk, file)) * CHUNK_SIZE_BYTES
    return Math.min(CHUNK_SIZE_BYTES, at(this.#sizes, file) - offset)
  }

  locate(chunk: number): ChunkPlace {
    const file = this.fileOf(chunk)
    const offset = (chunk - at(this.#firstChunk, file)) * CHUNK_SIZE_BYTES
    return { file, offset, length: Math.min(CHUNK_SIZE_BYTES, at(this.#sizes, file) - offset) }
  }

  /** The chunks of a file; `count` is 0 for an empty one. */
  chunksOfFile(file: number): ChunkStretch {
    const first = at(this.#firstChunk, this.#checkFile(file))
    return { first, count: at(this.#firstChunk, file + 1) - first }
  }

  /** The chunks of `[first file, number of files]` pairs, as pairs that are sorted and not adjacent. */
  chunksOfFiles(files: Iterable<RangePair>): [number, number][] {
    const chunks = new RangeSet()
    for (const [first, count] of files) {
      assert(count >= 0 && first >= 0 && first + count <= this.fileCount, 'the files are some of the plan')
      const start = at(this.#firstChunk, first)
      const end = at(this.#firstChunk, first + count)
      if (end > start) chunks.add(start, end)
    }
    return chunks.toPairs()
  }

  /** Bytes of `[first chunk, number of chunks]` pairs; each pair must lie within the plan. */
  bytesOf(ranges: Iterable<readonly [first: number, count: number]>): number {
    let bytes = 0
    for (const [first, count] of ranges) {
      assert(count >= 0 && first >= 0 && first + count <= this.chunkCount, 'the range lies within the plan')
      bytes += this.#bytesBeforeChunk(first + count) - this.#bytesBeforeChunk(first)
    }
    return bytes
  }

  #bytesBeforeChunk(chunk: number): number {
    if (chunk === this.chunkCount) return this.totalBytes
    const file = this.fileOf(chunk)
    return at(this.#bytesBefore, file) + (chunk - at(this.#firstChunk, file)) * CHUNK_SIZE_BYTES
  }

  #checkFile(file: number): number {
    assert(Number.isInteger(file) && file >= 0 && file < this.fileCount, 'the file is one of the plan')
    return file
  }
}

/** Reads within bounds that the callers have checked. */
const at = (array: Float64Array | Uint32Array, index: number): number => array[index] ?? Number.NaN
