/**
 * A rendezvous that meddles with the mailbox: messages dropped, doubled, held back, sent back to whom they come from, taken
 * from another handshake of the same room, or changed. Whoever ends with keys shares them with the one whom it means.
 */
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import { PairingResponder } from '@godwit/engine/handshake/pairingResponder'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { mutateBytes } from '@godwit/protocol/testing/mutateBytes'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'
import { contextOf, keysOf, type Meddler, roomOf, runHandshake, WORDS, withoutStretching } from './handshakeTesting.js'

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = withoutStretching(await createHandshakeCrypto())
})

/** Messages of one handshake at the most: a meddler cannot make two machines talk for ever. */
const POSTED_MAX = 40

type Trick =
  | { readonly is: 'pass' | 'drop' | 'double' | 'first' | 'stolen' | 'stolenToo' | 'hold' }
  | {
      readonly is: 'change'
      readonly kind: 'flip' | 'truncate' | 'number' | 'double'
      readonly at: number
      readonly value: number
    }

const trick: fc.Arbitrary<Trick> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Trick>({ is: 'pass' }) },
  fc.constantFrom<Trick>(
    { is: 'drop' },
    { is: 'double' },
    { is: 'first' },
    { is: 'stolen' },
    { is: 'stolenToo' },
    { is: 'hold' },
  ),
  fc.record({
    is: fc.constant('change' as const),
    kind: fc.constantFrom('flip' as const, 'truncate' as const, 'number' as const, 'double' as const),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    value: fc.nat(10_000),
  }),
)

test('gets nobody to believe in a key that the other side does not have', async () => {
  const room = roomOf(crypto)
  const begin = () => ({
    initiator: new PairingInitiator(contextOf(crypto, 'receiver', 40_001), wordsPassphrase(WORDS)),
    responder: new PairingResponder(contextOf(crypto, 'sender', 40_002), room),
  })
  let together = 0
  await fc.assert(
    fc.asyncProperty(fc.array(trick, { minLength: 6, maxLength: 12 }), async (tricks) => {
      // Another receiver of the same room, whose messages can be put in the place of ours.
      const other = begin()
      const stolen = (await runHandshake(other.initiator, other.responder)).posted
      const seen: Uint8Array[] = []
      let held: Uint8Array | undefined
      const meddle: Meddler = (message, number) => {
        seen.push(message)
        const now = tricks[number] ?? { is: 'pass' }
        const before = held === undefined ? [] : [held]
        held = undefined
        switch (now.is) {
          case 'pass':
            return [message, ...before]
          case 'drop':
            return before
          case 'double':
            return [message, message, ...before]
          case 'first':
            return [seen[0] ?? message, ...before]
          case 'stolen':
            return [stolen[number % stolen.length] ?? message, ...before]
          case 'stolenToo':
            return [stolen[number % stolen.length] ?? message, message, ...before]
          case 'hold':
            held = message
            return before
          case 'change':
            return [mutateBytes(message, [now]), ...before]
        }
      }
      const { initiator, responder } = begin()
      const outcome = await runHandshake(initiator, responder, meddle)
      expect(outcome.posted.length).toBeLessThanOrEqual(POSTED_MAX)
      const [receiver, sender] = [keysOf(outcome.initiator), keysOf(outcome.responder)]
      if (receiver === null) return
      together += 1
      expect(sender?.trafficSecrets).toEqual(receiver.trafficSecrets)
      expect(sender?.connectionIds).toEqual(receiver.connectionIds)
      expect(receiver.peer.deviceName).toBe('sender')
      expect(sender?.peer.deviceName).toBe('receiver')
    }),
    { numRuns: 120, seed: 4 },
  )
  // Else nothing was tried.
  expect(together).toBeGreaterThan(0)
})
