/**
 * Which chunk goes next, and the buffers of those under way: the sending connection's `ChunkSource`.
 *
 * A chunk waits in `todo`, is read ahead into a buffer, is sent segment by segment within the receiver's credit, and is
 * held until every byte of it was acknowledged by the transport. Whether it is durable at the receiver is not known
 * here: the session above follows that.
 */
import { assert } from '@godwit/protocol/assert'
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CREDIT_MIN_CHUNK_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import type { ChunkSource, Segment } from '../transport/types.js'
import type { BufferPool, SenderIo } from './ports.js'

/** Bytes read ahead of what is being sent: enough to hide a disk's latency, few enough to stay in the cache. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024
/** Chunks being read or ready: it bounds the reads under way for a tree of tiny files. */
const READ_AHEAD_CHUNKS = 256
/** Bytes of all buffers held, sent and not yet acknowledged ones included. */
const HELD_BYTES_MAX = 128 * 1024 * 1024

interface HeldChunk {
  readonly chunk: number
  readonly length: number
  readonly buffer: Uint8Array
  readonly hash: Uint8Array
  readonly acked: RangeSet
  state: 'reading' | 'ready' | 'sending' | 'sent'
  /** Bytes handed to the transport for the first time. */
  sentBytes: number
  /** The receiver dropped it after it was sent: it goes again once its last bytes are acknowledged. */
  isWantedAgain: boolean
}

/** What a chunk costs of the receiver's credit: its bytes, but never less than the least. */
export const creditOf = (length: number): number => Math.max(length, CREDIT_MIN_CHUNK_BYTES)

export class SendScheduler implements ChunkSource {
  readonly #plan: ChunkPlan
  readonly #pool: BufferPool
  readonly #io: SenderIo
  readonly #held = new Map<number, HeldChunk>()
  /** The chunk that was looked up last: nearly always the next one too. */
  #last: HeldChunk | undefined
  /** Chunks that wait to be read, lowest first. */
  #todo = new RangeSet()
  /** Chunks that the receiver asked for again: before all others. */
  #urgent = new RangeSet()
  /** Read and not yet begun, in the order of reading. */
  readonly #ready: HeldChunk[] = []
  #current: HeldChunk | undefined
  #heldBytes = 0
  #aheadBytes = 0
  #aheadChunks = 0
  #creditTotal = 0
  #creditUsed = 0
  #isStopped = false

  constructor(plan: ChunkPlan, pool: BufferPool, io: SenderIo) {
    this.#plan = plan
    this.#pool = pool
    this.#io = io
  }

  /** Chunks not yet handed to the transport in full, and those held for retransmission. */
  get isDrained(): boolean {
    return this.#todo.isEmpty && this.#urgent.isEmpty && this.#held.size === 0
  }

  /** Whether every chunk that was asked for has been read. */
  get isAllRead(): boolean {
    return this.#todo.isEmpty && this.#urgent.isEmpty && this.#aheadChunks === 0
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Begins with everything but `done`. */
  start(done: RangeSet): void {
    this.#todo = RangeSet.of(0, this.#plan.chunkCount)
    for (const [first, count] of done.toPairs()) this.#todo.remove(first, first + count)
    this.#readAhead()
  }

  /**
   * Sends chunks again, before all others.
   *
   * @param wasDropped - whether the receiver had them whole and dropped them: then those that are under way go once
   * more too. Without it they are left alone, since the receiver only cannot know that they are coming.
   */
  requeue(start: number, end: number, wasDropped: boolean): void {
    for (let chunk = start; chunk < Math.min(end, this.#plan.chunkCount); chunk++) {
      const held = this.#held.get(chunk)
      if (held !== undefined) {
        // It was whole over there, so every byte of it has left here; only the acknowledgement is still on its way.
        if (wasDropped && held.state === 'sent') held.isWantedAgain = true
        continue
      }
      this.#todo.remove(chunk, chunk + 1)
      this.#urgent.add(chunk, chunk + 1)
    }
    this.#readAhead()
  }

  /** Takes chunks that the receiver turned out to hold out of the queue. */
  drop(start: number, end: number): void {
    this.#todo.remove(start, end)
    this.#urgent.remove(start, end)
  }

  /** Takes all chunks of a file out: it changed or cannot be read. */
  stop(): void {
    this.#isStopped = true
    this.#todo = new RangeSet()
    this.#urgent = new RangeSet()
    for (const held of this.#held.values()) if (held.state !== 'reading') this.#pool.give(held.buffer)
    for (const [chunk, held] of this.#held) if (held.state !== 'reading') this.#held.delete(chunk)
    this.#ready.length = 0
    this.#current = undefined
    this.#last = undefined
  }

  onChunkRead(chunk: number, hash: Uint8Array): void {
    const held = this.#held.get(chunk)
    assert(held !== undefined && held.state === 'reading', 'a chunk was read that nobody asked for')
    if (this.#isStopped) {
      this.#release(held)
      return
    }
    held.hash.set(hash)
    held.state = 'ready'
    this.#ready.push(held)
  }

  onReadFailed(chunk: number): void {
    const held = this.#held.get(chunk)
    if (held === undefined) return
    this.#aheadBytes -= held.length
    this.#aheadChunks -= 1
    this.#release(held)
  }

  // ChunkSource

  next(maxBytes: number, out: Segment): boolean {
    let current = this.#current
    if (current === undefined) {
      const candidate = this.#ready[0]
      if (candidate === undefined) return false
      const cost = creditOf(candidate.length)
      if (this.#creditUsed + cost > this.#creditTotal) return false
      this.#creditUsed += cost
      this.#ready.shift()
      this.#aheadBytes -= candidate.length
      this.#aheadChunks -= 1
      candidate.state = 'sending'
      this.#current = candidate
      current = candidate
      this.#readAhead()
    }
    const length = Math.min(maxBytes, current.length - current.sentBytes)
    out.chunk = current.chunk
    out.offset = current.sentBytes
    out.length = length
    current.sentBytes += length
    if (current.sentBytes === current.length) {
      current.state = 'sent'
      this.#current = undefined
    }
    return true
  }

  holds(chunk: number): boolean {
    const held = this.#find(chunk)
    return held !== undefined && (held.state === 'sending' || held.state === 'sent')
  }

  copy(segment: Segment, target: Uint8Array, targetOffset: number): void {
    const held = this.#find(segment.chunk)
    assert(held !== undefined, 'a segment of a chunk that is not held')
    target.set(held.buffer.subarray(segment.offset, segment.offset + segment.length), targetOffset)
  }

  copyHash(chunk: number, target: Uint8Array, targetOffset: number): void {
    const held = this.#find(chunk)
    assert(held !== undefined, 'the hash of a chunk that is not held')
    target.set(held.hash, targetOffset)
  }

  onSegmentAcked(chunk: number, offset: number, length: number): void {
    const held = this.#find(chunk)
    if (held === undefined || held.state === 'reading') return
    held.acked.add(offset, offset + length)
    if (held.state === 'sent' && held.acked.size === held.length) {
      this.#release(held)
      if (held.isWantedAgain) this.#urgent.add(chunk, chunk + 1)
      this.#readAhead()
    }
  }

  onCredit(totalBytes: number): void {
    if (totalBytes > this.#creditTotal) this.#creditTotal = totalBytes
  }

  #find(chunk: number): HeldChunk | undefined {
    if (this.#last?.chunk !== chunk) this.#last = this.#held.get(chunk)
    return this.#last
  }

  #release(held: HeldChunk): void {
    this.#held.delete(held.chunk)
    this.#last = undefined
    this.#heldBytes -= held.length
    this.#pool.give(held.buffer)
  }

  #readAhead(): void {
    while (
      !this.#isStopped &&
      this.#aheadBytes < READ_AHEAD_BYTES &&
      this.#aheadChunks < READ_AHEAD_CHUNKS &&
      this.#heldBytes < HELD_BYTES_MAX
    ) {
      const queue = this.#urgent.isEmpty ? this.#todo : this.#urgent
      const chunk = queue.first
      if (chunk === undefined) return
      queue.remove(chunk, chunk + 1)
      const length = this.#plan.lengthOf(chunk)
      const held: HeldChunk = {
        chunk,
        length,
        buffer: this.#pool.take(length),
        hash: new Uint8Array(32),
        acked: new RangeSet(),
        state: 'reading',
        sentBytes: 0,
        isWantedAgain: false,
      }
      this.#held.set(chunk, held)
      this.#heldBytes += length
      this.#aheadBytes += length
      this.#aheadChunks += 1
      this.#io.readChunk(chunk, held.buffer, length)
    }
  }
}
