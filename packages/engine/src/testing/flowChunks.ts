/**
 * A chunk source and a chunk sink without bytes, for simulations of congestion: what is sent is counted, its content is
 * whatever the buffer holds.
 */
import { assert } from '@godwit/protocol/assert'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import type { ChunkSink, ChunkSource, Segment } from '../transport/types.js'

/** Every chunk of every flow. */
const ANY_CHUNK = new Uint8Array(CHUNK_SIZE_BYTES)

export class FlowSource implements ChunkSource {
  readonly #totalBytes: number
  /** Bytes that the application has produced so far: fewer than the total while it is the limit. */
  #readyBytes: number
  #next = 0

  /** Bytes of chunks acknowledged, each counted once. */
  ackedBytes = 0

  /** @param totalBytes - Infinity for a flow without end. */
  constructor(totalBytes: number, readyBytes = totalBytes) {
    this.#totalBytes = totalBytes
    this.#readyBytes = readyBytes
  }

  get isAllAcked(): boolean {
    return this.ackedBytes >= this.#totalBytes
  }

  /** The application has produced more. */
  produce(bytes: number): void {
    this.#readyBytes = Math.min(this.#totalBytes, this.#readyBytes + bytes)
  }

  next(maxBytes: number, out: Segment): boolean {
    const end = this.#readyBytes
    if (this.#next >= end) return false
    out.chunk = Math.floor(this.#next / CHUNK_SIZE_BYTES)
    out.offset = this.#next % CHUNK_SIZE_BYTES
    out.length = Math.min(maxBytes, CHUNK_SIZE_BYTES - out.offset, end - this.#next)
    this.#next += out.length
    return true
  }

  holds(): boolean {
    return true
  }

  bytesOf(): Uint8Array {
    return ANY_CHUNK
  }

  copyHash(): void {
    // The buffer's bytes are as good as any.
  }

  onSegmentAcked(_chunk: number, _offset: number, length: number): void {
    this.ackedBytes += length
    assert(this.ackedBytes <= this.#next, 'no more is acknowledged than was sent')
  }

  onCredit(): void {
    // The receiver of a simulated flow has room for everything.
  }
}

export class FlowSink implements ChunkSink {
  /** Bytes of chunks that arrived, repetitions included. */
  arrivedBytes = 0

  onChunkHash(): void {
    // There is nothing to compare it with.
  }

  onChunkData(_chunk: number, _offset: number, data: Uint8Array): boolean {
    this.arrivedBytes += data.length
    return true
  }
}
