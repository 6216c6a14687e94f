/** A chunk source and a chunk sink over bytes in memory, for tests of the transport alone. */
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import type { ChunkSink, ChunkSource, Segment } from '../transport/types.js'

/** A stand-in for a chunk's hash: its number, again and again. */
const hashByte = (chunk: number): number => (chunk * 7 + 1) & 0xff

export class MemorySource implements ChunkSource {
  readonly #data: Uint8Array
  readonly #chunkBytes: number
  readonly #acked = new RangeSet()
  #next = 0
  creditBytes = 0
  /** Bytes that were reported as acknowledged twice: a fault of the transport. */
  ackedTwice = 0

  constructor(data: Uint8Array, chunkBytes = CHUNK_SIZE_BYTES) {
    this.#data = data
    this.#chunkBytes = chunkBytes
  }

  get isAllAcked(): boolean {
    return this.#acked.size === this.#data.length
  }

  get bytesTaken(): number {
    return this.#next
  }

  next(maxBytes: number, out: Segment): boolean {
    const end = Math.min(this.#data.length, this.creditBytes)
    if (this.#next >= end) return false
    out.chunk = Math.floor(this.#next / this.#chunkBytes)
    out.offset = this.#next % this.#chunkBytes
    out.length = Math.min(maxBytes, this.#chunkBytes - out.offset, end - this.#next)
    this.#next += out.length
    return true
  }

  holds(): boolean {
    return true
  }

  bytesOf(chunk: number): Uint8Array {
    return this.#data.subarray(chunk * this.#chunkBytes, (chunk + 1) * this.#chunkBytes)
  }

  copyHash(chunk: number, target: Uint8Array, targetOffset: number): void {
    target.fill(hashByte(chunk), targetOffset, targetOffset + 32)
  }

  onSegmentAcked(chunk: number, offset: number, length: number): void {
    const start = chunk * this.#chunkBytes + offset
    this.ackedTwice += length - this.#acked.add(start, start + length)
  }

  onCredit(totalBytes: number): void {
    this.creditBytes = Math.max(this.creditBytes, totalBytes)
  }
}

export class MemorySink implements ChunkSink {
  readonly data: Uint8Array
  readonly #chunkBytes: number
  readonly #received = new RangeSet()
  readonly #hashes = new Set<number>()
  /** The most that was granted; more breaks the protocol. */
  creditBytes = Number.POSITIVE_INFINITY
  /** Bytes that arrived, repetitions included. */
  bytesArrived = 0
  /** Chunks whose first byte came before their hash in the order of arrival. */
  wrongHashes = 0

  constructor(totalBytes: number, chunkBytes = CHUNK_SIZE_BYTES) {
    this.data = new Uint8Array(totalBytes)
    this.#chunkBytes = chunkBytes
  }

  get isComplete(): boolean {
    return (
      this.#received.size === this.data.length && this.#hashes.size === Math.ceil(this.data.length / this.#chunkBytes)
    )
  }

  /** Bytes received, each counted once. */
  get bytesReceived(): number {
    return this.#received.size
  }

  onChunkHash(chunk: number, hash: Uint8Array): void {
    if (hash.length !== 32 || hash.some((byte) => byte !== hashByte(chunk))) this.wrongHashes += 1
    this.#hashes.add(chunk)
  }

  onChunkData(chunk: number, offset: number, data: Uint8Array): boolean {
    const start = chunk * this.#chunkBytes + offset
    const end = start + data.length
    if (end > this.data.length || end > this.creditBytes) return false
    if (offset === 0 && !this.#hashes.has(chunk)) this.wrongHashes += 1
    this.data.set(data, start)
    this.#received.add(start, end)
    this.bytesArrived += data.length
    return true
  }
}
