/**
 * Which chunk goes next, and the buffers of those under way: what the lanes of a sending session take their chunks from.
 *
 * A chunk waits in `todo`, is read ahead into a buffer, is taken by a lane within the receiver's credit, and is held until
 * that lane's transport has every byte of it acknowledged. Whether it is durable at the receiver is not known here: the
 * session above follows that.
 */
import { assert } from '@godwit/protocol/assert'
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { creditOf } from './credit.js'
import type { ChunkFeed, ReadyChunk } from './laneSource.js'
import type { BufferPool, SenderIo } from './ports.js'

/** Bytes read ahead of what is being sent: enough to hide a disk's latency, few enough to stay in the cache. */
const READ_AHEAD_BYTES = 8 * 1024 * 1024
/** Chunks being read or ready: it bounds the reads under way for a tree of tiny files. */
const READ_AHEAD_CHUNKS = 256
/** Bytes of all buffers held, sent and not yet acknowledged ones included. */
const HELD_BYTES_MAX = 128 * 1024 * 1024

interface HeldChunk extends ReadyChunk {
  state: 'reading' | 'ready' | 'taken'
  /** The receiver dropped it: it goes again once its lane has done with it. */
  isWantedAgain: boolean
}

export class ChunkSupply implements ChunkFeed {
  readonly #plan: ChunkPlan
  readonly #pool: BufferPool
  readonly #io: SenderIo
  readonly #held = new Map<number, HeldChunk>()
  /** Chunks that wait to be read, lowest first. */
  #todo = new RangeSet()
  /** Chunks that the receiver asked for again: before all others. */
  #urgent = new RangeSet()
  /** Read and not yet taken, in the order of reading. */
  readonly #ready: HeldChunk[] = []
  #heldBytes = 0
  #aheadBytes = 0
  #aheadChunks = 0
  #creditTotal = 0
  #creditUsed = 0
  /** Chunks of files that cannot be delivered: nothing of them is read or handed out any more. */
  readonly #leftOut = new RangeSet()
  #isStopped = false

  constructor(plan: ChunkPlan, pool: BufferPool, io: SenderIo) {
    this.#plan = plan
    this.#pool = pool
    this.#io = io
  }

  /** Whether nothing waits and nothing is held for retransmission. */
  get isDrained(): boolean {
    return this.#todo.isEmpty && this.#urgent.isEmpty && this.#held.size === 0
  }

  /** Whether every chunk that was asked for has been read. */
  get isAllRead(): boolean {
    return this.#todo.isEmpty && this.#urgent.isEmpty && this.#aheadChunks === 0
  }

  /** Whether a chunk can be taken now. */
  get hasReady(): boolean {
    return this.#nextReady() !== undefined
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Begins with everything but `done`. */
  start(done: RangeSet): void {
    this.#todo = RangeSet.of(0, this.#plan.chunkCount)
    this.#todo.removeAll(done)
    this.#todo.removeAll(this.#leftOut)
    this.#readAhead()
  }

  /**
   * Sends chunks before all others.
   *
   * @param wasDropped - whether the receiver had them whole in this session and dropped them: then they go once more.
   * Without it they are what was under way when an earlier session broke, and only those that have not begun in this one
   * are meant: to send a chunk twice that is not dropped would use credit that never returns.
   */
  requeue(start: number, end: number, wasDropped: boolean): void {
    for (let chunk = start; chunk < Math.min(end, this.#plan.chunkCount); chunk++) {
      if (this.#leftOut.has(chunk)) continue
      const held = this.#held.get(chunk)
      if (held !== undefined) {
        // It was whole over there, so every byte of it has left here; only the acknowledgement is still on its way.
        if (wasDropped && held.state === 'taken') held.isWantedAgain = true
        continue
      }
      const isWaiting = this.#todo.remove(chunk, chunk + 1) > 0
      if (isWaiting || wasDropped) this.#urgent.add(chunk, chunk + 1)
    }
    this.#readAhead()
  }

  /** Takes chunks that the receiver turned out to hold out of the queue. */
  drop(start: number, end: number): void {
    this.#todo.remove(start, end)
    this.#urgent.remove(start, end)
  }

  /**
   * Gives chunks up. Those that lanes have taken were read before and go out whole, since the receiver's credit for them
   * returns only when they are.
   */
  leaveOut(start: number, end: number): void {
    this.#leftOut.add(start, end)
    this.drop(start, end)
    const ready = this.#ready.splice(0)
    for (const held of ready) {
      if (this.#leftOut.has(held.chunk)) this.#abandon(held)
      else this.#ready.push(held)
    }
    this.#readAhead()
  }

  /** Hands out nothing more. Buffers that lanes have taken are left to them. */
  stop(): void {
    this.#isStopped = true
    this.#todo = new RangeSet()
    this.#urgent = new RangeSet()
    for (const held of this.#ready.splice(0)) this.#pool.give(held.buffer)
    for (const [chunk, held] of this.#held) if (held.state !== 'reading') this.#held.delete(chunk)
  }

  onChunkRead(chunk: number, hash: Uint8Array): void {
    const held = this.#held.get(chunk)
    assert(held !== undefined && held.state === 'reading', 'a chunk was read that nobody asked for')
    if (this.#isStopped) {
      this.#release(held)
      return
    }
    if (this.#leftOut.has(chunk)) {
      this.#abandon(held)
      this.#readAhead()
      return
    }
    held.hash.set(hash)
    held.state = 'ready'
    this.#ready.push(held)
  }

  onReadFailed(chunk: number): void {
    const held = this.#held.get(chunk)
    if (held === undefined) return
    this.#abandon(held)
  }

  // ChunkFeed

  take(): ReadyChunk | undefined {
    const next = this.#nextReady()
    if (next === undefined) return undefined
    this.#creditUsed += creditOf(next.length)
    this.#ready.shift()
    this.#aheadBytes -= next.length
    this.#aheadChunks -= 1
    next.state = 'taken'
    this.#readAhead()
    return next
  }

  onChunkAcked(chunk: number): void {
    const held = this.#held.get(chunk)
    if (held === undefined || held.state !== 'taken') return
    this.#release(held)
    if (held.isWantedAgain && !this.#leftOut.has(chunk)) this.#urgent.add(chunk, chunk + 1)
    this.#readAhead()
  }

  onCredit(totalBytes: number): void {
    if (totalBytes > this.#creditTotal) this.#creditTotal = totalBytes
  }

  /** The lane that had taken these chunks is gone, and their buffers with it: they go again. */
  onLaneLost(chunks: Iterable<number>): void {
    for (const chunk of chunks) {
      const held = this.#held.get(chunk)
      if (held === undefined || held.state !== 'taken') continue
      this.#held.delete(chunk)
      this.#heldBytes -= held.length
      if (!this.#leftOut.has(chunk)) this.#urgent.add(chunk, chunk + 1)
    }
    if (!this.#isStopped) this.#readAhead()
  }

  /** The first that was read, if the receiver's credit reaches for it. */
  #nextReady(): HeldChunk | undefined {
    const next = this.#ready[0]
    if (next === undefined || this.#creditUsed + creditOf(next.length) > this.#creditTotal) return undefined
    return next
  }

  /** One that was read ahead, or is about to be, and does not go. */
  #abandon(held: HeldChunk): void {
    this.#aheadBytes -= held.length
    this.#aheadChunks -= 1
    this.#release(held)
  }

  #release(held: HeldChunk): void {
    this.#held.delete(held.chunk)
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
      const buffer = this.#pool.take(length)
      const hash = new Uint8Array(32)
      this.#held.set(chunk, { chunk, length, buffer, hash, state: 'reading', isWantedAgain: false })
      this.#heldBytes += length
      this.#aheadBytes += length
      this.#aheadChunks += 1
      this.#io.readChunk(chunk, buffer, length)
    }
  }
}
