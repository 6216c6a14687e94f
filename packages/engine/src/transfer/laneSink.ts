/**
 * Puts chunks together from the bytes that the packets of one lane bring, in any order and perhaps twice: the receiving
 * connection's `ChunkSink`. A whole chunk is handed over to be verified and written; its buffer is this lane's again with
 * `release`.
 */
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CHUNK_BYTES_PER_GAP, CHUNK_GAPS_MIN } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import type { ChunkSink } from '../transport/types.js'
import { type CreditGate, creditOf } from './credit.js'
import type { BufferPool } from './ports.js'

interface Assembly {
  readonly chunk: number
  readonly length: number
  readonly buffer: Uint8Array
  readonly received: RangeSet
  readonly hash: Uint8Array
  isHashKnown: boolean
  isHandedOver: boolean
}

export interface LaneSinkOptions {
  readonly plan: ChunkPlan
  readonly pool: BufferPool
  readonly gate: CreditGate
  /** Whether a chunk need not come: it is verified and written. */
  readonly isHeld: (chunk: number) => boolean
  /** A chunk is whole: `buffer[0, length)` stays as it is until `release`. */
  readonly handOver: (chunk: number, buffer: Uint8Array, length: number, hash: Uint8Array) => void
}

export class LaneSink implements ChunkSink {
  readonly #options: LaneSinkOptions
  readonly #open = new Map<number, Assembly>()
  /** The chunk that was looked up last: nearly always the next one too. */
  #last: Assembly | undefined

  constructor(options: LaneSinkOptions) {
    this.#options = options
  }

  /** Chunks begun and not yet released: what is lost when the lane breaks. */
  partial(): RangeSet {
    const ranges = new RangeSet()
    for (const chunk of this.#open.keys()) ranges.add(chunk, chunk + 1)
    return ranges
  }

  onChunkHash(chunk: number, hash: Uint8Array): void {
    if (chunk >= this.#options.plan.chunkCount) return
    const assembly = this.#assemblyOf(chunk)
    if (assembly === undefined || assembly.isHashKnown) return
    assembly.hash.set(hash)
    assembly.isHashKnown = true
    this.#handOver(assembly)
  }

  onChunkData(chunk: number, offset: number, data: Uint8Array): boolean {
    const { plan, isHeld } = this.#options
    if (chunk >= plan.chunkCount || offset + data.length > plan.lengthOf(chunk)) return false
    const assembly = this.#assemblyOf(chunk)
    if (assembly === undefined) return isHeld(chunk)
    if (assembly.isHandedOver) return true
    // A sender cuts a chunk into packets; one that cuts it into crumbs is after our memory and our time.
    if (assembly.received.rangeCount > CHUNK_GAPS_MIN + assembly.length / CHUNK_BYTES_PER_GAP) return false
    assembly.buffer.set(data, offset)
    assembly.received.add(offset, offset + data.length)
    this.#handOver(assembly)
    return true
  }

  /** What was handed over has been dealt with: its buffer is free. The credit is given back by whoever wrote it. */
  release(chunk: number): void {
    const assembly = this.#open.get(chunk)
    if (assembly === undefined) return
    this.#forget(assembly)
    this.#options.pool.give(assembly.buffer)
  }

  /**
   * The lane ends. Buffers that were not handed over are free; the others follow by `release`.
   *
   * @returns the chunks that are lost; their credit is given back by the session.
   */
  stop(): RangeSet {
    const lost = new RangeSet()
    for (const [chunk, assembly] of this.#open) {
      if (assembly.isHandedOver) continue
      this.#forget(assembly)
      this.#options.pool.give(assembly.buffer)
      lost.add(chunk, chunk + 1)
    }
    return lost
  }

  #forget(assembly: Assembly): void {
    this.#open.delete(assembly.chunk)
    this.#last = undefined
  }

  #assemblyOf(chunk: number): Assembly | undefined {
    if (this.#last?.chunk === chunk) return this.#last
    const known = this.#open.get(chunk)
    if (known !== undefined) {
      this.#last = known
      return known
    }
    const { plan, pool, gate, isHeld } = this.#options
    if (isHeld(chunk)) return undefined
    const length = plan.lengthOf(chunk)
    // A sender that goes beyond its credit breaks the protocol: it is what bounds this side's memory.
    if (!gate.take(creditOf(length))) return undefined
    const assembly: Assembly = {
      chunk,
      length,
      buffer: pool.take(length),
      received: new RangeSet(),
      hash: new Uint8Array(32),
      isHashKnown: false,
      isHandedOver: false,
    }
    this.#open.set(chunk, assembly)
    this.#last = assembly
    return assembly
  }

  #handOver(assembly: Assembly): void {
    if (!assembly.isHashKnown || assembly.isHandedOver || assembly.received.size !== assembly.length) return
    assembly.isHandedOver = true
    this.#options.handOver(assembly.chunk, assembly.buffer, assembly.length, assembly.hash)
  }
}
