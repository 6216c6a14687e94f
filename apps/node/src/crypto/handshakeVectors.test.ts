/**
 * One pairing and one resumption with fixed chance: message for message and key for key as in vectors/handshake.json.
 * The vectors were written by this code once and are kept: whoever changes the bytes on the wire or the key schedule
 * finds out here, and needs a new handshake version. `reference` computes the keys a second time, as plainly as can be.
 */
import { createHash, createHmac, hkdfSync, scryptSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { RoomPassphrase, wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import { PairingResponder } from '@godwit/engine/handshake/pairingResponder'
import { ResumeInitiator } from '@godwit/engine/handshake/resumeInitiator'
import { ResumeResponder } from '@godwit/engine/handshake/resumeResponder'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import sodium from 'libsodium-wrappers-sumo'
import { beforeAll, describe, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'
import { contextOf, keysOf, OFFER, type Outcome, pairingOf, runHandshake, WORDS } from './handshakeTesting.js'

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')
const sha512 = (...parts: (Uint8Array | string)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha512')).digest()

/** Chance that is the same in every run of the test: SHA-512 of a name and a counter. */
const withFixedChance = (crypto: HandshakeCrypto, name: string): HandshakeCrypto => {
  let drawn = 0
  const draw = (count: number): Uint8Array => new Uint8Array(sha512(name, String(drawn++)).subarray(0, count))
  return {
    ...crypto,
    randomBytes: draw,
    ristrettoRandomScalar: () => sodium.crypto_core_ristretto255_scalar_reduce(draw(64)),
    x25519KeyPair: () => {
      const secretKey = draw(32)
      return { secretKey, publicKey: sodium.crypto_scalarmult_base(secretKey) }
    },
    ed25519KeyPair: () => {
      const { publicKey, privateKey } = sodium.crypto_sign_seed_keypair(draw(32))
      return { publicKey, secretKey: privateKey }
    },
  }
}

/** Scalars as they were drawn, before the machines wipe them. */
const recordingScalars = (crypto: HandshakeCrypto, scalars: Uint8Array[]): HandshakeCrypto => ({
  ...crypto,
  ristrettoRandomScalar: () => {
    const scalar = crypto.ristrettoRandomScalar()
    scalars.push(scalar.slice())
    return scalar
  },
})

let pairing: Outcome
let resumption: Outcome
let receiverScalar: Uint8Array
let roomSalt: Uint8Array
beforeAll(async () => {
  const real = await createHandshakeCrypto()
  const scalars: Uint8Array[] = []
  const receiver = contextOf(recordingScalars(withFixedChance(real, 'receiver'), scalars), 'receiver', 40_001)
  const sender = contextOf(withFixedChance(real, 'sender'), 'sender', 40_002)
  roomSalt = sender.crypto.randomBytes(16)
  const passphrase = new RoomPassphrase(sender.crypto, wordsPassphrase(WORDS), roomSalt)
  const room = { passphrase, roomKey: sender.crypto.ed25519KeyPair(), offer: OFFER }
  pairing = await runHandshake(
    new PairingInitiator(receiver, wordsPassphrase(WORDS)),
    new PairingResponder(sender, room),
  )
  receiverScalar = scalars[0] ?? new Uint8Array()
  const [ours, theirs] = [keysOf(pairing.initiator)?.resumption, keysOf(pairing.responder)?.resumption]
  if (ours === undefined || theirs === undefined) throw new Error('the pairing failed')
  resumption = await runHandshake(new ResumeInitiator(receiver, ours.current), new ResumeResponder(sender, theirs))
})

const described = (outcome: Outcome) => {
  const keys = keysOf(outcome.initiator)
  return {
    messages: outcome.posted.map(hex),
    receiverToSender: hex(keys?.trafficSecrets.receiverToSender),
    senderToReceiver: hex(keys?.trafficSecrets.senderToReceiver),
    connectionIdReceiver: hex(keys?.connectionIds.receiver),
    connectionIdSender: hex(keys?.connectionIds.sender),
    resumptionId: hex(keys?.resumption.current.id),
    resumptionSecret: hex(keys?.resumption.current.secret),
    generation: keys?.resumption.current.generation,
  }
}

/** Each part behind its length in LEB128; no part here is longer than 16,383 bytes. */
const lv = (...parts: (Uint8Array | string)[]): Buffer =>
  Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part)
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]
      return [Buffer.from(length), bytes]
    }),
  )
const extract = (salt: Uint8Array, key: Uint8Array): Buffer => createHmac('sha512', salt).update(key).digest()
/** Node's HKDF expands what it extracted itself, so the Expand step is written out: RFC 5869 §2.3. */
const expand = (prk: Uint8Array, info: string, length: number): Buffer => {
  expect(length).toBeLessThanOrEqual(64)
  return createHmac('sha512', prk).update(info).update(Uint8Array.of(1)).digest().subarray(0, length)
}

describe('the handshake of version 1', () => {
  test('is the one of the vectors, byte for byte', () => {
    const vectors: unknown = JSON.parse(readFileSync(new URL('./vectors/handshake.json', import.meta.url), 'utf8'))
    expect({ pairing: described(pairing), resumption: described(resumption) }).toEqual(vectors)
  })

  test('has the keys that a plain reading of the protocol gives', () => {
    const [m0, m1, m2, m3, m4, m5] = pairing.posted.map((message) => Buffer.from(message))
    if (!m0 || !m1 || !m2 || !m3 || !m4 || !m5) throw new Error('a pairing has six messages')
    const [nR, nS, Ya, Yb] = [m0.subarray(-32), m1.subarray(11, 43), m2.subarray(9), m3.subarray(9)]

    const prs = scryptSync(WORDS.join('-'), Buffer.concat([Buffer.from('godwit1 prs'), roomSalt]), 32, {
      N: 32_768,
      maxmem: 2 ** 26,
    })
    const sid = Buffer.concat([nR, nS])
    const ci = lv('godwit1', 'R', 'S', roomSalt, sha512(lv(m0, m1)))
    const dsi = 'CPaceRistretto255'
    const padding = Buffer.alloc(128 - 1 - lv(prs).length - lv(dsi).length)
    const generator = sodium.crypto_core_ristretto255_from_hash(sha512(lv(dsi, prs, padding, ci, sid)))
    expect(hex(sodium.crypto_scalarmult_ristretto255(receiverScalar, generator))).toBe(hex(Ya))
    const shared = sodium.crypto_scalarmult_ristretto255(receiverScalar, Yb)
    const isk = sha512(lv(`${dsi}_ISK`, sid, shared), lv(Ya, ''), lv(Yb, ''))

    const th3 = sha512(lv('godwit1 th3', m0, m1, Ya, Yb))
    const prk = extract(th3, isk)
    const confirm = (role: string, covered: Uint8Array): string =>
      hex(
        createHmac('sha512', expand(prk, `godwit1 confirm ${role}`, 64))
          .update(covered)
          .digest(),
      )
    expect(hex(m4.subarray(9, 73))).toBe(confirm('R', th3))
    expect(hex(m5.subarray(9, 73))).toBe(confirm('S', sha512(lv(th3, m4))))

    const master = extract(sha512(lv('godwit1 th5', th3, m4, m5)), expand(prk, 'derived', 64))
    const keys = pairingOf(pairing.initiator)
    expect(hex(keys?.trafficSecrets.receiverToSender)).toBe(hex(expand(master, 'godwit1 data R2S', 32)))
    expect(hex(keys?.trafficSecrets.senderToReceiver)).toBe(hex(expand(master, 'godwit1 data S2R', 32)))
    expect(hex(keys?.connectionIds.receiver)).toBe(hex(expand(master, 'godwit1 cid R', 8)))
    expect(hex(keys?.resumption.current.secret)).toBe(hex(expand(master, 'godwit1 resume', 32)))
  })

  test('Expand as written out here is HKDF', () => {
    const [salt, key] = [Buffer.from('salt'), Buffer.from('key')]
    expect(hex(expand(extract(salt, key), 'info', 40))).toBe(
      hex(new Uint8Array(hkdfSync('sha512', key, salt, 'info', 40))),
    )
  })
})
