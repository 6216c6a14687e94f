/**
 * The messages of a session's control stream: what sender and receiver say to each other beside the data.
 *
 * ```
 * message := length (varint, of what follows) · type (1 byte) · body
 *
 * type  name              direction  body
 * 0x01  Manifest          S→R        the encoded manifest
 * 0x02  Accept            R→S        pairs: chunks that the receiver holds durably
 * 0x03  Decline           R→S        –
 * 0x04  Durable           R→S        pairs: chunks that are durable and recorded
 * 0x05  FileHashes        S→R        first file · count · 32 bytes each
 * 0x06  Retransmit        R→S        reason (1 byte) · pairs
 * 0x07  FilesCompleted    R→S        first file · count
 * 0x08  Completed         R→S        bytes · milliseconds · pairs (of files that are missing; left out where none is)
 * 0x09  CompletionKnown   S→R        –
 * 0x0a  Failed            both       error code as text
 * 0x0b  Lanes             both       count (1 byte) · (lane (1 byte) · candidates) × count
 * 0x0c  FilesFailed       S→R        error code as text · pairs (of files)
 *
 * pairs := count (varint) · (first · length) × count, all varints, ascending
 * ```
 *
 * Docs: docs/protocol/transfer.md.
 */
import { ByteReader, ByteWriter } from './bytes.js'
import { type Candidate, readCandidates, writeCandidates } from './candidates.js'
import { type ErrorCode, isErrorCode } from './errors.js'
import { CONTROL_MESSAGE_MAX_BYTES, LANES_MAX, MANIFEST_MAX_ENTRIES } from './limits.js'
import type { RangePair } from './rangeSet.js'
import { readVarint, varintBytesFrom } from './varint.js'

/** Pairs in one message: a receiver with more holes than that asks for the rest later. */
export const PAIRS_MAX = 100_000
/** Hashes in one FileHashes message. */
export const FILE_HASHES_MAX = 1024

export type RetransmitReason = 'hashMismatch' | 'stagingDamaged' | 'sessionBroken'
const REASONS: readonly RetransmitReason[] = ['hashMismatch', 'stagingDamaged', 'sessionBroken']

/** Where a lane beside the first one can be reached. */
export interface LaneAddress {
  /** 1 … LANES_MAX - 1. */
  readonly lane: number
  readonly candidates: readonly Candidate[]
}

export type ControlMessage =
  | { readonly type: 'Manifest'; readonly manifest: Uint8Array }
  | { readonly type: 'Accept'; readonly held: readonly RangePair[] }
  | { readonly type: 'Decline' }
  | { readonly type: 'Durable'; readonly ranges: readonly RangePair[] }
  /** `hashes` is 32 bytes for each of `count` files from `first` on. */
  | { readonly type: 'FileHashes'; readonly first: number; readonly hashes: Uint8Array }
  | { readonly type: 'Retransmit'; readonly reason: RetransmitReason; readonly ranges: readonly RangePair[] }
  | { readonly type: 'FilesCompleted'; readonly first: number; readonly count: number }
  /** `missing`: file numbers that the sender could not deliver; `bytes` are those of the others. */
  | {
      readonly type: 'Completed'
      readonly bytes: number
      readonly milliseconds: number
      readonly missing: readonly RangePair[]
    }
  | { readonly type: 'CompletionKnown' }
  | { readonly type: 'Failed'; readonly code: ErrorCode }
  /** The sender offers further lanes, the receiver answers with those that it takes. */
  | { readonly type: 'Lanes'; readonly lanes: readonly LaneAddress[] }
  /** These files cannot be delivered, and are left out of the transfer; the others go on. */
  | { readonly type: 'FilesFailed'; readonly code: ErrorCode; readonly files: readonly RangePair[] }

const TYPES = {
  Manifest: 0x01,
  Accept: 0x02,
  Decline: 0x03,
  Durable: 0x04,
  FileHashes: 0x05,
  Retransmit: 0x06,
  FilesCompleted: 0x07,
  Completed: 0x08,
  CompletionKnown: 0x09,
  Failed: 0x0a,
  Lanes: 0x0b,
  FilesFailed: 0x0c,
} as const satisfies Record<ControlMessage['type'], number>

const writePairs = (writer: ByteWriter, pairs: readonly RangePair[]): void => {
  writer.varint(pairs.length)
  for (const [first, count] of pairs) writer.varint(first).varint(count)
}

/** The bytes of a message, its length in front. */
export const encodeControlMessage = (message: ControlMessage): Uint8Array => {
  const body = new ByteWriter(message.type === 'Manifest' ? message.manifest.length + 16 : 256)
  body.u8(TYPES[message.type])
  switch (message.type) {
    case 'Manifest':
      body.bytes(message.manifest)
      break
    case 'Accept':
      writePairs(body, message.held)
      break
    case 'Durable':
      writePairs(body, message.ranges)
      break
    case 'FileHashes':
      body
        .varint(message.first)
        .varint(message.hashes.length / 32)
        .bytes(message.hashes)
      break
    case 'Retransmit':
      body.u8(REASONS.indexOf(message.reason))
      writePairs(body, message.ranges)
      break
    case 'FilesCompleted':
      body.varint(message.first).varint(message.count)
      break
    case 'Completed':
      body.varint(message.bytes).varint(message.milliseconds)
      if (message.missing.length > 0) writePairs(body, message.missing)
      break
    case 'Failed':
      body.text(message.code)
      break
    case 'Lanes':
      body.u8(message.lanes.length)
      for (const { lane, candidates } of message.lanes) writeCandidates(body.u8(lane), candidates)
      break
    case 'FilesFailed':
      writePairs(body.text(message.code), message.files)
      break
    case 'Decline':
    case 'CompletionKnown':
      break
  }
  const bytes = body.finish()
  return new ByteWriter(bytes.length + 8).lengthPrefixed(bytes).finish()
}

const readPairs = (reader: ByteReader): RangePair[] | undefined => {
  const count = reader.varint(PAIRS_MAX)
  // Each pair is at least two bytes: a count that the bytes cannot hold is refused before anything is allocated.
  if (count === undefined || count * 2 > reader.remaining) return undefined
  const pairs: RangePair[] = []
  let before = 0
  for (let i = 0; i < count; i++) {
    const first = reader.varint()
    const length = reader.varint()
    if (first === undefined || length === undefined || first < before || length < 1) return undefined
    before = first + length
    if (!Number.isSafeInteger(before)) return undefined
    pairs.push([first, length])
  }
  return pairs
}

/** Decodes one message without its length. Undefined for anything that is not exactly one message. */
export const decodeControlMessage = (bytes: Uint8Array): ControlMessage | undefined => {
  const reader = new ByteReader(bytes)
  const message = readMessage(reader)
  return message !== undefined && reader.isAtEnd ? message : undefined
}

const readMessage = (reader: ByteReader): ControlMessage | undefined => {
  switch (reader.u8()) {
    case TYPES.Manifest:
      return { type: 'Manifest', manifest: reader.rest().slice() }
    case TYPES.Accept: {
      const held = readPairs(reader)
      return held && { type: 'Accept', held }
    }
    case TYPES.Decline:
      return { type: 'Decline' }
    case TYPES.Durable: {
      const ranges = readPairs(reader)
      return ranges && { type: 'Durable', ranges }
    }
    case TYPES.FileHashes: {
      const first = reader.varint(MANIFEST_MAX_ENTRIES)
      const count = reader.varint(FILE_HASHES_MAX)
      if (first === undefined || count === undefined) return undefined
      const hashes = reader.bytes(count * 32)
      return hashes && { type: 'FileHashes', first, hashes: hashes.slice() }
    }
    case TYPES.Retransmit: {
      const reason = REASONS[reader.u8() ?? REASONS.length]
      if (reason === undefined) return undefined
      const ranges = readPairs(reader)
      return ranges && { type: 'Retransmit', reason, ranges }
    }
    case TYPES.FilesCompleted: {
      const first = reader.varint(MANIFEST_MAX_ENTRIES)
      const count = reader.varint(MANIFEST_MAX_ENTRIES)
      if (first === undefined || count === undefined || count < 1) return undefined
      return { type: 'FilesCompleted', first, count }
    }
    case TYPES.Completed: {
      const total = reader.varint()
      const milliseconds = reader.varint()
      if (total === undefined || milliseconds === undefined) return undefined
      if (reader.isAtEnd) return { type: 'Completed', bytes: total, milliseconds, missing: [] }
      const missing = readPairs(reader)
      return missing && { type: 'Completed', bytes: total, milliseconds, missing }
    }
    case TYPES.CompletionKnown:
      return { type: 'CompletionKnown' }
    case TYPES.Failed: {
      const code = reader.text(64)
      return isErrorCode(code) ? { type: 'Failed', code } : undefined
    }
    case TYPES.Lanes: {
      const lanes = readLanes(reader)
      return lanes && { type: 'Lanes', lanes }
    }
    case TYPES.FilesFailed: {
      const code = reader.text(64)
      if (!isErrorCode(code)) return undefined
      const files = readPairs(reader)
      return files && { type: 'FilesFailed', code, files }
    }
    default:
      return undefined
  }
}

/** Lanes in rising order, each once. */
const readLanes = (reader: ByteReader): LaneAddress[] | undefined => {
  const count = reader.u8()
  if (count === undefined || count >= LANES_MAX) return undefined
  const lanes: LaneAddress[] = []
  let before = 0
  for (let i = 0; i < count; i++) {
    const lane = reader.u8()
    const candidates = readCandidates(reader)
    if (lane === undefined || lane <= before || lane >= LANES_MAX || candidates === undefined) return undefined
    lanes.push({ lane, candidates })
    before = lane
  }
  return lanes
}

/** Bytes of the buffer that messages are put together in, at first. */
const BUFFER_BYTES = 4096

/**
 * Cuts the control stream into messages. Bytes are kept until their message is whole; a peer can make it hold at most twice
 * CONTROL_MESSAGE_MAX_BYTES, in however small pieces they come.
 */
export class ControlReader {
  #buffer = new Uint8Array(BUFFER_BYTES)
  /** What of the buffer is not read yet: [start, end). */
  #start = 0
  #end = 0

  /** Bytes of memory that it holds. */
  get heldBytes(): number {
    return this.#buffer.length
  }

  /**
   * Takes the next bytes of the stream (copied) and yields the messages that they complete. Undefined when the stream
   * makes no sense; the session then ends.
   */
  push(bytes: Uint8Array): ControlMessage[] | undefined {
    this.#append(bytes)
    const messages: ControlMessage[] = []
    for (;;) {
      const prefix = varintBytesFrom(this.#buffer[this.#start] ?? 0)
      if (this.#end - this.#start < prefix) return messages
      const length = readVarint(this.#buffer, this.#start, this.#end)
      if (length < 1 || length > CONTROL_MESSAGE_MAX_BYTES) return undefined
      const bodyStart = this.#start + prefix
      if (this.#end < bodyStart + length) return messages
      const message = decodeControlMessage(this.#buffer.subarray(bodyStart, bodyStart + length))
      if (message === undefined) return undefined
      messages.push(message)
      this.#start = bodyStart + length
      if (this.#start === this.#end) this.#clear()
    }
  }

  #append(bytes: Uint8Array): void {
    const waiting = this.#end - this.#start
    if (this.#end + bytes.length > this.#buffer.length) {
      const isRoomy = waiting + bytes.length <= this.#buffer.length
      const target = isRoomy ? this.#buffer : new Uint8Array(Math.max(2 * this.#buffer.length, waiting + bytes.length))
      target.set(this.#buffer.subarray(this.#start, this.#end))
      this.#buffer = target
      this.#start = 0
      this.#end = waiting
    }
    this.#buffer.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** A large message leaves no large buffer behind. */
  #clear(): void {
    if (this.#buffer.length > BUFFER_BYTES) this.#buffer = new Uint8Array(BUFFER_BYTES)
    this.#start = 0
    this.#end = 0
  }
}
