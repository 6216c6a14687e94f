/**
 * A whole transfer in virtual time: the production sessions over the production transport, a lossy link, a receiver's
 * disk that forgets what was not synced, and its log. Either side may be killed at any moment and comes back with what
 * is durable; the next generation of sessions goes on from there.
 *
 * What must hold is checked as it happens: the log never claims what the disk does not hold.
 */

import { assert } from '@godwit/protocol/assert'
import { equalBytes } from '@godwit/protocol/bytes'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { newCreditCounter } from '../transfer/credit.js'
import type { BufferPool, ReceiverReport, SenderReport } from '../transfer/ports.js'
import { ReceiverSession } from '../transfer/receiverSession.js'
import { SenderSession } from '../transfer/senderSession.js'
import { Pair } from './pair.js'
import { SeededRandom } from './random.js'
import type { LinkOptions } from './virtualLink.js'

/** Largest delays of the disks and of the log, microseconds. */
const READ_US = 2000
const WRITE_US = 4000
const SYNC_US = 20_000
const APPEND_US = 5000
/** Probability that a write comes out damaged, and that a chunk rots on the disk before it is verified. */
const DAMAGE = 0.02

/** A hash for the simulator: FNV-1a over every 61st byte and the length. */
const hashOf = (bytes: Uint8Array): Uint8Array => {
  let state = 0x811c9dc5 ^ bytes.length
  for (let i = 0; i < bytes.length; i += 61) state = Math.imul(state ^ (bytes[i] ?? 0), 0x01000193) >>> 0
  const hash = new Uint8Array(32)
  new DataView(hash.buffer).setUint32(0, state)
  hash[31] = 1
  return hash
}

const PLAIN_POOL: BufferPool = { take: (length) => new Uint8Array(length), give: () => {} }

/** Runs `act` within `maxUs`, in any order. */
type Later = (maxUs: number, act: () => void) => void
/** Runs `act` when the log has taken what led to it. */
type Append = (act: () => void) => void

export interface TransferWorldOptions {
  readonly seed: number
  readonly sizes: readonly number[]
  readonly link: Partial<LinkOptions>
}

export class TransferWorld {
  readonly plan: ChunkPlan
  readonly source: readonly Uint8Array[]
  readonly #options: TransferWorldOptions
  readonly #random: SeededRandom
  /** What the receiver's disk holds after a power cut, and what it holds now. */
  #durable = new Map<number, Uint8Array>()
  #written = new Map<number, Uint8Array>()
  /** Chunks that the receiver's log claims, and those that the sender's does. */
  readonly receiverLog = new RangeSet()
  readonly senderLog = new RangeSet()
  /** Chunks whose first byte was sent, counting each time. */
  chunksSent = 0
  generations = 0
  /** Everything that the receiver's log ever claimed: what rots on the disk later was true once. */
  readonly #everRecorded = new RangeSet()
  isFinalized = false
  isCompletionKnown = false

  constructor(options: TransferWorldOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.plan = new ChunkPlan(options.sizes)
    this.source = options.sizes.map((size, file) => {
      const bytes = new Uint8Array(size)
      for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) + file) & 255
      return bytes
    })
  }

  get isComplete(): boolean {
    return this.isFinalized && this.isCompletionKnown
  }

  /** Bytes of a file as the receiver's disk holds them. */
  received(file: number): Uint8Array {
    const bytes = new Uint8Array(this.plan.sizeOf(file))
    const { first, count } = this.plan.chunksOfFile(file)
    for (let chunk = first; chunk < first + count; chunk++) {
      bytes.set(this.#written.get(chunk) ?? new Uint8Array(), this.plan.offsetOf(chunk))
    }
    return bytes
  }

  /** A power cut at the receiver: what was not synced survives by chance. */
  crashReceiver(): void {
    const survivors = new Map(this.#durable)
    for (const [chunk, bytes] of this.#written) if (this.#random.happens(0.5)) survivors.set(chunk, bytes)
    this.#written = survivors
    this.#durable = new Map(survivors)
  }

  /** Runs one generation of sessions until it is complete or `lifeUs` is over. Returns whether it is complete. */
  run(lifeUs: number): boolean {
    this.generations += 1
    let isAlive = true
    const pairSeed = this.#options.seed * 1000 + this.generations
    const at = (atUs: number, act: () => void): void =>
      pair.at(atUs, () => {
        if (!isAlive) return
        receiver.setNow(pair.nowUs)
        act()
        sender.pump()
        receiver.pump()
        pair.first.connection.wake()
      })
    const later: Later = (maxUs, act) => at(pair.nowUs + 1 + this.#random.below(maxUs), act)
    // A log takes one event after the other: what follows from them keeps their order.
    const appender = (): Append => {
      let freeAtUs = 0
      return (act) => {
        freeAtUs = Math.max(freeAtUs, pair.nowUs) + 1 + this.#random.below(APPEND_US)
        at(freeAtUs, act)
      }
    }
    const sender = this.#sender(later, appender(), () => pair)
    const receiver = this.#receiver(later, appender(), () => pair)
    const pair: Pair = new Pair({
      seed: pairSeed,
      link: this.#options.link,
      first: { source: sender.source },
      second: { sink: receiver },
    })
    // The checkpoint timer, at the coarse pace of an operating system.
    const tick = (): void => {
      if (!isAlive) return
      receiver.onTimeout(pair.nowUs)
      sender.pump()
      receiver.pump()
      pair.at(pair.nowUs + 10_000, tick)
    }
    pair.at(0, tick)
    const isDone = pair.run(() => {
      if (pair.first.has('established')) sender.onEstablished()
      for (const bytes of pair.second.controlChunks.splice(0)) assert(receiver.onControl(bytes), 'S→R makes sense')
      for (const bytes of pair.first.controlChunks.splice(0)) assert(sender.onControl(bytes), 'R→S makes sense')
      assert(!pair.first.has('closed') && !pair.second.has('closed'), 'nobody breaks the protocol')
      return this.isComplete
    }, lifeUs)
    isAlive = false
    sender.stop()
    receiver.stop()
    return isDone
  }

  #chunk(of: Uint8Array, chunk: number): Uint8Array {
    const offset = this.plan.offsetOf(chunk)
    return of.subarray(offset, offset + this.plan.lengthOf(chunk))
  }

  #sourceChunk(chunk: number): Uint8Array {
    return this.#chunk(this.source[this.plan.fileOf(chunk)] ?? new Uint8Array(), chunk)
  }

  #sender(later: Later, append: Append, pair: () => Pair): SenderSession {
    const session: SenderSession = new SenderSession({
      plan: this.plan,
      manifest: Uint8Array.of(7),
      pool: PLAIN_POOL,
      stream: { writeControl: (bytes) => pair().first.connection.writeControl(bytes) },
      knownHash: () => undefined,
      io: {
        readChunk: (chunk, buffer) =>
          later(READ_US, () => {
            const bytes = this.#sourceChunk(chunk)
            buffer.set(bytes)
            this.chunksSent += 1
            session.onChunkRead(chunk, hashOf(bytes))
          }),
        hashFile: (file) =>
          later(READ_US, () => session.onFileHashed(file, hashOf(this.source[file] ?? new Uint8Array()), true)),
      },
      report: (report: SenderReport) => {
        if (report.type === 'durable') {
          for (const [first, count] of report.ranges) {
            this.senderLog.add(first, first + count)
            assert(this.#everRecorded.contains(first, first + count), 'the sender counts only what was recorded')
          }
        }
        if (report.type === 'retransmitRequested') append(() => session.requeue(report.ranges, report.reason))
        if (report.type === 'completed') append(() => session.confirmCompletion())
      },
    })
    return session
  }

  #receiver(later: Later, append: Append, pair: () => Pair): ReceiverSession {
    let unsynced: number[] = []
    const session: ReceiverSession = new ReceiverSession({
      creditCounter: newCreditCounter(),
      pool: PLAIN_POOL,
      stream: { writeControl: (bytes) => pair().second.connection.writeControl(bytes) },
      grant: (total) => pair().second.connection.grantCredit(total),
      io: {
        writeChunk: (chunk, buffer, length, hash) =>
          later(WRITE_US, () => {
            const bytes = buffer.slice(0, length)
            if (this.#random.happens(DAMAGE)) bytes[0] = (bytes[0] ?? 0) ^ 1
            const isSound = equalBytes(hashOf(bytes), hash)
            if (isSound) {
              this.#written.set(chunk, bytes)
              unsynced.push(chunk)
            }
            session.onChunkWritten(chunk, isSound ? 'written' : 'hashMismatch')
          }),
        checkpoint: () => {
          const chunks = unsynced
          unsynced = []
          later(SYNC_US, () => {
            const ranges = new RangeSet()
            for (const chunk of chunks) {
              this.#durable.set(chunk, this.#written.get(chunk) ?? new Uint8Array())
              ranges.add(chunk, chunk + 1)
            }
            session.onCheckpoint(ranges.toPairs())
          })
        },
        verifyFile: (file, hash) =>
          later(SYNC_US, () => {
            const { first, count } = this.plan.chunksOfFile(file)
            if (count > 0 && this.#random.happens(DAMAGE)) {
              const rotten = first + this.#random.below(count)
              this.#written.delete(rotten)
              this.#durable.delete(rotten)
              this.receiverLog.remove(rotten, rotten + 1)
              session.onFileVerified(file, [[rotten, 1]])
              return
            }
            assert(equalBytes(hashOf(this.received(file)), hash), 'what is durable is what was sent')
            session.onFileVerified(file, [])
          }),
        dropFiles: () => {},
        finalize: () =>
          later(SYNC_US, () => {
            this.isFinalized = true
            session.onFinalized()
          }),
      },
      report: (report: ReceiverReport) => this.#onReceiverReport(report, session, append),
    })
    return session
  }

  #onReceiverReport(report: ReceiverReport, session: ReceiverSession, append: Append): void {
    switch (report.type) {
      case 'offered':
        if (this.isFinalized) append(() => session.announceCompletion(this.plan.totalBytes, 1))
        else append(() => session.begin(this.plan, this.#reconcile(), []))
        return
      case 'checkpoint':
        for (const [first, count] of report.ranges) {
          for (let chunk = first; chunk < first + count; chunk++) {
            assert(this.#durable.has(chunk), 'the log never claims what the disk does not hold')
          }
          this.receiverLog.add(first, first + count)
          this.#everRecorded.add(first, first + count)
        }
        append(() => session.confirmDurable(report.ranges))
        return
      case 'rejected':
        append(() => session.requestRetransmit(report.ranges, report.reason))
        return
      case 'finalized':
        append(() => session.announceCompletion(this.plan.totalBytes, 1))
        return
      case 'completionKnown':
        this.isCompletionKnown = true
        return
      default:
        return
    }
  }

  /** What a node does when it comes back: hashing what the disk holds; the log is brought to it. */
  #reconcile(): RangeSet {
    const held = new RangeSet()
    for (const [chunk, bytes] of this.#written) {
      if (!equalBytes(bytes, this.#sourceChunk(chunk))) continue
      held.add(chunk, chunk + 1)
      this.#durable.set(chunk, bytes)
    }
    this.receiverLog.clear()
    this.receiverLog.addAll(held)
    this.#everRecorded.addAll(held)
    return held
  }
}
