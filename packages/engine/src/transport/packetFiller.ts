/**
 * What goes into the next packet: acknowledgements, grants, control bytes, and segments of chunks, lost ones first. It
 * is also told what became of all that (`RecordListener`), and puts what was lost back into its place.
 *
 * When a packet may leave is decided by `connection.ts`.
 */
import {
  chunkDataHeaderBytes,
  chunkHashBytes,
  controlHeaderBytes,
  FRAME_MAX_CONTROL,
  FRAME_MAX_CREDIT,
  FRAME_PING,
  HASH_BYTES,
  writeAckFrequency,
  writeChunkDataHeader,
  writeChunkHashHeader,
  writeControlHeader,
  writeNumberFrame,
} from '@godwit/protocol/frames'
import { TRAIN_MAX_PACKETS } from '@godwit/protocol/limits'
import { BODY_FIELDS, BODY_SOURCES, type TrainBodies } from '../ports/packetProtection.js'
import { AckFrequency } from './ackFrequency.js'
import { AckTracker } from './ackTracker.js'
import { ControlReceiver, type ControlSegment, ControlSender } from './controlStream.js'
import { SegmentQueue } from './segmentQueue.js'
import {
  RECORD_ACK_FREQUENCY,
  RECORD_CHUNK_DATA,
  RECORD_CONTROL,
  RECORD_MAX_CONTROL,
  RECORD_MAX_CREDIT,
  RECORDS_PER_PACKET_MAX,
  type RecordListener,
  type SentPackets,
} from './sentPackets.js'
import type { ChunkSource, Segment } from './types.js'

/** A frame of control or chunk bytes is not begun in less room than this. */
const FRAME_ROOM_MIN_BYTES = 32
/** The largest MAX_CREDIT, MAX_CONTROL, PING and ACK_FREQUENCY together. */
const SMALL_FRAMES_MAX_BYTES = 9 + 9 + 1 + 25

export class PacketFiller implements RecordListener {
  readonly acks = new AckTracker()
  readonly ackFrequency = new AckFrequency()
  readonly controlSender: ControlSender
  readonly controlReceiver: ControlReceiver
  readonly #source: ChunkSource | undefined
  readonly #lost: SegmentQueue
  readonly #control: ControlSegment = { offset: 0, length: 0 }
  readonly #segment: Segment = { chunk: 0, offset: 0, length: 0 }
  /** Bytes taken from the source and not yet sent; length 0 for none. */
  readonly #fresh: Segment = { chunk: 0, offset: 0, length: 0 }
  readonly #freshBytes: number
  #isSourceDry = false
  #credit = 0
  #isCreditPending = false
  #isPingPending = false

  /** Set by the recovery's owner, since each needs the other. */
  packets: SentPackets | undefined
  /** Chunk bytes of the train that is being built, which are not copied into it but sealed from where they are. */
  readonly bodies: TrainBodies = {
    table: new Uint32Array(TRAIN_MAX_PACKETS * BODY_FIELDS),
    sources: Array<Uint8Array>(BODY_SOURCES).fill(new Uint8Array(0)),
  }
  /** Packets of the train so far, and sources of its bodies. */
  #trainPackets = 0
  #sources = 0
  /** Whether the last packet that was filled is ack-eliciting. */
  isAckEliciting = false
  bytesRetransmitted = 0

  /** @param freshBytes - bytes that are asked of the source at once: one train's. */
  constructor(
    source: ChunkSource | undefined,
    controlWindowBytes: number,
    inFlightMaxPackets: number,
    freshBytes: number,
  ) {
    this.#source = source
    this.controlSender = new ControlSender(controlWindowBytes)
    this.controlReceiver = new ControlReceiver(controlWindowBytes)
    this.#lost = new SegmentQueue(8 * inFlightMaxPackets)
    this.#freshBytes = freshBytes
    this.#isSourceDry = source === undefined
  }

  /** Entries of the queue of lost segments: for the bound on memory. */
  get lostCapacity(): number {
    return this.#lost.capacity
  }

  wake(): void {
    this.#isSourceDry = this.#source === undefined
  }

  ping(): void {
    this.#isPingPending = true
  }

  /** The bytes of chunks that the peer may send in total; only ever grows. */
  grantCredit(total: number): void {
    if (total <= this.#credit) return
    this.#credit = total
    this.#isCreditPending = true
  }

  /** Whether something ack-eliciting waits to be sent. May ask the source. */
  hasWork(): boolean {
    return (
      this.#isPingPending ||
      this.#isCreditPending ||
      this.controlReceiver.isGrantPending ||
      this.ackFrequency.isPending ||
      this.controlSender.hasSegment ||
      this.#hasChunkData()
    )
  }

  /** A train begins: at its first packet. */
  startTrain(): void {
    this.#trainPackets = 0
    this.#sources = 0
    this.bodies.table.fill(0)
  }

  /**
   * Fills `target[at, end)`, the next packet of the train, and returns the position behind the last frame; `at` where there was nothing to say.
   *
   * @param mayElicit - whether ack-eliciting frames may leave now; acknowledgements always may.
   */
  fill(nowUs: number, target: Uint8Array, at: number, end: number, mayElicit: boolean): number {
    this.isAckEliciting = false
    const row = this.#trainPackets * BODY_FIELDS
    this.#trainPackets += 1
    at = this.acks.write(nowUs, target, at, end)
    if (!mayElicit) return at
    const start = at
    let records = 0
    if (end - at >= SMALL_FRAMES_MAX_BYTES) {
      if (this.#isPingPending) {
        target[at++] = FRAME_PING
        this.#isPingPending = false
      }
      if (this.controlReceiver.isGrantPending) {
        const granted = this.controlReceiver.granted
        at = writeNumberFrame(target, at, FRAME_MAX_CONTROL, granted)
        this.packets?.addRecord(RECORD_MAX_CONTROL, granted, 0, 0)
        this.controlReceiver.isGrantPending = false
        records += 1
      }
      if (this.#isCreditPending) {
        at = writeNumberFrame(target, at, FRAME_MAX_CREDIT, this.#credit)
        this.packets?.addRecord(RECORD_MAX_CREDIT, this.#credit, 0, 0)
        this.#isCreditPending = false
        records += 1
      }
      if (this.ackFrequency.isPending) {
        const { sequence, threshold, maxDelayUs } = this.ackFrequency
        at = writeAckFrequency(target, at, sequence, threshold, maxDelayUs)
        this.packets?.addRecord(RECORD_ACK_FREQUENCY, sequence, 0, 0)
        this.ackFrequency.isPending = false
        records += 1
      }
    }
    while (this.controlSender.hasSegment && end - at >= FRAME_ROOM_MIN_BYTES && records < RECORDS_PER_PACKET_MAX) {
      at = this.#writeControl(target, at, end)
      records += 1
    }
    while (end - at >= FRAME_ROOM_MIN_BYTES && records < RECORDS_PER_PACKET_MAX && this.#hasChunkData()) {
      const after = this.#writeChunkData(target, at, end, row)
      if (after === at) break
      at = after
      records += 1
    }
    this.isAckEliciting = at > start
    // With more to come every packet of a train is full; the last one is as short as it is.
    if (this.isAckEliciting && end - at < FRAME_ROOM_MIN_BYTES) {
      target.fill(0, at, end)
      at = end
    }
    return at
  }

  onRecordAcked(kind: number, chunk: number, offset: number, length: number): void {
    if (kind === RECORD_CHUNK_DATA) this.#source?.onSegmentAcked(chunk, offset, length)
    else if (kind === RECORD_CONTROL) this.controlSender.onAcked(offset, length)
    else if (kind === RECORD_ACK_FREQUENCY) this.ackFrequency.onAcked(chunk)
  }

  onRecordLost(kind: number, chunk: number, offset: number, length: number): void {
    switch (kind) {
      case RECORD_CHUNK_DATA:
        this.#lost.push(chunk, offset, length)
        break
      case RECORD_CONTROL:
        this.controlSender.onLost(offset, length)
        break
      case RECORD_MAX_CREDIT:
        if (chunk === this.#credit) this.#isCreditPending = true
        break
      case RECORD_MAX_CONTROL:
        this.controlReceiver.onGrantLost(chunk)
        break
      default:
        this.ackFrequency.onLost(chunk)
    }
  }

  #writeControl(target: Uint8Array, at: number, end: number): number {
    const segment = this.#control
    // The header is a little shorter than this for small offsets: a byte or two stay unused.
    const room = end - at - controlHeaderBytes(Number.MAX_SAFE_INTEGER, end - at)
    this.controlSender.take(room, segment)
    at = writeControlHeader(target, at, segment.offset, segment.length)
    this.controlSender.copy(segment, target, at)
    this.packets?.addRecord(RECORD_CONTROL, 0, segment.offset, segment.length)
    return at + segment.length
  }

  /** Whether a lost or fresh segment waits; forgets lost ones of chunks that are no longer held. */
  #hasChunkData(): boolean {
    const source = this.#source
    if (source === undefined) return false
    while (this.#lost.peek(this.#segment)) {
      if (source.holds(this.#segment.chunk)) return true
      this.#lost.take(this.#segment.length)
    }
    if (this.#fresh.length > 0) {
      if (source.holds(this.#fresh.chunk)) return true
      this.#fresh.length = 0
    }
    if (this.#isSourceDry) return false
    if (source.next(this.#freshBytes, this.#fresh) && this.#fresh.length > 0) return true
    this.#fresh.length = 0
    this.#isSourceDry = true
    return false
  }

  /** Writes one segment, with the chunk's hash ahead of its first byte; returns `at` where there is no room for both. */
  #writeChunkData(target: Uint8Array, at: number, end: number, row: number): number {
    const source = this.#source
    if (source === undefined) return at
    const isLost = this.#lost.peek(this.#segment)
    const next = isLost ? this.#segment : this.#fresh
    const { chunk, offset } = next
    const hashBytes = offset === 0 ? chunkHashBytes(chunk) : 0
    const room = end - at - hashBytes
    const length = Math.min(next.length, room - chunkDataHeaderBytes(chunk, offset, Math.max(room, 0)))
    if (length <= 0) return at
    if (hashBytes > 0) {
      at = writeChunkHashHeader(target, at, chunk)
      source.copyHash(chunk, target, at)
      at += HASH_BYTES
    }
    at = writeChunkDataHeader(target, at, chunk, offset, length)
    this.#placeBytes(source.bytesOf(chunk), offset, length, target, at, row)
    this.packets?.addRecord(RECORD_CHUNK_DATA, chunk, offset, length)
    if (isLost) {
      this.#lost.take(length)
      this.bytesRetransmitted += length
    } else {
      this.#fresh.offset += length
      this.#fresh.length -= length
    }
    return at + length
  }

  /** Has bytes of a chunk sealed from where they are, once a packet and from as many chunks as may be; else copies them. */
  #placeBytes(bytes: Uint8Array, offset: number, length: number, target: Uint8Array, at: number, row: number): void {
    const { table, sources } = this.bodies
    const last = this.#sources - 1
    const source = last >= 0 && sources[last] === bytes ? last : this.#sources
    if (source >= BODY_SOURCES || (table[row + 3] ?? 0) > 0) {
      target.set(bytes.subarray(offset, offset + length), at)
      return
    }
    sources[source] = bytes
    this.#sources = source + 1
    table[row] = source
    table[row + 1] = offset
    table[row + 2] = at
    table[row + 3] = length
  }
}
