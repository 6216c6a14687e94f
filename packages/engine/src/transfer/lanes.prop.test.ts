/** Chunks shared out among lanes that lose segments and die: what arrives is what was sent, and every buffer comes back. */

import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CHUNK_SIZE_BYTES, CREDIT_WINDOW_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../testing/random.js'
import type { Segment } from '../transport/types.js'
import { ChunkSupply } from './chunkSupply.js'
import { CreditGate, CreditWindow, newCreditCounter } from './credit.js'
import { LaneSink } from './laneSink.js'
import { LaneSource } from './laneSource.js'
import type { BufferPool } from './ports.js'
import { SharedBits } from './sharedBits.js'

class CountingPool implements BufferPool {
  out = 0
  take(length: number): Uint8Array {
    this.out += 1
    return new Uint8Array(length)
  }
  give(): void {
    this.out -= 1
  }
}

const byteOf = (chunk: number): number => (chunk * 37 + 11) & 255

interface Lane {
  readonly source: LaneSource
  readonly sink: LaneSink
  readonly lost: Segment[]
}

class World {
  readonly plan: ChunkPlan
  readonly senderPool = new CountingPool()
  readonly receiverPool = new CountingPool()
  readonly held: SharedBits
  readonly counter = newCreditCounter()
  readonly supply: ChunkSupply
  readonly credit: CreditWindow
  readonly lanes: Lane[] = []
  readonly arrived = new Map<number, number>()
  readonly #random: SeededRandom
  readonly #reads: number[] = []
  readonly #writes: { chunk: number; length: number; first: number; release: () => void }[] = []

  constructor(seed: number, sizes: readonly number[], laneCount: number) {
    this.#random = new SeededRandom(seed)
    this.plan = new ChunkPlan(sizes)
    this.held = SharedBits.empty(this.plan.chunkCount)
    this.supply = new ChunkSupply(this.plan, this.senderPool, {
      readChunk: (chunk, buffer, length) => {
        buffer.fill(byteOf(chunk), 0, length)
        this.#reads.push(chunk)
      },
      hashFile: () => {},
    })
    this.credit = new CreditWindow(this.counter, (total) => this.supply.onCredit(total))
    for (let i = 0; i < laneCount; i++) this.addLane()
    this.supply.start(new RangeSet())
    this.credit.start()
  }

  addLane(): void {
    const sink: LaneSink = new LaneSink({
      plan: this.plan,
      pool: this.receiverPool,
      gate: new CreditGate(this.counter),
      isHeld: (chunk) => this.held.has(chunk),
      handOver: (chunk, buffer, length, hash) => {
        expect(hash.every((byte) => byte === byteOf(chunk))).toBe(true)
        this.#writes.push({ chunk, length, first: buffer[length - 1] ?? -1, release: () => sink.release(chunk) })
      },
    })
    this.lanes.push({ source: new LaneSource(this.supply), sink, lost: [] })
  }

  killLane(): void {
    const [lane] = this.lanes.splice(this.#random.below(this.lanes.length), 1)
    if (lane === undefined) return
    this.supply.onLaneLost(lane.source.underWay)
    lane.source.stop()
    for (const [start, end] of lane.sink.stop().ranges()) {
      for (let chunk = start; chunk < end; chunk++) this.credit.giveBack(Math.max(4096, this.plan.lengthOf(chunk)))
    }
    this.addLane()
  }

  /** One thing happens; false when there is nothing left to do. */
  step(lossRate: number): boolean {
    const read = this.#reads.splice(this.#random.below(this.#reads.length), 1)[0]
    if (read !== undefined) {
      this.supply.onChunkRead(read, new Uint8Array(32).fill(byteOf(read)))
      return true
    }
    if (this.#writes.length > 0 && this.#random.happens(0.3)) {
      const [write] = this.#writes.splice(this.#random.below(this.#writes.length), 1)
      if (write !== undefined) this.#onWritten(write.chunk, write.length, write.first, write.release)
      return true
    }
    // Whichever comes first, but each of them: one that has something left must not be passed over by chance.
    const first = this.#random.below(this.lanes.length)
    for (let next = 0; next < this.lanes.length; next++) {
      const lane = this.lanes[(first + next) % this.lanes.length]
      if (lane !== undefined && this.#send(lane, lossRate)) return true
    }
    const left = this.#writes.shift()
    if (left === undefined) return false
    this.#onWritten(left.chunk, left.length, left.first, left.release)
    return true
  }

  #onWritten(chunk: number, length: number, byte: number, release: () => void): void {
    release()
    this.credit.giveBack(Math.max(4096, length))
    // A chunk whose lane died after it was handed over comes twice.
    if (this.held.has(chunk)) return
    this.held.add(chunk, chunk + 1)
    this.arrived.set(chunk, byte)
  }

  #send(lane: Lane, lossRate: number): boolean {
    const segment: Segment = { chunk: 0, offset: 0, length: 0 }
    const again = lane.lost.shift()
    if (again !== undefined && lane.source.holds(again.chunk)) Object.assign(segment, again)
    else if (!lane.source.next(300_000, segment)) return false
    if (this.#random.happens(lossRate)) {
      lane.lost.push({ ...segment })
      return true
    }
    const { chunk, offset, length } = segment
    const bytes = lane.source.bytesOf(chunk).slice(offset, offset + length)
    if (offset === 0) {
      const hash = new Uint8Array(32)
      lane.source.copyHash(chunk, hash, 0)
      lane.sink.onChunkHash(chunk, hash)
    }
    expect(lane.sink.onChunkData(chunk, offset, bytes)).toBe(true)
    lane.source.onSegmentAcked(chunk, offset, length)
    return true
  }
}

describe('lanes', () => {
  test('bring every chunk once, whatever is lost and whichever of them dies', () => {
    const plan = fc.record({
      seed: fc.nat(),
      laneCount: fc.integer({ min: 1, max: 4 }),
      sizes: fc.array(fc.oneof(fc.nat(3000), fc.nat(3 * CHUNK_SIZE_BYTES)), { minLength: 1, maxLength: 12 }),
      lossRate: fc.double({ min: 0, max: 0.3, noNaN: true }),
      deaths: fc.array(fc.nat(120), { maxLength: 5 }),
    })
    fc.assert(
      fc.property(plan, ({ seed, laneCount, sizes, lossRate, deaths }) => {
        const world = new World(seed, sizes, laneCount)
        let steps = 0
        while (world.step(lossRate)) {
          steps += 1
          expect(steps).toBeLessThan(5000)
          if (deaths.includes(steps)) world.killLane()
          expect(new CreditGate(world.counter).usedBytes).toBeLessThanOrEqual(CREDIT_WINDOW_BYTES)
        }
        expect(world.arrived.size).toBe(world.plan.chunkCount)
        for (const [chunk, byte] of world.arrived) expect(byte).toBe(byteOf(chunk))
        expect(world.supply.isDrained).toBe(true)
        expect(new CreditGate(world.counter).usedBytes).toBe(0)
        expect(world.receiverPool.out).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('a sender beyond its credit is found out on any lane', () => {
    const counter = newCreditCounter()
    const gate = new CreditGate(counter)
    expect(gate.take(CREDIT_WINDOW_BYTES - 10)).toBe(true)
    expect(new CreditGate(counter).take(11)).toBe(false)
    expect(new CreditGate(counter).take(10)).toBe(true)
    gate.giveBack(CREDIT_WINDOW_BYTES)
    expect(() => gate.giveBack(1)).toThrow()
  })
})
