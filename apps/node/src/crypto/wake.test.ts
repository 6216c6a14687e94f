/** Wakes on real crypto: which one ends a session, and that a rendezvous can make none and keep none for later. */
import { createHmac } from 'node:crypto'
import { confirmUse, type ResumptionSecrets, rotated } from '@godwit/engine/handshake/resumption'
import { isWakeFor, wakesFor } from '@godwit/engine/handshake/wake'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { bareWake, decodeWake } from '@godwit/protocol/wakeMessage'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = await createHandshakeCrypto()
})

const secretOf = (generation: number) => ({ id: crypto.randomBytes(16), secret: crypto.randomBytes(32), generation })

/** Whether one of `messages` wakes a receiver whose current secret is that of `secrets`. */
const wakes = (messages: readonly Uint8Array[], secrets: ResumptionSecrets | null): boolean =>
  messages.some((message) => {
    const wake = decodeWake(message)
    return wake !== undefined && isWakeFor(crypto, secrets?.current ?? null, wake)
  })

test('a receiver that has paired is woken by its sender, whichever of two secrets it has', () => {
  const [g1, g2] = [secretOf(1), secretOf(2)]
  const atSender = rotated(g1, g2)
  const messages = wakesFor(crypto, atSender)
  expect(messages.map(({ length }) => length)).toEqual([85, 85])
  // The last message of the handshake was lost, or it arrived.
  expect(wakes(messages, { current: g1, previous: null })).toBe(true)
  expect(wakes(messages, { current: g2, previous: g1 })).toBe(true)
  expect(wakes(wakesFor(crypto, confirmUse(atSender)), { current: g2, previous: null })).toBe(true)
})

test('a wake of a session before is not one of the session now', () => {
  const [g1, g2, g3] = [secretOf(1), secretOf(2), secretOf(3)]
  const keptBack = wakesFor(crypto, rotated(g1, g2))
  expect(wakes(keptBack, { current: g3, previous: g2 })).toBe(false)
  expect(wakes(keptBack, { current: { ...g3, generation: 2 }, previous: null })).toBe(false)
  expect(wakes(wakesFor(crypto, { current: secretOf(3), previous: null }), { current: g3, previous: null })).toBe(false)
})

test('a bare wake wakes only who has not paired', () => {
  expect(wakesFor(crypto, null)).toEqual([bareWake()])
  expect(wakes([bareWake()], null)).toBe(true)
  expect(wakes([bareWake()], { current: secretOf(1), previous: null })).toBe(false)
  expect(wakes(wakesFor(crypto, { current: secretOf(1), previous: null }), null)).toBe(false)
})

test('a changed wake wakes nobody, and any bytes are decoded without an exception', () => {
  const secrets = { current: secretOf(7), previous: null }
  const [message = new Uint8Array()] = wakesFor(crypto, secrets)
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.nat(7), (at, bit) => {
      const changed = message.slice()
      changed[at] = (changed[at] ?? 0) ^ (1 << bit)
      expect(wakes([changed], secrets)).toBe(false)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(wakes([bytes, Uint8Array.of(0x7f, ...bytes)], secrets)).toBe(false)
    }),
  )
})

test('the MAC is the one of the protocol', () => {
  const current = { id: new Uint8Array(16).fill(1), secret: new Uint8Array(32).fill(2), generation: 3 }
  const body = Buffer.concat([Buffer.of(0x7f), current.id, Buffer.of(0, 0, 0, 3)])
  const key = createHmac('sha512', current.secret).update('godwit1 wake').update(Uint8Array.of(1)).digest()
  const mac = createHmac('sha512', key.subarray(0, 32)).update(body).digest()
  expect(wakesFor(crypto, { current, previous: null })).toEqual([new Uint8Array(Buffer.concat([body, mac]))])
})
