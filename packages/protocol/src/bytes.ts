/**
 * Reading and writing of byte layouts that are not on the hot path: manifests, handshake messages, control messages.
 *
 * A `ByteReader` never throws, whatever the bytes are: each read yields `undefined` when it passes the end or meets
 * bytes that are not acceptable. What is written comes from ourselves, so a `ByteWriter` asserts. Integers are
 * big-endian. Packets and frames have their own codecs without allocation (`packet.ts`, `frames.ts`).
 */
import { assert } from './assert.js'
import { decodeUtf8, encodeUtf8 } from './bytesText.js'
import { readVarint, VARINT_MAX_BYTES, varintBytesFrom, writeVarint } from './varint.js'

/** Reads one layout from `bytes[start, end)`, which stays the caller's and must not change meanwhile. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    assert(start >= 0 && start <= end && end <= bytes.length, 'a reader reads inside of its bytes')
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** Offset of the next byte from the first byte of the underlying array. */
  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#end - this.#position
  }

  get isAtEnd(): boolean {
    return this.#position === this.#end
  }

  u8(): number | undefined {
    return this.#unsigned(1)
  }

  u16(): number | undefined {
    return this.#unsigned(2)
  }

  u32(): number | undefined {
    return this.#unsigned(4)
  }

  /** Eight bytes; undefined above 2^53-1. */
  u64(): number | undefined {
    if (this.remaining < 8) return undefined
    const high = this.#unsigned(4) ?? 0
    const low = this.#unsigned(4) ?? 0
    if (high > 0x1f_ffff) return undefined
    return high * 0x1_0000_0000 + low
  }

  /** A varint (RFC 9000 §16); undefined when cut off, above 2^53-1, or above `max`. */
  varint(max = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = readVarint(this.#bytes, this.#position, this.#end)
    if (value < 0 || value > max) return undefined
    this.#position += varintBytesFrom(this.#bytes[this.#position] ?? 0)
    return value
  }

  /** The next `count` bytes: a view of the underlying array, not a copy. */
  bytes(count: number): Uint8Array | undefined {
    if (count < 0 || count > this.remaining) return undefined
    const view = this.#bytes.subarray(this.#position, this.#position + count)
    this.#position += count
    return view
  }

  /** A varint length of at most `maxBytes`, then that many bytes: a view. */
  lengthPrefixed(maxBytes: number): Uint8Array | undefined {
    const length = this.varint(maxBytes)
    return length === undefined ? undefined : this.bytes(length)
  }

  /** A varint length of at most `maxBytes`, then that many bytes of strict UTF-8 (RFC 3629). */
  text(maxBytes: number): string | undefined {
    const bytes = this.lengthPrefixed(maxBytes)
    return bytes === undefined ? undefined : decodeUtf8(bytes)
  }

  /** Everything up to the end: a view. */
  rest(): Uint8Array {
    const view = this.#bytes.subarray(this.#position, this.#end)
    this.#position = this.#end
    return view
  }

  #unsigned(count: 1 | 2 | 4): number | undefined {
    if (this.remaining < count) return undefined
    let value = 0
    for (let i = 0; i < count; i++) value = value * 256 + (this.#bytes[this.#position + i] ?? 0)
    this.#position += count
    return value
  }
}

/** Writes one layout into a buffer that grows as needed. */
export class ByteWriter {
  #buffer: Uint8Array
  #length = 0

  constructor(initialBytes = 256) {
    this.#buffer = new Uint8Array(Math.max(16, initialBytes))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    return this.#unsigned(value, 1)
  }

  u16(value: number): this {
    return this.#unsigned(value, 2)
  }

  u32(value: number): this {
    return this.#unsigned(value, 4)
  }

  /** Eight bytes; `value` is at most 2^53-1. */
  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'u64 writes an integer in 0 … 2^53-1')
    this.#unsigned(Math.floor(value / 0x1_0000_0000), 4)
    return this.#unsigned(value % 0x1_0000_0000, 4)
  }

  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is an integer in 0 … 2^53-1')
    this.#reserve(VARINT_MAX_BYTES)
    this.#length = writeVarint(this.#buffer, this.#length, value)
    return this
  }

  bytes(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** A varint length, then the bytes. */
  lengthPrefixed(bytes: Uint8Array): this {
    return this.varint(bytes.length).bytes(bytes)
  }

  /** A varint length, then UTF-8. A string with a lone surrogate is a bug here: check with `encodeUtf8` before. */
  text(text: string): this {
    const bytes = encodeUtf8(text)
    assert(bytes !== undefined, 'text to write has no lone surrogate')
    return this.lengthPrefixed(bytes)
  }

  /** A copy of what was written; the writer may go on. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length)
  }

  #unsigned(value: number, count: 1 | 2 | 4): this {
    assert(Number.isInteger(value) && value >= 0 && value < 256 ** count, 'the value fits its field')
    this.#reserve(count)
    for (let i = count - 1; i >= 0; i--) {
      this.#buffer[this.#length + i] = value % 256
      value = Math.floor(value / 256)
    }
    this.#length += count
    return this
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }
}

/** One array with all `parts` in order. */
export const concatBytes = (...parts: readonly Uint8Array[]): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/**
 * Whether two arrays hold the same bytes. Every byte is looked at, whatever the answer, so that it may compare MACs;
 * only the lengths may show in the time taken.
 */
export const equalBytes = (left: Uint8Array, right: Uint8Array): boolean => {
  if (left.length !== right.length) return false
  let difference = 0
  for (let i = 0; i < left.length; i++) difference |= (left[i] ?? 0) ^ (right[i] ?? 0)
  return difference === 0
}
