/**
 * A lane beside the first one of its session: a socket, a connection with keys of its own, and nothing else. It sends the
 * chunks that the first lane hands to it, or puts chunks together and hands them over. What is said on the control stream,
 * the disk and the transfer's life are the first lane's.
 */
import type { MessagePort } from 'node:worker_threads'
import { CreditGate } from '@godwit/engine/transfer/credit'
import { LaneSink } from '@godwit/engine/transfer/laneSink'
import { type ChunkFeed, LaneSource, type ReadyChunk } from '@godwit/engine/transfer/laneSource'
import type { BufferPool } from '@godwit/engine/transfer/ports'
import { SharedBits } from '@godwit/engine/transfer/sharedBits'
import type { ChunkSink, ChunkSource, CloseCode } from '@godwit/engine/transport/types'
import { assert } from '@godwit/protocol/assert'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import type { EndCause, LaneLoop, LaneOwner } from './laneLoop.js'
import type { LaneReport, SessionParameters } from './messages.js'
import { type FromSideLane, type LaneCounters, NO_COUNTERS, type ToSideLane } from './sideMessages.js'

/** Chunks that wait here to be sent: enough to hide the way to the first lane and back. */
const PREFETCHED_CHUNKS = 2

/** The message without the counters, which every message carries. */
type Said = FromSideLane extends infer M ? (M extends FromSideLane ? Omit<M, 'counters'> : never) : never

export class SideLane implements LaneOwner {
  readonly #key: string
  readonly #loop: LaneLoop
  readonly #pool: BufferPool
  readonly #post: (report: LaneReport) => void
  readonly #onOver: () => void
  #port: MessagePort | undefined
  #source: LaneSource | undefined
  #sink: LaneSink | undefined
  readonly #waiting: ReadyChunk[] = []

  constructor(key: string, loop: LaneLoop, pool: BufferPool, post: (report: LaneReport) => void, onOver: () => void) {
    this.#key = key
    this.#loop = loop
    this.#pool = pool
    this.#post = post
    this.#onOver = onOver
  }

  /** @param port - leads to the first lane; when it closes, this lane ends. */
  start(session: SessionParameters, role: 'sender' | 'receiver', port: MessagePort): void {
    this.#port = port
    port.on('message', (message: ToSideLane) => {
      if (message.type === 'begin') this.#startReceiver(session, message.manifest, message.held, message.credit)
      else if (message.type === 'chunk') this.#onChunk(message.chunk)
      else this.#sink?.release(message.chunk)
    })
    port.on('close', () => this.close('done'))
    if (role === 'sender') this.#startSender(session)
  }

  close(code: CloseCode): void {
    if (this.#loop.isEnded) return
    const isStarted = this.#loop.isStarted
    this.#loop.close(code)
    // A lane that has not started has nobody to tell.
    if (!isStarted) this.onEnded('closedByUs', code)
  }

  setLimit(limit: number | null): void {
    this.#loop.setLimit(limit)
  }

  // LaneOwner

  readonly hasSaidAll = true

  onPath(_pathId: number, isFirst: boolean): void {
    if (!isFirst) return
    this.#post({
      type: 'established',
      key: this.#key,
      path: this.#loop.pathKind,
      family: 'ipv4',
      mtu: this.#loop.stats?.datagramBytes ?? 0,
      trains: this.#loop.hasTrains,
    })
  }

  onControl(): boolean {
    // The control stream is the first lane's: nothing is said here.
    return false
  }

  onShapeChanged(): void {}

  pump(): void {}

  pollTimeout(): number {
    return Number.POSITIVE_INFINITY
  }

  onEnded(cause: EndCause, code: CloseCode | null): void {
    const waiting = this.#waiting.splice(0).map(({ chunk }) => chunk)
    const sending = this.#source?.underWay ?? []
    const receiving = [...(this.#sink?.stop().ranges() ?? [])].flatMap(([start, end]) =>
      Array.from({ length: end - start }, (_, i) => start + i),
    )
    this.#source?.stop()
    this.#say({ type: 'ended', chunks: [...sending, ...waiting, ...receiving] })
    this.#port?.close()
    this.#post({
      type: 'ended',
      key: this.#key,
      cause,
      code,
      partial: [],
      wasEstablished: false,
      datagramsReceived: this.#loop.datagramsReceived,
    })
    this.#onOver()
  }

  #startSender(session: SessionParameters): void {
    const feed: ChunkFeed = {
      take: () => {
        const next = this.#waiting.shift()
        if (next !== undefined) this.#say({ type: 'wanted' })
        return next
      },
      onChunkAcked: (chunk) => this.#say({ type: 'acked', chunk }),
      // The receiver grants its credit on the first lane only.
      onCredit: () => {},
    }
    this.#source = new LaneSource(feed)
    this.#start(session, 'sender', this.#source)
    for (let i = 0; i < PREFETCHED_CHUNKS; i++) this.#say({ type: 'wanted' })
  }

  #startReceiver(session: SessionParameters, manifest: Uint8Array, held: Int32Array, credit: Int32Array): void {
    const decoded = decodeManifest(manifest)
    assert(decoded.ok, 'the manifest was decoded before it was accepted')
    const bits = SharedBits.of(held)
    this.#sink = new LaneSink({
      plan: ChunkPlan.of(decoded.value),
      pool: this.#pool,
      gate: new CreditGate(credit),
      isHeld: (chunk) => bits.has(chunk),
      handOver: (chunk, buffer, length, hash) => this.#say({ type: 'whole', chunk: { chunk, buffer, length, hash } }),
    })
    this.#start(session, 'receiver', this.#sink)
  }

  #start(session: SessionParameters, role: 'sender' | 'receiver', data: ChunkSource | ChunkSink): void {
    this.#loop.start(session, role, data, this)
  }

  #onChunk(chunk: ReadyChunk): void {
    if (this.#loop.isEnded) return
    this.#waiting.push(chunk)
    this.#loop.wake()
  }

  #say(message: Said): void {
    this.#port?.postMessage({ ...message, counters: this.#counters() })
  }

  #counters(): LaneCounters {
    const stats = this.#loop.stats
    if (stats === undefined) return NO_COUNTERS
    const { packetsLost, bytesRetransmitted, packetsCorrupted } = stats
    return { packetsLost, bytesRetransmitted, packetsCorrupted }
  }
}
