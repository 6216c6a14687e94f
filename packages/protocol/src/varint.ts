/**
 * Variable-length integers as in RFC 9000 §16, limited to 0 … 2^53-1, which a Number holds exactly.
 *
 * ```
 * first two bits   bytes   largest value
 * 00               1       63
 * 01               2       16,383
 * 10               4       1,073,741,823
 * 11               8       2^53-1 (RFC: 2^62-1; anything above 2^53-1 is refused)
 * ```
 *
 * Written without allocation: positions are numbers, and a refused value is -1.
 */
import { assert } from './assert.js'

/** The largest value that is written or accepted. */
export const VARINT_MAX = Number.MAX_SAFE_INTEGER
/** Bytes of the longest encoding. */
export const VARINT_MAX_BYTES = 8

const TWO_32 = 0x1_0000_0000

/** Bytes of the shortest encoding of `value`, which is what `writeVarint` writes. */
export const varintBytes = (value: number): 1 | 2 | 4 | 8 => {
  if (value < 0x40) return 1
  if (value < 0x4000) return 2
  if (value < 0x4000_0000) return 4
  return 8
}

/**
 * Writes `value` in its shortest form at `at` and returns the position behind it. The caller has made sure that there
 * is room and that `value` is an integer in 0 … 2^53-1.
 */
export const writeVarint = (target: Uint8Array, at: number, value: number): number => {
  if (value < 0x40) {
    target[at] = value
    return at + 1
  }
  if (value < 0x4000) {
    target[at] = 0x40 | (value >>> 8)
    target[at + 1] = value
    return at + 2
  }
  if (value < 0x4000_0000) {
    target[at] = 0x80 | (value >>> 24)
    target[at + 1] = value >>> 16
    target[at + 2] = value >>> 8
    target[at + 3] = value
    return at + 4
  }
  assert(value <= VARINT_MAX, 'a varint holds at most 2^53-1')
  const high = Math.floor(value / TWO_32)
  const low = value >>> 0
  target[at] = 0xc0 | (high >>> 24)
  target[at + 1] = high >>> 16
  target[at + 2] = high >>> 8
  target[at + 3] = high
  target[at + 4] = low >>> 24
  target[at + 5] = low >>> 16
  target[at + 6] = low >>> 8
  target[at + 7] = low
  return at + 8
}

/** Bytes of the varint whose first byte is `firstByte`. */
export const varintBytesFrom = (firstByte: number): number => 1 << (firstByte >>> 6)

/**
 * Reads the varint at `at` of `source`, which ends before `end`. -1 when it is cut off or above 2^53-1. Its length is
 * `varintBytesFrom(source[at])`. Longer encodings than necessary are accepted (RFC 9000 §16).
 */
export const readVarint = (source: Uint8Array, at: number, end: number): number => {
  if (at >= end) return -1
  const first = source[at] ?? 0
  switch (first >>> 6) {
    case 0:
      return first
    case 1:
      if (at + 2 > end) return -1
      return ((first & 0x3f) << 8) | (source[at + 1] ?? 0)
    case 2:
      if (at + 4 > end) return -1
      return (
        ((first & 0x3f) << 24) | ((source[at + 1] ?? 0) << 16) | ((source[at + 2] ?? 0) << 8) | (source[at + 3] ?? 0)
      )
    default: {
      if (at + 8 > end) return -1
      const high =
        ((first & 0x3f) << 24) | ((source[at + 1] ?? 0) << 16) | ((source[at + 2] ?? 0) << 8) | (source[at + 3] ?? 0)
      if (high > 0x1f_ffff) return -1
      const low =
        (((source[at + 4] ?? 0) << 24) |
          ((source[at + 5] ?? 0) << 16) |
          ((source[at + 6] ?? 0) << 8) |
          (source[at + 7] ?? 0)) >>>
        0
      return high * TWO_32 + low
    }
  }
}
