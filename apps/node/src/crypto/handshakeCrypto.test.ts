import { createHmac, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, scryptSync } from 'node:crypto'
import { hkdfExpand, hkdfExtract } from '@godwit/engine/handshake/hkdf'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = await createHandshakeCrypto()
})

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('key derivation', () => {
  test('HMAC-SHA512, RFC 4231 test case 2', () => {
    expect(Buffer.from(crypto.hmac(text('Jefe'), text('what do ya want for nothing?'))).toString('hex')).toBe(
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    )
  })

  test.each([1, 12, 32, 63, 64, 65, 200])('HKDF of %i bytes is Node’s', (length) => {
    const [ikm, salt, info] = [text('key material'), text('salt'), text('info')]
    const expected = new Uint8Array(hkdfSync('sha512', ikm, salt, info, length))
    expect(hkdfExpand(crypto, hkdfExtract(crypto, salt, ikm), info, length)).toEqual(expected)
    expect(hkdfExtract(crypto, salt, ikm)).toEqual(new Uint8Array(createHmac('sha512', salt).update(ikm).digest()))
  })

  test('scrypt with the parameters that the protocol names', async () => {
    const expected = scryptSync('one two', 'salt', 32, { N: 32_768, r: 8, p: 1, maxmem: 2 ** 26 })
    expect(await crypto.stretch(text('one two'), text('salt'))).toEqual(new Uint8Array(expected))
  })
})

describe('X25519', () => {
  test('both sides get the same, and OpenSSL too', () => {
    const pair = crypto.x25519KeyPair()
    const other = generateKeyPairSync('x25519')
    const otherPublic = new Uint8Array(other.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32))
    // A SubjectPublicKeyInfo of X25519 (RFC 8410) is this prefix and the key.
    const spki = Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), pair.publicKey])
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    const expected = diffieHellman({ privateKey: other.privateKey, publicKey })
    expect(crypto.x25519(pair.secretKey, otherPublic)).toEqual(new Uint8Array(expected))
  })

  test.each(['00', '01'])('a low-order key gives nothing', (first) => {
    const point = new Uint8Array(32)
    point[0] = Number.parseInt(first, 16)
    expect(crypto.x25519(crypto.x25519KeyPair().secretKey, point)).toBeUndefined()
  })
})

describe('Ed25519', () => {
  test('a signature holds for its key and data only', () => {
    const pair = crypto.ed25519KeyPair()
    const signature = crypto.ed25519Sign(pair.secretKey, text('room'))
    expect(crypto.ed25519Verify(pair.publicKey, text('room'), signature)).toBe(true)
    expect(crypto.ed25519Verify(pair.publicKey, text('rook'), signature)).toBe(false)
    expect(crypto.ed25519Verify(crypto.ed25519KeyPair().publicKey, text('room'), signature)).toBe(false)
    expect(crypto.ed25519Verify(new Uint8Array(32), text('room'), signature)).toBe(false)
  })
})

describe('sealing once', () => {
  const key = new Uint8Array(32).fill(7)

  test('opens with the same associated data only', () => {
    const sealed = crypto.sealOnce(key, text('head'), text('body'))
    expect(crypto.openOnce(key, text('head'), sealed)).toEqual(text('body'))
    expect(crypto.openOnce(key, text('heat'), sealed)).toBeUndefined()
  })

  test('nothing but what was sealed opens', () => {
    const sealed = crypto.sealOnce(key, text('head'), text('body'))
    for (let length = 0; length < sealed.length; length++) {
      expect(crypto.openOnce(key, text('head'), sealed.subarray(0, length))).toBeUndefined()
    }
    for (let at = 0; at < sealed.length; at++) {
      const forged = sealed.slice()
      forged[at] = (forged[at] ?? 0) ^ 1
      expect(crypto.openOnce(key, text('head'), forged)).toBeUndefined()
    }
  })
})
