/**
 * Every decoder of a peer's bytes, on well-formed bytes that were changed a little: it gives a value or a refusal, never
 * throws, and what it takes is what it would write itself.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AckRanges } from './ackRanges.js'
import { enqueueReceiveInput, enqueueSendInput, transferIdSchema } from './api.js'
import { ByteReader, ByteWriter } from './bytes.js'
import { type Candidate, readCandidates, usableCandidates, writeCandidates } from './candidates.js'
import { formatCode, parseAddress, parseCode, parseRoomName } from './code.js'
import { type ControlMessage, ControlReader, decodeControlMessage, encodeControlMessage } from './controlMessages.js'
import {
  FRAME_ACK,
  FRAME_CLOSE,
  FRAME_END,
  FRAME_MALFORMED,
  FRAME_MAX_CREDIT,
  FRAME_PATH_CHALLENGE,
  FrameReader,
  writeAck,
  writeAckFrequency,
  writeChunkDataHeader,
  writeChunkHashHeader,
  writeControlHeader,
  writeNumberFrame,
  writePathFrame,
} from './frames.js'
import {
  decodeConfirm,
  decodeHead,
  decodeM0,
  decodeM1,
  decodeR0,
  decodeR1,
  decodeShare,
  encodeConfirm,
  encodeM0,
  encodeM1,
  encodeR0Body,
  encodeR1Body,
  encodeShare,
} from './handshakeMessages.js'
import {
  decodePeerIntroduction,
  decodeSenderIntroduction,
  encodePeerIntroduction,
  encodeSenderIntroduction,
} from './handshakeMessagesSealed.js'
import { ACK_MAX_RANGES, CHUNK_SIZE_BYTES, CONTROL_MESSAGE_MAX_BYTES } from './limits.js'
import { decodeManifest, encodeManifest } from './manifestCodec.js'
import {
  decodeObserveAnswer,
  decodeObserveRequest,
  encodeObserveAnswer,
  encodeObserveRequest,
  looksLikeObserveAnswer,
} from './observe.js'
import { makeOfferPreview } from './offer.js'
import { readPacketLength, writePacketHeader } from './packet.js'
import { parseRate } from './rate.js'
import { openRoomInput, postInput, roomCommandInput, roomFeedItemSchema, watchRoomInput } from './rendezvousApi.js'
import { CHANGE_KINDS, mutateBytes } from './testing/mutateBytes.js'
import { transferEventSchema } from './transferEvents.js'
import { readVarint, VARINT_MAX, varintBytes, varintBytesFrom, writeVarint } from './varint.js'
import { decodeWake, encodeWakeBody } from './wakeMessage.js'

/** The same cases in every run; raise the number to look further. */
const RUNS = { numRuns: 1500, seed: 4 }

const filled = (length: number, byte = 7): Uint8Array => new Uint8Array(length).fill(byte)
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))
const runId = filled(8)
const candidates: readonly Candidate[] = [
  { kind: 'host', family: 'ipv4', ip: '192.0.2.7', port: 4000 },
  { kind: 'observed', family: 'ipv6', ip: '2001:db8::1', port: 65_535 },
]
const introduction = { deviceName: 'a lap top', packetCiphers: ['chacha20Poly1305', 'aes256Gcm'], candidates } as const
const offer = makeOfferPreview(['film.mkv', 'notes'], 3, 2 ** 40)

const CONTROL: readonly ControlMessage[] = [
  { type: 'Manifest', manifest: filled(40) },
  {
    type: 'Accept',
    held: [
      [0, 3],
      [7, 1],
    ],
  },
  { type: 'Durable', ranges: [[2, 2 ** 40]] },
  { type: 'FileHashes', first: 3, hashes: filled(64) },
  { type: 'Retransmit', reason: 'hashMismatch', ranges: [[1, 1]] },
  { type: 'FilesCompleted', first: 0, count: 3 },
  { type: 'Completed', bytes: 2 ** 50, milliseconds: 12, missing: [] },
  { type: 'Completed', bytes: 2 ** 50, milliseconds: 12, missing: [[3, 2]] },
  { type: 'FilesFailed', code: 'ERR_SOURCE_CHANGED', files: [[0, 2]] },
  { type: 'Failed', code: 'ERR_DISK_FULL' },
  { type: 'Lanes', lanes: [{ lane: 1, candidates }] },
  { type: 'Decline' },
  { type: 'CompletionKnown' },
]
const bodyOf = (message: ControlMessage): Uint8Array => {
  const bytes = encodeControlMessage(message)
  return bytes.subarray(varintBytesFrom(bytes[0] ?? 0))
}

const manifestBytes = (): Uint8Array => {
  const encoded = encodeManifest({
    entries: [
      { kind: 'folder', path: ['a'], mtimeMs: 1 },
      { kind: 'file', path: ['a', 'b.txt'], sizeBytes: 2 ** 33, mtimeMs: -5, isExecutable: true },
      { kind: 'file', path: ['z'], sizeBytes: 0, mtimeMs: 2 ** 40, isExecutable: false },
    ],
  })
  if (!encoded.ok) throw new Error('a sound manifest')
  return encoded.value
}

const frames = (): Uint8Array => {
  const out = new Uint8Array(400)
  const ranges = new AckRanges()
  for (const number of [1, 2, 3, 9, 20, 21]) ranges.add(number)
  let at = writeAck(out, 0, 100, ranges, 500)
  at = writeChunkHashHeader(out, at, 70_000) + 32
  at = writeChunkDataHeader(out, at, 5, 1000, 40) + 40
  at = writeControlHeader(out, at, 2 ** 35, 20) + 20
  at = writeNumberFrame(out, at, FRAME_MAX_CREDIT, 2 ** 45)
  at = writeAckFrequency(out, at, 1, 64, 8000)
  at = writePathFrame(out, at, FRAME_PATH_CHALLENGE, filled(8))
  at = writeNumberFrame(out, at, FRAME_CLOSE, 3)
  return out.subarray(0, at)
}

interface Decoder {
  readonly samples: readonly Uint8Array[]
  /** Undefined for a refusal. */
  readonly decode: (bytes: Uint8Array) => unknown
  /** What the value would be written as, where there is one way only. */
  readonly encode?: (value: never) => Uint8Array
}

const okOf = <T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false }): T | undefined =>
  result.ok ? result.value : undefined

const DECODERS: Readonly<Record<string, Decoder>> = {
  'a control message': { samples: CONTROL.map(bodyOf), decode: decodeControlMessage, encode: bodyOf },
  'a manifest': {
    samples: [manifestBytes()],
    decode: (bytes) => okOf(decodeManifest(bytes)),
    encode: (manifest) => okOf(encodeManifest(manifest)) ?? new Uint8Array(0),
  },
  candidates: {
    samples: [writeCandidatesOf(candidates)],
    decode: (bytes) => {
      const reader = new ByteReader(bytes)
      const read = readCandidates(reader)
      if (read !== undefined) usableCandidates(read, { allowsLoopback: true })
      return reader.isAtEnd ? read : undefined
    },
    encode: writeCandidatesOf,
  },
  m0: {
    samples: [encodeM0({ runId, versions: [1], suites: [1, 2], nonce: filled(32) })],
    decode: decodeM0,
    encode: encodeM0,
  },
  m1: {
    samples: [encodeM1({ runId, version: 1, suite: 1, nonce: filled(32), roomSalt: filled(16) })],
    decode: decodeM1,
    encode: encodeM1,
  },
  m2: { samples: [encodeShare('m2', { runId, point: filled(32) })], decode: (bytes) => decodeShare('m2', bytes) },
  m4: {
    samples: [encodeConfirm('m4', { runId, confirmation: filled(64), sealed: filled(100) })],
    decode: (bytes) => decodeConfirm('m4', bytes),
  },
  r0: {
    samples: [
      joined(
        encodeR0Body({ runId, resumptionId: filled(16), generation: 9, nonce: filled(32), point: filled(32) }),
        filled(64),
      ),
    ],
    decode: decodeR0,
  },
  r1: {
    samples: [joined(encodeR1Body({ runId, nonce: filled(32), point: filled(32) }), filled(64))],
    decode: decodeR1,
  },
  'the head of a handshake message': { samples: [encodeShare('m3', { runId, point: filled(32) })], decode: decodeHead },
  'a peer that introduces itself': { samples: [encodePeerIntroduction(introduction)], decode: decodePeerIntroduction },
  'a sender that introduces itself': {
    samples: [encodeSenderIntroduction({ ...introduction, roomKey: filled(32), signature: filled(64), offer })],
    decode: decodeSenderIntroduction,
  },
  'a wake': {
    samples: [joined(encodeWakeBody({ resumptionId: filled(16), generation: 1 }), filled(64)), Uint8Array.of(0x7f)],
    decode: decodeWake,
  },
  'a question for an address': {
    samples: [encodeObserveRequest({ token: filled(32), nonce: filled(8) })],
    decode: decodeObserveRequest,
    encode: encodeObserveRequest,
  },
  'an answer with an address': {
    samples: [encodeObserveAnswer(filled(8), { ip: '192.0.2.1', port: 9 }) ?? new Uint8Array(0)],
    decode: (bytes) =>
      looksLikeObserveAnswer(bytes, bytes.length) ? decodeObserveAnswer(bytes, filled(8)) : undefined,
  },
}

function writeCandidatesOf(list: readonly Candidate[]): Uint8Array {
  const writer = new ByteWriter()
  writeCandidates(writer, list)
  return writer.finish()
}

const changes = fc.array(
  fc.record({
    kind: fc.constantFrom(...CHANGE_KINDS),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.nat(1 << 16),
  }),
  { minLength: 1, maxLength: 5 },
)

describe.each(Object.entries(DECODERS))('%s', (_name, { samples, decode, encode }) => {
  test('is taken as it was written', () => {
    for (const sample of samples) expect(decode(sample)).toBeDefined()
  })

  test('changed in any way is taken for what it says, or refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), changes, (sample, list) => {
        const value = decode(mutateBytes(sample, list))
        if (value === undefined || value === null || encode === undefined) return
        // Varints may be longer than need be; what is written again says the same.
        expect(decode(encode(value as never))).toEqual(value)
      }),
      RUNS,
    )
  })
})

test('frames changed in any way are read to an end, within their bounds', () => {
  const sample = frames()
  const reader = new FrameReader()
  fc.assert(
    fc.property(changes, (list) => {
      const bytes = mutateBytes(sample, list)
      reader.reset(bytes, 0, bytes.length)
      let count = 0
      for (let type = reader.next(); type !== FRAME_END && type !== FRAME_MALFORMED; type = reader.next()) {
        count += 1
        expect(count).toBeLessThanOrEqual(bytes.length)
        expect(reader.dataStart + reader.dataLength).toBeLessThanOrEqual(Math.max(bytes.length, CHUNK_SIZE_BYTES))
        expect(reader.rangeCount).toBeLessThanOrEqual(ACK_MAX_RANGES)
        for (let i = 0; type === FRAME_ACK && i < reader.rangeCount; i++) {
          const [start = -1, end = -1] = reader.ranges.subarray(2 * i, 2 * i + 2)
          expect(start).toBeGreaterThanOrEqual(0)
          expect(end).toBeGreaterThan(start)
          if (i > 0) expect(end).toBeLessThan(reader.ranges[2 * i - 2] ?? 0)
        }
      }
    }),
    RUNS,
  )
})

test('the header of a packet leads nowhere but into its datagram', () => {
  const packet = new Uint8Array(200)
  writePacketHeader(packet, 0, 1, 2, 200, filled(8), 77)
  fc.assert(
    fc.property(changes, fc.nat(250), (list, at) => {
      const bytes = mutateBytes(packet, list)
      const length = readPacketLength(bytes, Math.min(at, bytes.length), bytes.length)
      if (length !== -1) expect(Math.min(at, bytes.length) + length).toBeLessThanOrEqual(bytes.length)
    }),
    RUNS,
  )
})

test('a varint is its value or nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9 }), (bytes) => {
      const value = readVarint(bytes, 0, bytes.length)
      if (value < 0) return
      expect(Number.isSafeInteger(value) && value <= VARINT_MAX).toBe(true)
      const shortest = new Uint8Array(varintBytes(value))
      writeVarint(shortest, 0, value)
      expect(readVarint(shortest, 0, shortest.length)).toBe(value)
    }),
    RUNS,
  )
})

test('a control stream changed in any way is cut into messages or ends, and holds no more than its limit', () => {
  const stream = joined(...CONTROL.map(encodeControlMessage))
  fc.assert(
    fc.property(changes, fc.integer({ min: 1, max: 90 }), (list, step) => {
      const bytes = mutateBytes(stream, list)
      const reader = new ControlReader()
      for (let at = 0; at < bytes.length; at += step) {
        if (reader.push(bytes.subarray(at, at + step)) === undefined) return
        expect(reader.heldBytes).toBeLessThanOrEqual(2 * CONTROL_MESSAGE_MAX_BYTES)
      }
    }),
    RUNS,
  )
})

test('a control message that comes byte by byte is held once', () => {
  const reader = new ControlReader()
  const message = encodeControlMessage({ type: 'Manifest', manifest: filled(300_000) })
  for (let at = 0; at < message.length - 1; at++) reader.push(message.subarray(at, at + 1))
  expect(reader.heldBytes).toBeLessThanOrEqual(2 * message.length)
  expect(reader.push(message.subarray(message.length - 1))).toHaveLength(1)
  expect(reader.heldBytes).toBeLessThan(10_000)
})

test('a manifest with a million anywhere in it is refused, or has no more entries than before', () => {
  const sample = manifestBytes()
  for (let at = 0; at < sample.length; at++) {
    const decoded = decodeManifest(mutateBytes(sample, [{ kind: 'number', at: at / sample.length, value: 8 }]))
    if (decoded.ok) expect(decoded.value.entries.length).toBeLessThanOrEqual(3)
  }
})

describe('inputs of the interfaces', () => {
  const SCHEMAS = {
    enqueueSendInput,
    enqueueReceiveInput,
    transferIdSchema,
    openRoomInput,
    roomCommandInput,
    postInput,
    watchRoomInput,
    roomFeedItemSchema,
    transferEventSchema,
  } as const
  const SOUND = {
    paths: ['/a'],
    submissionId: 's',
    code: '1-a-b-c',
    output: '/out',
    capacity: 1,
    roomId: 'rmabcdefghijklmnop',
    command: { type: 'close', reason: 'completed' },
    kind: 'message',
    type: 'ChunksAcked',
    data: { receiver: 'rcabcdefghijklmnop', ranges: [[0, 1]] },
  }
  const json = fc.oneof(
    fc.jsonValue(),
    fc
      .tuple(fc.constantFrom(...Object.keys(SOUND)), fc.anything({ withBigInt: false, maxDepth: 3 }))
      .map(([key, value]) => ({ ...SOUND, [key]: value })),
    fc.constantFrom<unknown>(
      { __proto__: null },
      { ...SOUND, capacity: 2 ** 53 },
      { ...SOUND, paths: Array(20_000).fill('/') },
    ),
  )

  test.each(Object.entries(SCHEMAS))('%s takes or refuses whatever comes, and never throws', (_name, schema) => {
    fc.assert(
      fc.property(json, (value) => {
        schema.safeParse(value)
      }),
      { ...RUNS, numRuns: 300 },
    )
  })

  test('what a user types is read or refused', () => {
    const typed = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 500 }),
      fc.stringMatching(/^[0-9a-z@:.[\]% -]{0,60}$/),
    )
    fc.assert(
      fc.property(typed, (text) => {
        const code = parseCode(text)
        if (code.ok) expect(parseCode(formatCode(code.value))).toEqual(code)
        parseRoomName(text)
        parseAddress(text)
        parseRate(text)
      }),
      RUNS,
    )
  })
})
