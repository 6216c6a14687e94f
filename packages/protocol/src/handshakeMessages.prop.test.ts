import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Candidate } from './candidates.js'
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
  MESSAGE_TYPE,
  type MessageName,
} from './handshakeMessages.js'
import {
  cutDeviceName,
  decodePeerIntroduction,
  decodeSenderIntroduction,
  encodePeerIntroduction,
  encodeSenderIntroduction,
} from './handshakeMessagesSealed.js'
import { makeOfferPreview } from './offer.js'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const choices = fc.array(fc.nat(255), { minLength: 1, maxLength: 16 })
const runId = bytes(8)
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

/** Each message, as encoded bytes and as what they must decode to. */
const messages = {
  m0: fc.record({ runId, versions: choices, suites: choices, nonce: bytes(32) }).map((m) => ({
    encoded: encodeM0(m),
    decode: decodeM0 as (message: Uint8Array) => unknown,
    value: m as unknown,
  })),
  m1: fc
    .record({ runId, version: fc.nat(255), suite: fc.nat(255), nonce: bytes(32), roomSalt: bytes(16) })
    .map((m) => ({ encoded: encodeM1(m), decode: decodeM1, value: m })),
  m2: fc.record({ runId, point: bytes(32) }).map((m) => ({
    encoded: encodeShare('m2', m),
    decode: (message: Uint8Array) => decodeShare('m2', message),
    value: m,
  })),
  m4: fc.record({ runId, confirmation: bytes(64), sealed: fc.uint8Array({ maxLength: 2000 }) }).map((m) => ({
    encoded: encodeConfirm('m4', m),
    decode: (message: Uint8Array) => decodeConfirm('m4', message),
    value: m,
  })),
  r0: fc
    .record({
      runId,
      resumptionId: bytes(16),
      generation: fc.nat(0xffff_ffff),
      nonce: bytes(32),
      point: bytes(32),
      mac: bytes(64),
    })
    .map((m) => ({ encoded: join(encodeR0Body(m), m.mac), decode: decodeR0, value: m })),
  r1: fc
    .record({ runId, nonce: bytes(32), point: bytes(32), mac: bytes(64) })
    .map((m) => ({ encoded: join(encodeR1Body(m), m.mac), decode: decodeR1, value: m })),
}

const decoders: readonly ((message: Uint8Array) => unknown)[] = [
  decodeHead,
  decodeM0,
  decodeM1,
  decodeR0,
  decodeR1,
  (message) => decodeShare('m2', message),
  (message) => decodeShare('m3', message),
  (message) => decodeConfirm('m4', message),
  (message) => decodeConfirm('r3', message),
  decodePeerIntroduction,
  decodeSenderIntroduction,
]

describe.each(Object.keys(messages) as (keyof typeof messages)[])('%s', (name) => {
  test('is decoded as it was encoded, and begins with its type and run', () => {
    fc.assert(
      fc.property(messages[name], ({ encoded, decode, value }) => {
        expect(decode(encoded)).toEqual(value)
        expect(decodeHead(encoded)?.name).toBe(name)
        expect(decodeHead(encoded)?.runId).toHaveLength(16)
      }),
      { numRuns: 50 },
    )
  })

  test('cut off, extended, or of another type, it is none', () => {
    fc.assert(
      fc.property(messages[name], fc.nat(), ({ encoded, decode }, cut) => {
        expect(decode(encoded.subarray(0, cut % encoded.length))).toBeUndefined()
        expect(decode(join(encoded, Uint8Array.of(0)))).toBeUndefined()
        const other = encoded.slice()
        other[0] = 0x7f
        expect(decode(other)).toBeUndefined()
        expect(decodeHead(other)).toBeUndefined()
      }),
      { numRuns: 50 },
    )
  })
})

test('any bytes decode to a value or to undefined, never to an exception', () => {
  const types = Object.keys(MESSAGE_TYPE) as MessageName[]
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(...types), (noise, type) => {
      const typed = join(Uint8Array.of(MESSAGE_TYPE[type]), noise)
      for (const decode of decoders) {
        decode(noise)
        decode(typed)
      }
    }),
    { numRuns: 2000 },
  )
  for (const decode of decoders) expect(decode(new Uint8Array(9000))).toBeUndefined()
})

describe('introductions', () => {
  const candidates: Candidate[] = [{ kind: 'observed', family: 'ipv4', ip: '203.0.113.9', port: 4000 }]
  const sender = {
    deviceName: 'Büro 🖥',
    packetCiphers: ['aes256Gcm'] as const,
    candidates,
    roomKey: new Uint8Array(32).fill(1),
    signature: new Uint8Array(64).fill(2),
    offer: makeOfferPreview(['film.mkv', 'notes'], 7, 40_000_000_000),
  }

  test('are decoded as they were encoded', () => {
    const peer = { deviceName: 'Büro 🖥', packetCiphers: ['chacha20Poly1305', 'aes256Gcm'] as const, candidates }
    expect(decodePeerIntroduction(encodePeerIntroduction(peer))).toEqual(peer)
    expect(decodeSenderIntroduction(encodeSenderIntroduction(sender))).toEqual(sender)
  })

  test('cut off anywhere they are none', () => {
    const encoded = encodeSenderIntroduction(sender)
    for (let cut = 0; cut < encoded.length; cut++) {
      expect(decodeSenderIntroduction(encoded.subarray(0, cut))).toBeUndefined()
    }
  })

  test('ciphers of a later version are left out, and too many are refused', () => {
    const peer = { deviceName: 'x', packetCiphers: ['aes256Gcm', 'chacha20Poly1305'] as const, candidates }
    const encoded = encodePeerIntroduction(peer)
    // Length and text of the name, the count, then the ciphers.
    encoded[3] = 77
    expect(decodePeerIntroduction(encoded)?.packetCiphers).toEqual(['chacha20Poly1305'])
    encoded[2] = 200
    expect(decodePeerIntroduction(encoded)).toBeUndefined()
  })

  test('a device name is cut between characters', () => {
    expect(cutDeviceName('x'.repeat(100))).toHaveLength(64)
    expect(cutDeviceName('🖥'.repeat(100))).toBe('🖥'.repeat(16))
    expect(cutDeviceName('a\ud800b')).toBe('a\ufffdb')
  })

  test('an offer shows eight names at most and leaves out those that cannot travel', () => {
    const offer = makeOfferPreview(['\ud800', 'x'.repeat(256), ...'abcdefghij'], 10, 1)
    expect(offer.topNames).toEqual([...'abcdefgh'])
    expect(offer.topCount).toBe(12)
  })

  test('an offer beyond the limits is refused', () => {
    const encoded = encodeSenderIntroduction({ ...sender, offer: makeOfferPreview([], 1, 1) })
    encoded[encoded.length - 7] = 0x1f
    expect(decodeSenderIntroduction(encoded)).toBeUndefined()
  })
})
