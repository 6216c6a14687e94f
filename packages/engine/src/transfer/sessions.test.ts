/** A sending and a receiving session joined by a perfect wire: what they say to each other, and what they report. */

import { equalBytes } from '@godwit/protocol/bytes'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CHUNK_REJECTIONS_MAX, CHUNK_SIZE_BYTES, CREDIT_WINDOW_BYTES } from '@godwit/protocol/limits'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Segment } from '../transport/types.js'
import { newCreditCounter } from './credit.js'
import type { BufferPool, ReceiverReport, SenderReport } from './ports.js'
import { ReceiverSession } from './receiverSession.js'
import { SenderSession } from './senderSession.js'

/** A stand-in for BLAKE3: the sum and the length, enough to tell damage. */
const sum = (bytes: Uint8Array): Uint8Array => {
  const hash = new Uint8Array(32)
  let total = bytes.length
  for (let i = 0; i < bytes.length; i += 97) total = (total * 31 + (bytes[i] ?? 0)) >>> 0
  new DataView(hash.buffer).setUint32(0, total)
  hash[31] = 1
  return hash
}

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

interface WorldOptions {
  readonly sizes: readonly number[]
  readonly held?: RangeSet
  /** Damages a chunk on the way to the disk, once. */
  readonly damagedChunk?: number
  /** Damages a chunk on the disk after it was written, once. */
  readonly rottenChunk?: number
  /** Damages a chunk on the way to the disk each time that it comes. */
  readonly hopelessChunk?: number
  /** The receiver was complete before this session. */
  readonly isComplete?: boolean
  /** Files that are gone when they are read for their hash. */
  readonly goneFiles?: readonly number[]
  /** Chunks whose file is found changed when they are read. */
  readonly changedAt?: readonly number[]
  /** Files that both sides know to be missing from an earlier session. */
  readonly missing?: readonly RangePair[]
  /** The receiver has lost that from its log. */
  readonly hasForgotten?: boolean
}

class World {
  readonly plan: ChunkPlan
  readonly files: Uint8Array[]
  readonly staged: Uint8Array[]
  readonly senderReports: SenderReport[] = []
  readonly receiverReports: ReceiverReport[] = []
  readonly senderPool = new CountingPool()
  readonly receiverPool = new CountingPool()
  readonly sender: SenderSession
  readonly receiver: ReceiverSession
  /** Outcomes of I/O that are due. */
  readonly due: (() => void)[] = []
  readonly toReceiver: Uint8Array[] = []
  readonly toSender: Uint8Array[] = []
  readonly dirty = new RangeSet()
  isFinalized = false
  finalized = 0
  missing: readonly RangePair[] = []
  readonly credit = newCreditCounter()
  readonly dropped = new RangeSet()
  readonly chunksRead = new RangeSet()
  chunksSent = 0
  #damaged: number | undefined
  #rotten: number | undefined

  constructor(options: WorldOptions) {
    this.#damaged = options.damagedChunk
    this.#rotten = options.rottenChunk
    this.plan = new ChunkPlan(options.sizes)
    this.files = options.sizes.map((size, file) => {
      const bytes = new Uint8Array(size)
      for (let i = 0; i < size; i++) bytes[i] = (i * 7 + file) & 255
      return bytes
    })
    this.staged = options.sizes.map((size) => new Uint8Array(size))
    for (const [first, count] of options.held?.toPairs() ?? []) {
      for (let chunk = first; chunk < first + count; chunk++)
        this.place(this.staged, chunk).set(this.place(this.files, chunk))
    }
    const stream = (queue: Uint8Array[]) => ({
      writeControl: (bytes: Uint8Array): number => {
        queue.push(bytes.slice(0, 100))
        return Math.min(100, bytes.length)
      },
    })
    this.sender = new SenderSession({
      plan: this.plan,
      manifest: Uint8Array.of(1, 2, 3),
      pool: this.senderPool,
      io: {
        readChunk: (chunk, buffer, length) =>
          this.due.push(() => {
            if (options.changedAt?.includes(chunk) === true) {
              this.sender.onReadFailed(this.plan.fileOf(chunk), chunk, { code: 'ERR_SOURCE_CHANGED' })
              return
            }
            this.chunksRead.add(chunk, chunk + 1)
            buffer.set(this.place(this.files, chunk))
            this.sender.onChunkRead(chunk, sum(buffer.subarray(0, length)))
          }),
        hashFile: (file) =>
          this.due.push(() => {
            if (options.goneFiles?.includes(file) === true)
              this.sender.onReadFailed(file, undefined, { code: 'ERR_SOURCE_CHANGED' })
            else this.sender.onFileHashed(file, sum(this.fileOf(this.files, file)), true)
          }),
      },
      stream: stream(this.toReceiver),
      knownHash: () => undefined,
      missing: options.missing && { files: options.missing, code: 'ERR_SOURCE_CHANGED' },
      report: (report) => this.senderReports.push(report),
    })
    this.receiver = new ReceiverSession({
      creditCounter: this.credit,
      pool: this.receiverPool,
      io: {
        writeChunk: (chunk, buffer, length, hash) =>
          this.due.push(() => {
            if (chunk === options.hopelessChunk) buffer[0] = (buffer[0] ?? 0) ^ 1
            if (chunk === this.#damaged) {
              this.#damaged = undefined
              buffer[0] = (buffer[0] ?? 0) ^ 1
            }
            const bytes = buffer.subarray(0, length)
            const isSound = sum(bytes).every((byte, i) => byte === hash[i])
            if (isSound) this.place(this.staged, chunk).set(bytes)
            if (isSound) this.dirty.add(chunk, chunk + 1)
            this.receiver.onChunkWritten(chunk, isSound ? 'written' : 'hashMismatch')
          }),
        checkpoint: () =>
          this.due.push(() => {
            const ranges = this.dirty.toPairs()
            this.dirty.clear()
            this.receiver.onCheckpoint(ranges)
          }),
        verifyFile: (file, hash) =>
          this.due.push(() => {
            const { first } = this.plan.chunksOfFile(file)
            if (this.#rotten !== undefined && this.plan.fileOf(this.#rotten) === file) {
              const rotten = this.#rotten
              this.#rotten = undefined
              this.receiver.onFileVerified(file, [[rotten, 1]])
              return
            }
            const isSound = sum(this.fileOf(this.staged, file)).every((byte, i) => byte === hash[i])
            this.receiver.onFileVerified(file, isSound ? [] : [[first, 1]])
          }),
        dropFiles: (files) => {
          for (const [first, count] of files) this.dropped.add(first, first + count)
        },
        finalize: (missing) =>
          this.due.push(() => {
            this.missing = missing
            this.finalized += 1
            this.isFinalized = true
            this.receiver.onFinalized()
          }),
      },
      stream: stream(this.toSender),
      grant: (total) => this.sender.source.onCredit(total),
      report: (report) => {
        if (report.type === 'offered' && options.isComplete === true) {
          this.receiver.announceCompletion(this.plan.totalBytes, 1500)
        } else
          this.onReceiverReport(
            report,
            options.held ?? new RangeSet(),
            options.hasForgotten === true ? [] : options.missing,
          )
      },
    })
  }

  get bytes(): number {
    return this.plan.totalBytes - this.plan.bytesOf(this.plan.chunksOfFiles(this.missing))
  }

  onReceiverReport(report: ReceiverReport, held: RangeSet, missing: readonly RangePair[] = []): void {
    this.receiverReports.push(report)
    if (report.type === 'offered') this.due.push(() => this.receiver.begin(this.plan, held, [], missing))
    if (report.type === 'checkpoint') this.due.push(() => this.receiver.confirmDurable(report.ranges))
    if (report.type === 'rejected') this.due.push(() => this.receiver.requestRetransmit(report.ranges, report.reason))
    if (report.type === 'finalized') {
      this.due.push(() => this.receiver.announceCompletion(this.bytes, 1500, this.missing))
    }
  }

  place(of: readonly Uint8Array[], chunk: number): Uint8Array {
    const { file, offset, length } = this.plan.locate(chunk)
    return this.fileOf(of, file).subarray(offset, offset + length)
  }

  fileOf(of: readonly Uint8Array[], file: number): Uint8Array {
    return of[file] ?? new Uint8Array()
  }

  /** Runs until nothing is left to do, with a bound. */
  run(): void {
    this.sender.onEstablished()
    const segment: Segment = { chunk: 0, offset: 0, length: 0 }
    for (let step = 0; step < 20_000; step++) {
      const act = this.due.shift()
      const control = this.toReceiver.shift()
      const answer = this.toSender.shift()
      act?.()
      if (control !== undefined) expect(this.receiver.onControl(control)).toBe(true)
      if (answer !== undefined) expect(this.sender.onControl(answer)).toBe(true)
      for (const report of this.senderReports.splice(0)) this.onSenderReport(report)
      this.sender.pump()
      this.receiver.pump()
      this.receiver.onTimeout(step * 100_000)
      const isSent = this.sender.source.next(100_000, segment)
      if (isSent) {
        const { chunk, offset, length } = segment
        const bytes = this.sender.source.bytesOf(chunk).slice(offset, offset + length)
        if (segment.offset === 0) {
          this.chunksSent += 1
          const hash = new Uint8Array(32)
          this.sender.source.copyHash(segment.chunk, hash, 0)
          this.receiver.onChunkHash(segment.chunk, hash)
        }
        expect(this.receiver.onChunkData(segment.chunk, segment.offset, bytes)).toBe(true)
        this.sender.source.onSegmentAcked(segment.chunk, segment.offset, segment.length)
      }
      if (act === undefined && control === undefined && answer === undefined && !isSent && step > 50) return
    }
    throw new Error('the sessions did not come to rest')
  }

  readonly seen: SenderReport[] = []
  onSenderReport(report: SenderReport): void {
    this.seen.push(report)
    if (report.type === 'retransmitRequested') this.sender.requeue(report.ranges, report.reason)
    if (report.type === 'filesFailed') this.due.push(() => this.sender.leaveOut(report.files, report.code))
    if (report.type === 'completed') this.sender.confirmCompletion()
  }

  /** All but these files have arrived, and both sides say so. */
  expectCompleteBut(missing: readonly RangePair[]): void {
    const set = new RangeSet()
    for (const [first, count] of missing) set.add(first, first + count)
    expect(this.finalized).toBe(1)
    expect(this.missing).toEqual(set.toPairs())
    expect(this.dropped.equals(set)).toBe(true)
    for (const [file, bytes] of this.staged.entries()) {
      if (!set.has(file)) expect(equalBytes(bytes, this.fileOf(this.files, file))).toBe(true)
    }
    const completed = { type: 'completed', bytes: this.bytes, seconds: 1.5, missing: set.toPairs() }
    expect(this.seen.at(-1)).toEqual(completed)
    expect(this.receiverReports.at(-1)).toEqual({ type: 'completionKnown' })
    // A chunk of a missing file may be under way when the others are complete: no more than one, here.
    expect(Atomics.load(this.credit, 0)).toBeLessThanOrEqual(CHUNK_SIZE_BYTES)
    expect(this.senderPool.out).toBeLessThanOrEqual(1)
    this.receiver.stop()
    expect(this.receiverPool.out).toBe(0)
  }

  expectComplete(): void {
    expect(this.isFinalized).toBe(true)
    expect(this.staged.every((bytes, file) => equalBytes(bytes, this.fileOf(this.files, file)))).toBe(true)
    expect(this.seen).toContainEqual({ type: 'completed', bytes: this.plan.totalBytes, seconds: 1.5, missing: [] })
    expect(this.receiverReports.at(-1)).toEqual({ type: 'completionKnown' })
    expect(this.senderPool.out).toBe(0)
    expect(this.receiverPool.out).toBe(0)
    const durable = new RangeSet()
    for (const report of this.seen) {
      if (report.type === 'durable') for (const [first, count] of report.ranges) durable.add(first, first + count)
    }
    expect(durable.size).toBe(this.plan.chunkCount)
  }
}

describe('a sending and a receiving session', () => {
  test.each([
    ['an empty file', [0]],
    ['one byte', [1]],
    ['one chunk and its neighbours', [CHUNK_SIZE_BYTES - 1, CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES + 1]],
    ['a mixture', [0, 5, 3 * CHUNK_SIZE_BYTES + 7, 0, 1]],
    ['nothing at all', []],
    ['many small files', Array.from({ length: 700 }, (_, i) => i % 40)],
  ])('carry %s', (_name, sizes) => {
    const world = new World({ sizes })
    world.run()
    world.expectComplete()
  })

  test('send only what the receiver does not hold', () => {
    const held = RangeSet.of(1, 4)
    const world = new World({ sizes: [6 * CHUNK_SIZE_BYTES], held })
    world.run()
    world.expectComplete()
    expect(world.chunksSent).toBe(3)
  })

  test('send a chunk again whose hash did not match', () => {
    const world = new World({ sizes: [4 * CHUNK_SIZE_BYTES], damagedChunk: 2 })
    world.run()
    world.expectComplete()
    expect(world.seen).toContainEqual({ type: 'retransmitRequested', ranges: [[2, 1]], reason: 'hashMismatch' })
  })

  test('send a chunk again that was damaged on the disk', () => {
    const world = new World({ sizes: [4 * CHUNK_SIZE_BYTES, 10], rottenChunk: 1 })
    world.run()
    world.expectComplete()
    expect(world.receiverReports).toContainEqual({ type: 'rejected', ranges: [[1, 1]], reason: 'stagingDamaged' })
  })

  test('move the credit window on for files larger than it', () => {
    const world = new World({ sizes: [CREDIT_WINDOW_BYTES + 3 * CHUNK_SIZE_BYTES] })
    world.run()
    world.expectComplete()
  })

  test('refuse data beyond the manifest and before it', () => {
    const world = new World({ sizes: [10] })
    expect(world.receiver.onChunkData(0, 0, new Uint8Array(1))).toBe(false)
    world.run()
    const late = new World({ sizes: [10] })
    late.sender.onEstablished()
    for (const bytes of late.toReceiver.splice(0)) late.receiver.onControl(bytes)
    for (const act of late.due.splice(0)) act()
    expect(late.receiver.onChunkData(1, 0, new Uint8Array(1))).toBe(false)
    expect(late.receiver.onChunkData(0, 8, new Uint8Array(3))).toBe(false)
  })

  test('give a chunk up that comes damaged again and again', () => {
    const world = new World({ sizes: [4 * CHUNK_SIZE_BYTES], hopelessChunk: 2 })
    world.run()
    expect(world.receiverReports.at(-1)).toMatchObject({ type: 'failed', failure: { code: 'ERR_INTEGRITY' } })
    expect(world.seen.at(-1)).toEqual({ type: 'peerFailed', failure: { code: 'ERR_INTEGRITY' } })
    const asked = world.receiverReports.filter(({ type }) => type === 'rejected')
    expect(asked).toHaveLength(CHUNK_REJECTIONS_MAX)
  })

  test('find out the hashes of a transfer that was complete before this session', () => {
    const world = new World({ sizes: [5, 2 * CHUNK_SIZE_BYTES, 0], isComplete: true })
    world.run()
    const hashed = world.seen.flatMap((report) => (report.type === 'fileHashed' ? [report.file] : []))
    expect(hashed).toEqual([0, 1, 2])
    expect(world.seen.at(-1)).toMatchObject({ type: 'completed' })
  })

  test('end a transfer that was complete although its sources are gone', () => {
    const world = new World({ sizes: [5, 2 * CHUNK_SIZE_BYTES, 7], isComplete: true, goneFiles: [0, 1, 2] })
    world.run()
    expect(world.seen.map(({ type }) => type)).toEqual(['durable', 'completed'])
    expect(world.receiverReports.at(-1)).toEqual({ type: 'completionKnown' })
  })

  test.each([
    ['the first file', [3 * CHUNK_SIZE_BYTES, 5, 2 * CHUNK_SIZE_BYTES], [1], [[0, 1]]],
    ['the last chunk of the last file', [5, 3 * CHUNK_SIZE_BYTES], [3], [[1, 1]]],
    ['a file amid empty ones', [0, 5, 0, 7, 0], [0], [[1, 1]]],
    ['the only file', [40 * CHUNK_SIZE_BYTES], [30], [[0, 1]]],
    ['every file', [5, 6, 7], [0, 1, 2], [[0, 3]]],
  ] as const)('leave %s out when it changes, and carry the others', (_name, sizes, changedAt, missing) => {
    const world = new World({ sizes, changedAt })
    world.run()
    world.expectCompleteBut(missing)
  })

  test('carry the others whichever files change wherever', () => {
    const chunks = fc.constantFrom(0, 1, 2, 5, 10)
    fc.assert(
      fc.property(fc.array(chunks, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(80)), (counts, changed) => {
        const sizes = counts.map((count) => count * CHUNK_SIZE_BYTES)
        const plan = new ChunkPlan(sizes)
        const changedAt = changed.filter((chunk) => chunk < plan.chunkCount)
        const world = new World({ sizes, changedAt })
        world.run()
        const missing = new RangeSet()
        for (const chunk of changedAt) missing.add(plan.fileOf(chunk), plan.fileOf(chunk) + 1)
        world.expectCompleteBut(missing.toPairs())
      }),
      { numRuns: 10 },
    )
  })

  test('say in few reports that a whole tree is gone', () => {
    const sizes = Array.from({ length: 700 }, () => 3)
    const world = new World({ sizes, changedAt: sizes.map((_, file) => file) })
    world.run()
    world.expectCompleteBut([[0, 700]])
    expect(world.seen.filter(({ type }) => type === 'filesFailed').length).toBeLessThan(100)
  })

  test.each([false, true])('read nothing of a file that was missing before (receiver forgot: %s)', (hasForgotten) => {
    const world = new World({ sizes: [2 * CHUNK_SIZE_BYTES, 9], missing: [[0, 1]], hasForgotten })
    world.run()
    world.expectCompleteBut([[0, 1]])
    expect(world.chunksRead.toPairs()).toEqual([[2, 1]])
  })

  test('leave a file out that changed before its hash was known, although all of it had arrived', () => {
    const world = new World({ sizes: [3 * CHUNK_SIZE_BYTES, 5], held: RangeSet.of(0, 2), goneFiles: [0] })
    world.run()
    world.expectCompleteBut([[0, 1]])
  })

  test('take what was under way when the sender failed for no violation', () => {
    const world = new World({ sizes: [2 * CHUNK_SIZE_BYTES] })
    world.sender.onEstablished()
    for (const bytes of world.toReceiver.splice(0)) world.receiver.onControl(bytes)
    for (const act of world.due.splice(0)) act()
    world.receiver.confirmDurable([[0, 1]])
    world.sender.fail({ code: 'ERR_SOURCE_CHANGED' })
    for (const bytes of world.toSender.splice(0)) expect(world.sender.onControl(bytes)).toBe(true)
  })

  test('tell each other why they fail', () => {
    const world = new World({ sizes: [10] })
    world.sender.onEstablished()
    world.sender.fail({ code: 'ERR_SOURCE_CHANGED' })
    for (const bytes of world.toReceiver.splice(0)) world.receiver.onControl(bytes)
    expect(world.receiverReports.at(-1)).toEqual({ type: 'peerFailed', failure: { code: 'ERR_SOURCE_CHANGED' } })
  })
})
