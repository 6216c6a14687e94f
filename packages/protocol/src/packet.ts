/**
 * The packet header: 16 bytes in the clear, authenticated as associated data. Sealed frames and a 16-byte tag follow.
 *
 * ```
 *  0        flags: version (bits 7-6), type (bits 5-1), key epoch bit (bit 0)
 *  1        lane
 *  2        length of this packet in bytes, header and tag included, big-endian 16 bits
 *  4        connection id of the side that receives, 8 bytes
 * 12        packet number, big-endian 32 bits
 * 16        sealed frames
 *  length-16  tag
 * ```
 *
 * The functions take a buffer and a position and allocate nothing. What they read is not authentic yet.
 */
import { PACKET_HEADER_BYTES, PACKET_TAG_BYTES } from './limits.js'

/** Version of the packet layout. */
export const PACKET_VERSION = 1
/** The only type so far: sealed frames. Others are dropped. */
export const PACKET_TYPE_SEALED = 0
/** Bytes of a connection id. */
export const CONNECTION_ID_BYTES = 8
/** Bytes of the shortest packet: one byte of frames. */
export const PACKET_MIN_BYTES = PACKET_HEADER_BYTES + 1 + PACKET_TAG_BYTES

const FLAGS = (PACKET_VERSION << 6) | (PACKET_TYPE_SEALED << 1)
const EPOCH_BIT = 1
const LANE_AT = 1
const LENGTH_AT = 2
const CONNECTION_ID_AT = 4
const PACKET_NUMBER_AT = 12

/** Writes a header at `at`. `length` counts the whole packet; `epoch` is the key epoch, of which one bit travels. */
export const writePacketHeader = (
  target: Uint8Array,
  at: number,
  epoch: number,
  lane: number,
  length: number,
  connectionId: Uint8Array,
  packetNumber: number,
): void => {
  target[at] = FLAGS | (epoch & EPOCH_BIT)
  target[at + LANE_AT] = lane
  target[at + LENGTH_AT] = length >>> 8
  target[at + LENGTH_AT + 1] = length
  for (let i = 0; i < CONNECTION_ID_BYTES; i++) target[at + CONNECTION_ID_AT + i] = connectionId[i] ?? 0
  target[at + PACKET_NUMBER_AT] = packetNumber >>> 24
  target[at + PACKET_NUMBER_AT + 1] = packetNumber >>> 16
  target[at + PACKET_NUMBER_AT + 2] = packetNumber >>> 8
  target[at + PACKET_NUMBER_AT + 3] = packetNumber
}

/**
 * The length that the header at `at` gives its packet, or -1 where no header of this version and type fits between `at`
 * and `end`.
 */
export const readPacketLength = (source: Uint8Array, at: number, end: number): number => {
  if (at + PACKET_MIN_BYTES > end) return -1
  if (((source[at] ?? 0) & ~EPOCH_BIT) !== FLAGS) return -1
  const length = ((source[at + LENGTH_AT] ?? 0) << 8) | (source[at + LENGTH_AT + 1] ?? 0)
  return length >= PACKET_MIN_BYTES && at + length <= end ? length : -1
}

/** Whether the header at `at` names this connection and lane. The buffer holds a whole header there. */
export const isPacketFor = (source: Uint8Array, at: number, connectionId: Uint8Array, lane: number): boolean => {
  if (source[at + LANE_AT] !== lane) return false
  for (let i = 0; i < CONNECTION_ID_BYTES; i++) {
    if (source[at + CONNECTION_ID_AT + i] !== connectionId[i]) return false
  }
  return true
}

/** The key epoch's lowest bit: 0 or 1. */
export const readEpochBit = (source: Uint8Array, at: number): number => (source[at] ?? 0) & EPOCH_BIT

export const readPacketNumber = (source: Uint8Array, at: number): number =>
  (((source[at + PACKET_NUMBER_AT] ?? 0) << 24) |
    ((source[at + PACKET_NUMBER_AT + 1] ?? 0) << 16) |
    ((source[at + PACKET_NUMBER_AT + 2] ?? 0) << 8) |
    (source[at + PACKET_NUMBER_AT + 3] ?? 0)) >>>
  0
