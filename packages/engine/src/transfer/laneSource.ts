/**
 * The chunks that one lane sends: a sending connection's `ChunkSource`. It takes whole chunks from a feed, sends them
 * segment by segment, and holds each until its last byte is acknowledged.
 */
import { assert } from '@godwit/protocol/assert'
import { RangeSet } from '@godwit/protocol/rangeSet'
import type { ChunkSource, Segment } from '../transport/types.js'

/** A chunk that was read and hashed; `buffer[0, length)` stays as it is until `onChunkAcked`. */
export interface ReadyChunk {
  readonly chunk: number
  readonly length: number
  readonly buffer: Uint8Array
  /** 32 bytes. */
  readonly hash: Uint8Array
}

/** Where a lane takes its chunks from. */
export interface ChunkFeed {
  /** The next chunk; undefined where none is ready or the receiver's credit is used up. */
  take(): ReadyChunk | undefined
  /** Every byte of a chunk is acknowledged: its buffer is the feed's again. */
  onChunkAcked(chunk: number): void
  /** The receiver's credit in total. */
  onCredit(totalBytes: number): void
}

interface TakenChunk extends ReadyChunk {
  readonly acked: RangeSet
  /** Bytes handed to the transport for the first time. */
  sentBytes: number
}

export class LaneSource implements ChunkSource {
  readonly #feed: ChunkFeed
  readonly #taken = new Map<number, TakenChunk>()
  /** The chunk that is being sent for the first time. */
  #current: TakenChunk | undefined
  /** The chunk that was looked up last: nearly always the next one too. */
  #last: TakenChunk | undefined

  constructor(feed: ChunkFeed) {
    this.#feed = feed
  }

  /** Chunks that are not wholly acknowledged. */
  get underWay(): readonly number[] {
    return [...this.#taken.keys()]
  }

  /** The lane ends: nothing is held any more. */
  stop(): void {
    this.#taken.clear()
    this.#current = undefined
    this.#last = undefined
  }

  next(maxBytes: number, out: Segment): boolean {
    const current = this.#current ?? this.#takeNext()
    if (current === undefined) return false
    const length = Math.min(maxBytes, current.length - current.sentBytes)
    out.chunk = current.chunk
    out.offset = current.sentBytes
    out.length = length
    current.sentBytes += length
    if (current.sentBytes === current.length) this.#current = undefined
    return true
  }

  holds(chunk: number): boolean {
    return this.#find(chunk) !== undefined
  }

  bytesOf(chunk: number): Uint8Array {
    const taken = this.#find(chunk)
    assert(taken !== undefined, 'the bytes of a chunk that is not held')
    return taken.buffer
  }

  copyHash(chunk: number, target: Uint8Array, targetOffset: number): void {
    const taken = this.#find(chunk)
    assert(taken !== undefined, 'the hash of a chunk that is not held')
    target.set(taken.hash, targetOffset)
  }

  onSegmentAcked(chunk: number, offset: number, length: number): void {
    const taken = this.#find(chunk)
    if (taken === undefined) return
    taken.acked.add(offset, offset + length)
    if (taken.acked.size < taken.length) return
    this.#taken.delete(chunk)
    this.#last = undefined
    this.#feed.onChunkAcked(chunk)
  }

  onCredit(totalBytes: number): void {
    this.#feed.onCredit(totalBytes)
  }

  #takeNext(): TakenChunk | undefined {
    const ready = this.#feed.take()
    if (ready === undefined) return undefined
    const { chunk, length, buffer, hash } = ready
    const taken: TakenChunk = { chunk, length, buffer, hash, acked: new RangeSet(), sentBytes: 0 }
    this.#taken.set(chunk, taken)
    this.#last = taken
    this.#current = taken
    return taken
  }

  #find(chunk: number): TakenChunk | undefined {
    if (this.#last?.chunk !== chunk) this.#last = this.#taken.get(chunk)
    return this.#last
  }
}
