/**
 * The frames inside of a sealed packet. Integers are varints (RFC 9000 §16); the first byte of a frame is its type.
 *
 * ```
 * 0x00 PADDING         the type byte alone, any number of them
 * 0x01 PING            the type byte alone; asks for an acknowledgement
 * 0x02 ACK             largest, ackDelayUs, rangeCount - 1, length - 1 of the newest range,
 *                      then for each older range: gap - 1, length - 1      (newest first; RFC 9000 §19.3)
 * 0x03 CHUNK_HASH      chunk, 32 bytes of BLAKE3
 * 0x04 CHUNK_DATA      chunk, offset in the chunk, length, bytes
 * 0x05 CONTROL         offset in the control stream, length, bytes
 * 0x06 MAX_CREDIT      total bytes of chunks granted since the session began
 * 0x07 MAX_CONTROL     total bytes of the control stream that may be sent
 * 0x08 PATH_CHALLENGE  8 bytes
 * 0x09 PATH_RESPONSE   the 8 bytes of the challenge
 * 0x0a ACK_FREQUENCY   sequence, ack-eliciting threshold, largest delay in microseconds
 * 0x0b CLOSE           code
 * ```
 *
 * Nothing here allocates. Writers trust their caller for room and values; the reader trusts nothing: a frame that is
 * cut off, unknown or out of its bounds makes it answer `FRAME_MALFORMED`.
 */
import type { AckRanges } from './ackRanges.js'
import { ACK_MAX_RANGES, CHUNK_SIZE_BYTES } from './limits.js'
import { readVarint, VARINT_MAX, varintBytes, varintBytesFrom, writeVarint } from './varint.js'

export const FRAME_PADDING = 0x00
export const FRAME_PING = 0x01
export const FRAME_ACK = 0x02
export const FRAME_CHUNK_HASH = 0x03
export const FRAME_CHUNK_DATA = 0x04
export const FRAME_CONTROL = 0x05
export const FRAME_MAX_CREDIT = 0x06
export const FRAME_MAX_CONTROL = 0x07
export const FRAME_PATH_CHALLENGE = 0x08
export const FRAME_PATH_RESPONSE = 0x09
export const FRAME_ACK_FREQUENCY = 0x0a
export const FRAME_CLOSE = 0x0b

/** The reader has no more frames. */
export const FRAME_END = -1
/** The bytes are no frame. */
export const FRAME_MALFORMED = -2

/** Bytes of a chunk's hash. */
export const HASH_BYTES = 32
/** Bytes of a path challenge. */
export const CHALLENGE_BYTES = 8
/** Bytes of a PATH_CHALLENGE or PATH_RESPONSE frame. */
export const PATH_FRAME_BYTES = 1 + CHALLENGE_BYTES
/** The longest ack delay that is accepted, microseconds. */
export const ACK_DELAY_MAX_US = 2 ** 24

/** Bytes of a CHUNK_DATA frame before its data. */
export const chunkDataHeaderBytes = (chunk: number, offset: number, length: number): number =>
  1 + varintBytes(chunk) + varintBytes(offset) + varintBytes(length)

/** Bytes of a CHUNK_HASH frame. */
export const chunkHashBytes = (chunk: number): number => 1 + varintBytes(chunk) + HASH_BYTES

/** Bytes of a CONTROL frame before its data. */
export const controlHeaderBytes = (offset: number, length: number): number =>
  1 + varintBytes(offset) + varintBytes(length)

/** Writes a CHUNK_DATA frame up to its data and returns where the data goes. */
export const writeChunkDataHeader = (
  target: Uint8Array,
  at: number,
  chunk: number,
  offset: number,
  length: number,
): number => {
  target[at] = FRAME_CHUNK_DATA
  at = writeVarint(target, at + 1, chunk)
  at = writeVarint(target, at, offset)
  return writeVarint(target, at, length)
}

/** Writes a CHUNK_HASH frame up to its hash and returns where the hash goes. */
export const writeChunkHashHeader = (target: Uint8Array, at: number, chunk: number): number => {
  target[at] = FRAME_CHUNK_HASH
  return writeVarint(target, at + 1, chunk)
}

/** Writes a CONTROL frame up to its data and returns where the data goes. */
export const writeControlHeader = (target: Uint8Array, at: number, offset: number, length: number): number => {
  target[at] = FRAME_CONTROL
  at = writeVarint(target, at + 1, offset)
  return writeVarint(target, at, length)
}

/** Writes MAX_CREDIT, MAX_CONTROL or CLOSE: a type and one number. Returns the position behind it. */
export const writeNumberFrame = (target: Uint8Array, at: number, type: number, value: number): number => {
  target[at] = type
  return writeVarint(target, at + 1, value)
}

export const writeAckFrequency = (
  target: Uint8Array,
  at: number,
  sequence: number,
  threshold: number,
  maxDelayUs: number,
): number => {
  target[at] = FRAME_ACK_FREQUENCY
  at = writeVarint(target, at + 1, sequence)
  at = writeVarint(target, at, threshold)
  return writeVarint(target, at, maxDelayUs)
}

/** Writes PATH_CHALLENGE or PATH_RESPONSE with its 8 bytes. */
export const writePathFrame = (target: Uint8Array, at: number, type: number, challenge: Uint8Array): number => {
  target[at] = type
  for (let i = 0; i < CHALLENGE_BYTES; i++) target[at + 1 + i] = challenge[i] ?? 0
  return at + PATH_FRAME_BYTES
}

/**
 * Writes an ACK of the newest ranges that fit between `at` and `end`, at most `ACK_MAX_RANGES`. Returns the position
 * behind it, or `at` where not even the newest range fits.
 */
export const writeAck = (
  target: Uint8Array,
  at: number,
  end: number,
  ranges: AckRanges,
  ackDelayUs: number,
): number => {
  if (ranges.count === 0) return at
  const largest = ranges.largest
  const delay = Math.min(ackDelayUs, ACK_DELAY_MAX_US)
  const newest = largest - ranges.startAt(0)
  let size = 1 + varintBytes(largest) + varintBytes(delay) + 1 + varintBytes(newest)
  if (at + size > end) return at
  let count = 1
  const available = Math.min(ranges.count, ACK_MAX_RANGES)
  while (count < available) {
    const gap = ranges.startAt(count - 1) - ranges.endAt(count) - 1
    const more = varintBytes(gap) + varintBytes(ranges.endAt(count) - ranges.startAt(count) - 1)
    if (at + size + more > end) break
    size += more
    count += 1
  }
  target[at] = FRAME_ACK
  at = writeVarint(target, at + 1, largest)
  at = writeVarint(target, at, delay)
  at = writeVarint(target, at, count - 1)
  at = writeVarint(target, at, newest)
  for (let i = 1; i < count; i++) {
    at = writeVarint(target, at, ranges.startAt(i - 1) - ranges.endAt(i) - 1)
    at = writeVarint(target, at, ranges.endAt(i) - ranges.startAt(i) - 1)
  }
  return at
}

/** Reads the frames of one opened packet, one after the other, into its own fields: see `next`. */
export class FrameReader {
  #source: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0

  /** CHUNK_HASH, CHUNK_DATA. */
  chunk = 0
  /** CHUNK_DATA: bytes from the chunk's first. CONTROL: bytes from the stream's first. */
  offset = 0
  /** Where the frame's bytes begin in the buffer (CHUNK_HASH, CHUNK_DATA, CONTROL, PATH_*), and how many they are. */
  dataStart = 0
  dataLength = 0
  /** MAX_CREDIT, MAX_CONTROL: the total. CLOSE: the code. ACK: the delay. ACK_FREQUENCY: the sequence. */
  value = 0
  /** ACK_FREQUENCY. */
  threshold = 0
  maxDelayUs = 0
  /** ACK: `rangeCount` ranges [start, end) as pairs, newest first. */
  readonly ranges = new Float64Array(2 * ACK_MAX_RANGES)
  rangeCount = 0

  /** Starts on `source[start, end)`, which must not change until the last frame was read. */
  reset(source: Uint8Array, start: number, end: number): void {
    this.#source = source
    this.#at = start
    this.#end = end
  }

  /**
   * Reads the next frame (runs of PADDING are passed over) and returns its type; `FRAME_END` behind the last one,
   * `FRAME_MALFORMED` where the bytes are no frame. Then nothing more may be read.
   */
  next(): number {
    const source = this.#source
    while (this.#at < this.#end && source[this.#at] === FRAME_PADDING) this.#at += 1
    if (this.#at >= this.#end) return FRAME_END
    const type = source[this.#at] ?? FRAME_MALFORMED
    this.#at += 1
    return this.#body(type) ? type : FRAME_MALFORMED
  }

  #body(type: number): boolean {
    switch (type) {
      case FRAME_CHUNK_DATA:
        this.chunk = this.#varint()
        this.offset = this.#varint()
        this.dataLength = this.#varint()
        return (
          this.chunk >= 0 &&
          this.offset >= 0 &&
          this.dataLength > 0 &&
          this.offset + this.dataLength <= CHUNK_SIZE_BYTES &&
          this.#data(this.dataLength)
        )
      case FRAME_ACK:
        return this.#ack()
      case FRAME_CHUNK_HASH:
        this.chunk = this.#varint()
        return this.chunk >= 0 && this.#data(HASH_BYTES)
      case FRAME_CONTROL:
        this.offset = this.#varint()
        this.dataLength = this.#varint()
        return (
          this.offset >= 0 &&
          this.dataLength > 0 &&
          this.offset <= VARINT_MAX - this.dataLength &&
          this.#data(this.dataLength)
        )
      case FRAME_MAX_CREDIT:
      case FRAME_MAX_CONTROL:
      case FRAME_CLOSE:
        this.value = this.#varint()
        return this.value >= 0
      case FRAME_PATH_CHALLENGE:
      case FRAME_PATH_RESPONSE:
        return this.#data(CHALLENGE_BYTES)
      case FRAME_ACK_FREQUENCY:
        this.value = this.#varint()
        this.threshold = this.#varint()
        this.maxDelayUs = this.#varint()
        return this.value >= 0 && this.threshold >= 1 && this.maxDelayUs >= 0 && this.maxDelayUs <= ACK_DELAY_MAX_US
      case FRAME_PING:
        return true
      default:
        return false
    }
  }

  #ack(): boolean {
    const largest = this.#varint()
    this.value = this.#varint()
    const older = this.#varint()
    const newest = this.#varint()
    if (largest < 0 || this.value < 0 || older < 0 || older >= ACK_MAX_RANGES || newest < 0) return false
    const ranges = this.ranges
    let end = largest + 1
    let start = largest - newest
    if (start < 0) return false
    ranges[0] = start
    ranges[1] = end
    for (let i = 1; i <= older; i++) {
      const gap = this.#varint()
      const length = this.#varint()
      if (gap < 0 || length < 0) return false
      end = start - gap - 1
      start = end - length - 1
      if (start < 0) return false
      ranges[2 * i] = start
      ranges[2 * i + 1] = end
    }
    this.rangeCount = older + 1
    this.value = Math.min(this.value, ACK_DELAY_MAX_US)
    return true
  }

  #varint(): number {
    const value = readVarint(this.#source, this.#at, this.#end)
    if (value >= 0) this.#at += varintBytesFrom(this.#source[this.#at] ?? 0)
    return value
  }

  #data(length: number): boolean {
    if (length > this.#end - this.#at) return false
    this.dataStart = this.#at
    this.dataLength = length
    this.#at += length
    return true
  }
}
