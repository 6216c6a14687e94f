/**
 * A peer with valid keys that keeps to no rule, against a production session: it seals whatever frames a test wants, opens
 * what the victim sends, answers path challenges, and does nothing else by itself.
 */
import { assert } from '@godwit/protocol/assert'
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import {
  CHALLENGE_BYTES,
  controlHeaderBytes,
  FRAME_END,
  FRAME_MALFORMED,
  FRAME_PATH_CHALLENGE,
  FRAME_PATH_RESPONSE,
  FrameReader,
  writeControlHeader,
  writePathFrame,
} from '@godwit/protocol/frames'
import { PACKET_HEADER_BYTES, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import { readPacketNumber, writePacketHeader } from '@godwit/protocol/packet'
import type { RangeSet } from '@godwit/protocol/rangeSet'
import { NO_BODIES, OPEN_FIELDS, type PacketProtection } from '../ports/packetProtection.js'
import { newCreditCounter } from '../transfer/credit.js'
import type { BufferPool, ReceiverReport, SenderReport } from '../transfer/ports.js'
import { ReceiverSession } from '../transfer/receiverSession.js'
import { SenderSession } from '../transfer/senderSession.js'
import { Connection } from '../transport/connection.js'
import type { ConnectionEvent, Transmit } from '../transport/types.js'
import { checksumKeys } from './checksumProtection.js'
import { SeededRandom } from './random.js'

const LANE = 0
const PATH = 1
const DATAGRAM_MAX = 65_507
/** Datagrams that the victim may send in answer to one: more is a spin. */
const ANSWERS_MAX = 10_000

class CountingPool implements BufferPool {
  bytesOut = 0
  mostBytesOut = 0

  take(length: number): Uint8Array {
    this.bytesOut += length
    this.mostBytesOut = Math.max(this.mostBytesOut, this.bytesOut)
    return new Uint8Array(length)
  }

  give(buffer: Uint8Array): void {
    this.bytesOut -= buffer.length
  }
}

export interface HostileOptions {
  readonly victim: 'sender' | 'receiver'
  readonly plan: ChunkPlan
  readonly seed?: number
}

export class HostilePeer {
  readonly pool = new CountingPool()
  readonly connection: Connection
  readonly sender: SenderSession | undefined
  readonly receiver: ReceiverSession | undefined
  readonly reports: (SenderReport | ReceiverReport)[] = []
  readonly events: ConnectionEvent[] = []
  /** Datagrams that the victim sent so far. */
  datagrams: Uint8Array[] = []
  /** Largest packet number that the victim has used. */
  largestSeen = -1
  nowUs = 0
  readonly #keys: { readonly seal: PacketProtection; readonly open: PacketProtection }
  readonly #victimId: Uint8Array
  readonly #reader = new FrameReader()
  readonly #out = new Uint8Array(DATAGRAM_MAX)
  readonly #transmit: Transmit = { pathId: 0, length: 0, segmentBytes: 0, isMtuProbe: false }
  #packetNumber = 0
  #controlOffset = 0
  /** What the victim has taken in so far by name, with the bytes it wrote. */
  readonly written: number[] = []

  constructor({ victim, plan, seed = 1 }: HostileOptions) {
    const random = new SeededRandom(seed)
    const [ours, theirs] = checksumKeys(seed)
    this.#keys = { seal: ours.send.epoch(0), open: ours.receive.epoch(0) }
    this.#victimId = random.bytes(8)
    const stream = { writeControl: (bytes: Uint8Array): number => this.connection.writeControl(bytes) }
    if (victim === 'sender') this.sender = this.#makeSender(plan, stream)
    else this.receiver = this.#makeReceiver(stream)
    this.connection = new Connection({
      lane: LANE,
      localConnectionId: this.#victimId,
      remoteConnectionId: random.bytes(8),
      keys: theirs,
      randomBytes: (count) => random.bytes(count),
      nowUs: 0,
      ...(this.sender === undefined ? {} : { source: this.sender.source }),
      ...(this.receiver === undefined ? {} : { sink: this.receiver }),
    })
    this.connection.addCandidate(PATH, 'host')
    this.#turn()
    this.advance(10_000)
    assert(this.connection.isEstablished, 'the attacker has answered its challenge')
  }

  /** How the victim ended: undefined while it lives. */
  get end(): ConnectionEvent | undefined {
    return this.events.find(({ type }) => type === 'closed' || type === 'lost')
  }

  /** One sealed packet with these bytes as its frames. */
  send(frames: Uint8Array, pathId = PATH, packetNumber = this.#packetNumber++): void {
    this.sendRaw(this.seal(frames, packetNumber), pathId)
  }

  seal(frames: Uint8Array, packetNumber = this.#packetNumber++): Uint8Array {
    const size = PACKET_HEADER_BYTES + frames.length + PACKET_TAG_BYTES
    const packet = new Uint8Array(size)
    writePacketHeader(packet, 0, 0, LANE, size, this.#victimId, packetNumber)
    packet.set(frames, PACKET_HEADER_BYTES)
    this.#keys.seal.sealTrain(packet, 0, size, size, PACKET_HEADER_BYTES, packetNumber, NO_BODIES)
    return packet
  }

  sendRaw(datagram: Uint8Array, pathId = PATH): void {
    const copy = datagram.slice()
    this.connection.handleRead(this.nowUs, pathId, copy, copy.length)
    this.#turn()
  }

  /** Bytes of the control stream, in packets of a usual size. */
  sendControl(bytes: Uint8Array, pieceBytes = 1000): void {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.sendControlAt(this.#controlOffset, bytes.subarray(at, at + pieceBytes))
      this.#controlOffset += Math.min(pieceBytes, bytes.length - at)
    }
  }

  sendControlAt(offset: number, bytes: Uint8Array): void {
    const frame = new Uint8Array(controlHeaderBytes(offset, bytes.length) + bytes.length)
    frame.set(bytes, writeControlHeader(frame, 0, offset, bytes.length))
    this.send(frame)
  }

  /** Lets time go by, in which the victim's timers fire. */
  advance(us: number): void {
    const untilUs = this.nowUs + us
    for (let steps = 0; ; steps++) {
      assert(steps < ANSWERS_MAX, 'the victim comes to rest')
      const nextUs = Math.min(this.connection.pollTimeout(), this.receiver?.pollTimeout() ?? Number.POSITIVE_INFINITY)
      if (nextUs > untilUs) break
      this.nowUs = Math.max(this.nowUs, nextUs)
      this.connection.handleTimeout(this.nowUs)
      this.receiver?.onTimeout(this.nowUs)
      this.#turn()
    }
    this.nowUs = untilUs
    this.connection.handleTimeout(untilUs)
    this.#turn()
  }

  /** As the lane's loop does it. */
  #turn(): void {
    this.#takeEvents()
    this.sender?.pump()
    this.receiver?.pump()
    this.connection.wake()
    for (let count = 0; this.connection.pollTransmit(this.nowUs, this.#out, this.#transmit); count++) {
      assert(count < ANSWERS_MAX, 'the victim comes to an end')
      this.#onVictimSent(this.#out.slice(0, this.#transmit.length))
    }
    this.#takeEvents()
  }

  #takeEvents(): void {
    for (let event = this.connection.pollEvent(); event !== undefined; event = this.connection.pollEvent()) {
      if (event.type === 'control') {
        const isSense = this.sender?.onControl(event.bytes) ?? this.receiver?.onControl(event.bytes) ?? false
        if (!isSense) this.connection.close('protocol')
        continue
      }
      this.events.push(event)
      if (event.type === 'established') this.sender?.onEstablished()
      if (event.type === 'closed' || event.type === 'lost') {
        this.sender?.stop()
        this.receiver?.stop()
      }
    }
  }

  #onVictimSent(datagram: Uint8Array): void {
    this.datagrams.push(datagram.slice())
    const number = readPacketNumber(datagram, 0)
    this.largestSeen = Math.max(this.largestSeen, number)
    const table = new Uint32Array(OPEN_FIELDS)
    table.set([0, datagram.length, number])
    this.#keys.open.openPackets(datagram, table, 1, PACKET_HEADER_BYTES)
    if (table[3] !== 1) return
    this.#reader.reset(datagram, PACKET_HEADER_BYTES, datagram.length - PACKET_TAG_BYTES)
    for (let type = this.#reader.next(); type !== FRAME_END && type !== FRAME_MALFORMED; type = this.#reader.next()) {
      if (type !== FRAME_PATH_CHALLENGE || this.connection.isEstablished) continue
      const { dataStart } = this.#reader
      const answer = new Uint8Array(1 + CHALLENGE_BYTES)
      writePathFrame(answer, 0, FRAME_PATH_RESPONSE, datagram.subarray(dataStart, dataStart + CHALLENGE_BYTES))
      const packet = this.seal(answer)
      this.connection.handleRead(this.nowUs, PATH, packet, packet.length)
    }
  }

  #makeSender(plan: ChunkPlan, stream: { writeControl(bytes: Uint8Array): number }): SenderSession {
    const session: SenderSession = new SenderSession({
      plan,
      manifest: Uint8Array.of(1, 2, 3),
      pool: this.pool,
      stream,
      knownHash: () => undefined,
      io: {
        readChunk: (chunk) => queueLater(() => session.onChunkRead(chunk, new Uint8Array(32))),
        hashFile: (file) => queueLater(() => session.onFileHashed(file, new Uint8Array(32), true)),
      },
      report: (report) => this.reports.push(report),
    })
    const pending: (() => void)[] = []
    const queueLater = (act: () => void): void => {
      pending.push(act)
      if (pending.length > 1) return
      // After the call that asked: outcomes never come from within.
      while (pending[0] !== undefined) {
        pending[0]()
        pending.shift()
      }
    }
    return session
  }

  #makeReceiver(stream: { writeControl(bytes: Uint8Array): number }): ReceiverSession {
    return new ReceiverSession({
      creditCounter: newCreditCounter(),
      pool: this.pool,
      stream,
      grant: (total) => this.connection.grantCredit(total),
      io: {
        writeChunk: (chunk) => this.written.push(chunk),
        checkpoint: () => {},
        verifyFile: () => {},
        dropFiles: () => {},
        finalize: () => {},
      },
      report: (report) => this.reports.push(report),
    })
  }

  /** The victim, a receiver, has accepted: chunks may come. */
  begin(plan: ChunkPlan, held: RangeSet): void {
    this.receiver?.begin(plan, held, [])
    this.#turn()
  }
}
