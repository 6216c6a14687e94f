/**
 * Puts chunks together from the bytes that packets bring, in any order and perhaps twice: the receiving connection's
 * `ChunkSink`. A whole chunk is handed over to be verified and written; its credit returns after that, so a slow disk
 * slows the sender and the memory stays bounded by the credit window.
 */
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CREDIT_WINDOW_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import type { ChunkSink } from '../transport/types.js'
import type { BufferPool, ReceiverIo } from './ports.js'
import { creditOf } from './sendScheduler.js'

interface Assembly {
  readonly chunk: number
  readonly length: number
  readonly buffer: Uint8Array
  readonly received: RangeSet
  readonly hash: Uint8Array
  isHashKnown: boolean
  isHandedOver: boolean
}

export class ReceiveAssembly implements ChunkSink {
  readonly #plan: ChunkPlan
  readonly #pool: BufferPool
  readonly #io: ReceiverIo
  readonly #grant: (totalBytes: number) => void
  readonly #open = new Map<number, Assembly>()
  /** Chunks that are verified and written (durable or not). */
  readonly #held: RangeSet
  /** Credit taken by chunks opened so far, and given out so far. */
  #usedBytes = 0
  #returnedBytes = 0
  #grantedBytes = 0

  /** @param held - chunks that need not come: verified and durable from earlier sessions; kept by this object. */
  constructor(plan: ChunkPlan, pool: BufferPool, io: ReceiverIo, held: RangeSet, grant: (totalBytes: number) => void) {
    this.#plan = plan
    this.#pool = pool
    this.#io = io
    this.#held = held
    this.#grant = grant
  }

  get held(): RangeSet {
    return this.#held
  }

  /** Bytes of chunk buffers in use. */
  get openCredit(): number {
    return this.#usedBytes - this.#returnedBytes
  }

  get isComplete(): boolean {
    return this.#held.size === this.#plan.chunkCount
  }

  /** Chunks begun and not yet verified: what is lost when the session breaks. */
  partial(): RangeSet {
    const ranges = new RangeSet()
    for (const chunk of this.#open.keys()) ranges.add(chunk, chunk + 1)
    return ranges
  }

  /** Lets the sender begin. */
  start(): void {
    this.#grantedBytes = CREDIT_WINDOW_BYTES
    this.#grant(this.#grantedBytes)
  }

  onChunkHash(chunk: number, hash: Uint8Array): void {
    if (chunk >= this.#plan.chunkCount || this.#held.has(chunk)) return
    const assembly = this.#assemblyOf(chunk)
    if (assembly === undefined || assembly.isHashKnown) return
    assembly.hash.set(hash)
    assembly.isHashKnown = true
    this.#handOver(assembly)
  }

  onChunkData(chunk: number, offset: number, data: Uint8Array): boolean {
    if (chunk >= this.#plan.chunkCount || offset + data.length > this.#plan.lengthOf(chunk)) return false
    if (this.#held.has(chunk)) return true
    const assembly = this.#assemblyOf(chunk)
    if (assembly === undefined) return false
    if (assembly.isHandedOver) return true
    assembly.buffer.set(data, offset)
    assembly.received.add(offset, offset + data.length)
    this.#handOver(assembly)
    return true
  }

  /** The outcome of `writeChunk`; false when the chunk has to come again. */
  onChunkWritten(chunk: number, isWritten: boolean): void {
    const assembly = this.#open.get(chunk)
    if (assembly === undefined) return
    this.#open.delete(chunk)
    this.#pool.give(assembly.buffer)
    if (isWritten) this.#held.add(chunk, chunk + 1)
    this.#returnedBytes += creditOf(assembly.length)
    this.#grantMore()
  }

  /** Forgets chunks that turned out to be damaged on the disk. */
  forget(start: number, end: number): void {
    this.#held.remove(start, end)
  }

  /** Gives all buffers back; those handed over are given back by their outcome. */
  stop(): void {
    for (const [chunk, assembly] of this.#open) {
      if (assembly.isHandedOver) continue
      this.#open.delete(chunk)
      this.#pool.give(assembly.buffer)
    }
  }

  #assemblyOf(chunk: number): Assembly | undefined {
    const known = this.#open.get(chunk)
    if (known !== undefined) return known
    const length = this.#plan.lengthOf(chunk)
    const cost = creditOf(length)
    // A sender that goes beyond its credit breaks the protocol: it is what bounds this side's memory.
    if (this.#usedBytes + cost > this.#grantedBytes) return undefined
    this.#usedBytes += cost
    const assembly: Assembly = {
      chunk,
      length,
      buffer: this.#pool.take(length),
      received: new RangeSet(),
      hash: new Uint8Array(32),
      isHashKnown: false,
      isHandedOver: false,
    }
    this.#open.set(chunk, assembly)
    return assembly
  }

  #handOver(assembly: Assembly): void {
    if (!assembly.isHashKnown || assembly.isHandedOver || assembly.received.size !== assembly.length) return
    assembly.isHandedOver = true
    this.#io.writeChunk(assembly.chunk, assembly.buffer, assembly.length, assembly.hash)
  }

  #grantMore(): void {
    const next = CREDIT_WINDOW_BYTES + this.#returnedBytes
    // An eighth at a time: often enough that the sender never waits, seldom enough to cost nothing.
    if (next - this.#grantedBytes < CREDIT_WINDOW_BYTES / 8) return
    this.#grantedBytes = next
    this.#grant(next)
  }
}
