/**
 * From datagrams to authentic packets: header, connection id, replay window, key epoch, tag; and the splitting of a read
 * in which the kernel joined several datagrams (UDP_GRO). What fails is dropped and counted, never answered.
 */
import {
  AUTHENTICATION_FAILURES_MAX,
  PACKET_HEADER_BYTES,
  PACKET_TAG_BYTES,
  TRAIN_MAX_PACKETS,
} from '@godwit/protocol/limits'
import { isPacketFor, readEpochBit, readPacketLength, readPacketNumber } from '@godwit/protocol/packet'
import { ReplayWindow } from '@godwit/protocol/replayWindow'
import { OPEN_FIELDS, type PacketProtection, type ProtectionSchedule } from '../ports/packetProtection.js'
import { ReceiveKeys } from './keyUpdate.js'

/** Packets opened by one call: a train. */
const GROUP_MAX_PACKETS = TRAIN_MAX_PACKETS

/** Takes an authentic packet; its frames are `buffer[start, end)`. */
export interface PacketHandler {
  onPacket(nowUs: number, pathId: number, packetNumber: number, buffer: Uint8Array, start: number, end: number): void
}

export class PacketOpener {
  readonly #connectionId: Uint8Array
  readonly #lane: number
  readonly #keys: ReceiveKeys
  readonly #window = new ReplayWindow()
  readonly #handler: PacketHandler
  /** The packets that are opened together: see `PacketProtection.openPackets`. */
  readonly #table = new Uint32Array(GROUP_MAX_PACKETS * OPEN_FIELDS)
  /** Size of the datagrams in the last read of several; 0 before the first. */
  #segmentBytes = 0

  packetsReceived = 0
  bytesReceived = 0
  packetsCorrupted = 0
  packetsDropped = 0

  constructor(connectionId: Uint8Array, lane: number, schedule: ProtectionSchedule, handler: PacketHandler) {
    this.#connectionId = connectionId
    this.#lane = lane
    this.#keys = new ReceiveKeys(schedule)
    this.#handler = handler
  }

  get epoch(): number {
    return this.#keys.epoch
  }

  /** The highest authentic packet number; -1 before the first. */
  get highest(): number {
    return this.#window.highest
  }

  /** Whether the keys must not be used for another attempt (RFC 9001 §6.6). */
  get isWornOut(): boolean {
    return this.packetsCorrupted >= AUTHENTICATION_FAILURES_MAX
  }

  /**
   * One read of `buffer[0, length)`, which holds one datagram or several joined ones: all of one size but the last,
   * which may be shorter. That size is settled before anything is opened, since an opening in place that fails destroys
   * what it covers; so one bad packet dies alone. The bytes are opened in place.
   */
  openRead(nowUs: number, pathId: number, buffer: Uint8Array, length: number): void {
    const segmentBytes = this.#segmentOf(buffer, length)
    for (let at = 0; at < length; ) at = this.#openGroup(nowUs, pathId, buffer, at, length, segmentBytes)
  }

  /** The size of the datagrams in a read: what the first header says, or the size known from before if that fits better. */
  #segmentOf(buffer: Uint8Array, length: number): number {
    const named = readPacketLength(buffer, 0, length)
    const known = this.#segmentBytes < length ? this.#segmentBytes : 0
    if (named === length) return known > 0 && this.#isHeaderAt(buffer, known, length) ? known : length
    if (named > 0 && this.#followsHeader(buffer, named, length)) return named
    if (known > 0 && this.#followsHeader(buffer, known, length)) return known
    return named > 0 ? named : known > 0 ? known : length
  }

  /** Whether one of the next two packets begins where this size puts it. */
  #followsHeader(buffer: Uint8Array, size: number, length: number): boolean {
    return this.#isHeaderAt(buffer, size, length) || this.#isHeaderAt(buffer, 2 * size, length)
  }

  #isHeaderAt(buffer: Uint8Array, at: number, length: number): boolean {
    return readPacketLength(buffer, at, length) > 0 && isPacketFor(buffer, at, this.#connectionId, this.#lane)
  }

  /** Opens packets from `at` on, as far as one key epoch and the table reach; returns where the next group begins. */
  #openGroup(
    nowUs: number,
    pathId: number,
    buffer: Uint8Array,
    at: number,
    length: number,
    segmentBytes: number,
  ): number {
    const table = this.#table
    let protection: PacketProtection | undefined
    let count = 0
    for (; at < length && count < GROUP_MAX_PACKETS; at += segmentBytes) {
      const packetBytes = Math.min(segmentBytes, length - at)
      const isOurs =
        readPacketLength(buffer, at, length) === packetBytes && isPacketFor(buffer, at, this.#connectionId, this.#lane)
      const packetNumber = isOurs ? readPacketNumber(buffer, at) : -1
      const own =
        isOurs && this.#window.isFresh(packetNumber)
          ? this.#keys.select(nowUs, readEpochBit(buffer, at), packetNumber)
          : undefined
      if (own === undefined) {
        this.packetsDropped += 1
        continue
      }
      protection ??= own
      if (own !== protection) break
      const entry = count * OPEN_FIELDS
      table[entry] = at
      table[entry + 1] = packetBytes
      table[entry + 2] = packetNumber
      count += 1
    }
    if (protection === undefined) return at
    protection.openPackets(buffer, table, count, PACKET_HEADER_BYTES)
    for (let i = 0; i < count; i++) {
      if (this.#deliver(nowUs, pathId, buffer, i * OPEN_FIELDS, protection) && (table[i * OPEN_FIELDS] ?? 0) > 0) {
        this.#segmentBytes = segmentBytes
      }
    }
    return at
  }

  /** What came of one packet of the table; whether it was authentic. */
  #deliver(nowUs: number, pathId: number, buffer: Uint8Array, entry: number, protection: PacketProtection): boolean {
    const at = this.#table[entry] ?? 0
    const packetBytes = this.#table[entry + 1] ?? 0
    const packetNumber = this.#table[entry + 2] ?? 0
    if (this.#table[entry + 3] !== 1) {
      this.packetsCorrupted += 1
      return false
    }
    // The same packet may stand twice in one read.
    if (!this.#window.isFresh(packetNumber)) {
      this.packetsDropped += 1
      return false
    }
    this.#keys.onAuthentic(nowUs, packetNumber, protection)
    this.packetsReceived += 1
    this.bytesReceived += packetBytes
    const end = at + packetBytes - PACKET_TAG_BYTES
    this.#handler.onPacket(nowUs, pathId, packetNumber, buffer, at + PACKET_HEADER_BYTES, end)
    // Marked after the handler has seen the window's state before this packet.
    this.#window.mark(packetNumber)
    return true
  }
}
