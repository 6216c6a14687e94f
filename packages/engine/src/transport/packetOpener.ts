/**
 * From datagrams to authentic packets: header, connection id, replay window, key epoch, tag; and the splitting of a read
 * in which the kernel joined several datagrams (UDP_GRO). What fails is dropped and counted, never answered.
 */
import { AUTHENTICATION_FAILURES_MAX, PACKET_HEADER_BYTES, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import {
  isPacketFor,
  PACKET_MIN_BYTES,
  readEpochBit,
  readPacketLength,
  readPacketNumber,
} from '@godwit/protocol/packet'
import { ReplayWindow } from '@godwit/protocol/replayWindow'
import type { ProtectionSchedule } from '../ports/packetProtection.js'
import { ReceiveKeys } from './keyUpdate.js'

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
  /** Bytes of the last authentic packet that was followed by another in its read. */
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

  /** One datagram that is one packet. The bytes are opened in place. */
  openDatagram(nowUs: number, pathId: number, buffer: Uint8Array, start: number, length: number): void {
    const packetBytes = readPacketLength(buffer, start, start + length)
    if (packetBytes !== length) this.packetsDropped += 1
    else this.#open(nowUs, pathId, buffer, start, packetBytes)
  }

  /**
   * One read of `buffer[0, length)`, which holds one datagram or several joined ones: all of one size but the last,
   * which may be shorter. A packet whose header or tag fails is passed over by the size of the authentic ones, so that
   * it dies alone.
   */
  openRead(nowUs: number, pathId: number, buffer: Uint8Array, length: number): void {
    let segmentBytes = 0
    for (let at = 0; at < length; ) {
      const packetBytes = readPacketLength(buffer, at, length)
      if (packetBytes < 0) {
        this.packetsDropped += 1
      } else if (this.#open(nowUs, pathId, buffer, at, packetBytes)) {
        // The last packet may be a short one: it says nothing about the others.
        if (at + packetBytes < length && at === 0) segmentBytes = packetBytes
        at += packetBytes
        continue
      }
      if (segmentBytes === 0) segmentBytes = this.#guessSegment(buffer, packetBytes, length)
      if (segmentBytes === 0) return
      at = (Math.floor(at / segmentBytes) + 1) * segmentBytes
    }
    if (segmentBytes > 0) this.#segmentBytes = segmentBytes
  }

  /** The first packet of a read failed: its size is what its header says if another of our headers follows there. */
  #guessSegment(buffer: Uint8Array, packetBytes: number, length: number): number {
    if (packetBytes > 0 && this.#isHeaderAt(buffer, packetBytes, length)) return packetBytes
    if (this.#segmentBytes > 0 && this.#isHeaderAt(buffer, this.#segmentBytes, length)) return this.#segmentBytes
    return packetBytes > 0 ? packetBytes : this.#segmentBytes
  }

  #isHeaderAt(buffer: Uint8Array, at: number, length: number): boolean {
    return readPacketLength(buffer, at, length) > 0 && isPacketFor(buffer, at, this.#connectionId, this.#lane)
  }

  #open(nowUs: number, pathId: number, buffer: Uint8Array, at: number, packetBytes: number): boolean {
    if (packetBytes < PACKET_MIN_BYTES || !isPacketFor(buffer, at, this.#connectionId, this.#lane)) {
      this.packetsDropped += 1
      return false
    }
    const packetNumber = readPacketNumber(buffer, at)
    const protection = this.#window.isFresh(packetNumber)
      ? this.#keys.select(nowUs, readEpochBit(buffer, at), packetNumber)
      : undefined
    if (protection === undefined) {
      this.packetsDropped += 1
      return false
    }
    if (!protection.open(buffer, at, PACKET_HEADER_BYTES, packetBytes - PACKET_HEADER_BYTES, packetNumber)) {
      this.packetsCorrupted += 1
      return false
    }
    this.#keys.onAuthentic(nowUs, packetNumber)
    this.packetsReceived += 1
    this.bytesReceived += packetBytes
    this.#handler.onPacket(
      nowUs,
      pathId,
      packetNumber,
      buffer,
      at + PACKET_HEADER_BYTES,
      at + packetBytes - PACKET_TAG_BYTES,
    )
    // Marked after the handler has seen the window's state before this packet.
    this.#window.mark(packetNumber)
    return true
  }
}
