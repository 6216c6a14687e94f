/** Pairing on real crypto: what must work, and what a rendezvous or a guesser cannot do. */
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { passwordPassphrase, RoomPassphrase, wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import { PairingResponder } from '@godwit/engine/handshake/pairingResponder'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { encodeM0, encodeM1 } from '@godwit/protocol/handshakeMessages'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'
import {
  contextOf,
  failureOf,
  keysOf,
  OFFER,
  OTHER_WORDS,
  pairingOf,
  roomOf,
  runHandshake,
  WORDS,
  withoutStretching,
} from './handshakeTesting.js'

let real: HandshakeCrypto
let crypto: HandshakeCrypto
beforeAll(async () => {
  real = await createHandshakeCrypto()
  crypto = withoutStretching(real)
})

const initiatorWith = (words = WORDS) =>
  new PairingInitiator(contextOf(crypto, 'receiver', 40_001), wordsPassphrase(words))
const responderWith = (room = roomOf(crypto)) => new PairingResponder(contextOf(crypto, 'sender', 40_002), room)

describe('with the right words', () => {
  test('both sides end with the same secrets and know each other', async () => {
    const room = roomOf(real)
    const { initiator, responder, posted } = await runHandshake(
      new PairingInitiator(contextOf(real, 'receiver', 40_001), wordsPassphrase(WORDS)),
      new PairingResponder(contextOf(real, 'sender', 40_002), room),
    )
    const [receiver, sender] = [pairingOf(initiator), pairingOf(responder)]
    expect(posted).toHaveLength(6)
    expect(receiver?.trafficSecrets).toEqual(sender?.trafficSecrets)
    expect(receiver?.connectionIds).toEqual(sender?.connectionIds)
    expect(receiver?.resumption).toEqual(sender?.resumption)
    expect(receiver?.resumption.current.generation).toBe(1)
    expect(receiver?.verification).toBe(sender?.verification)
    expect(receiver?.verification.split(' ')).toHaveLength(4)
    expect(receiver?.senderRoomKey).toEqual(room.roomKey.publicKey)
    expect(receiver?.offer).toEqual(OFFER)
    expect(receiver?.peer.deviceName).toBe('sender')
    expect(sender?.peer.deviceName).toBe('receiver')
    // Loopback is refused by policy, the rest arrives.
    expect(sender?.peer.candidates.map((candidate) => candidate.ip)).toEqual(['192.168.1.7', '2001:db8::7'])
  })

  test('a password of the user’s own works alike', async () => {
    const password = 'Zürich am Abend 🌙'
    const room = roomOf(crypto)
    const passphrase = () => passwordPassphrase(password)
    const { initiator } = await runHandshake(
      new PairingInitiator(contextOf(crypto, 'receiver', 40_001), passphrase()),
      responderWith({ ...room, passphrase: new RoomPassphrase(crypto, passphrase(), crypto.randomBytes(16)) }),
    )
    expect(initiator?.kind).toBe('paired')
  })

  test('every secret of a pairing is its own, and no two pairings share one', async () => {
    const room = roomOf(crypto)
    const all: string[] = []
    for (let i = 0; i < 3; i++) {
      const pairing = pairingOf((await runHandshake(initiatorWith(), responderWith(room))).initiator)
      expect(pairing).not.toBeNull()
      if (pairing === null) continue
      const { trafficSecrets, connectionIds, resumption } = pairing
      all.push(
        ...[
          trafficSecrets.receiverToSender,
          trafficSecrets.senderToReceiver,
          connectionIds.receiver,
          connectionIds.sender,
          resumption.current.id,
          resumption.current.secret,
        ].map((bytes) => Buffer.from(bytes).toString('hex')),
      )
    }
    expect(new Set(all).size).toBe(18)
  })

  test('nothing on the way shows a name, an address or the room key', async () => {
    const room = roomOf(crypto)
    const { posted } = await runHandshake(initiatorWith(), responderWith(room))
    const seen = Buffer.concat(posted)
    expect(seen.includes('film.mkv')).toBe(false)
    expect(seen.includes('receiver')).toBe(false)
    expect(seen.includes(Buffer.from([192, 168, 1, 7]))).toBe(false)
    expect(seen.includes(Buffer.from(room.roomKey.publicKey))).toBe(false)
  })

  test('the passphrase of a room is stretched once for all its receivers', async () => {
    let stretched = 0
    const counting: HandshakeCrypto = {
      ...crypto,
      stretch: (passphrase, salt) => {
        stretched += 1
        return crypto.stretch(passphrase, salt)
      },
    }
    const room = roomOf(counting)
    for (let i = 0; i < 3; i++) await runHandshake(initiatorWith(), responderWith(room))
    expect(stretched).toBe(1)
  })
})

describe('a room that was closed', () => {
  /** What whoever knows nothing would try on a passphrase that was overwritten: zeros, stretched or not. */
  const guessing = (prs: (passphrase: Uint8Array, salt: Uint8Array) => Promise<Uint8Array>) =>
    new PairingInitiator(
      contextOf({ ...crypto, stretch: prs }, 'stranger', 40_009),
      new Uint8Array(wordsPassphrase(WORDS).length),
    )

  test.each([
    ['before it was ever stretched', false],
    ['after', true],
  ])('pairs with nobody in a run that had begun: closed %s', async (_when, isStretched) => {
    for (const stretch of [crypto.stretch, () => Promise.resolve(new Uint8Array(32))]) {
      const room = roomOf(crypto)
      if (isStretched) await runHandshake(initiatorWith(), responderWith(room))
      const { initiator, responder } = await runHandshake(guessing(stretch), responderWith(room), (message, number) => {
        // m0 was answered, then the sender closed the room.
        if (number === 1) void room.passphrase.wipe()
        return [message]
      })
      expect(keysOf(initiator)).toBeNull()
      expect(responder).toMatchObject({ kind: 'failed', failure: { code: 'ERR_ROOM_CLOSED' }, countsAsGuess: false })
    }
  })

  test('a run that had the passphrase in hand is not harmed by the wiping', async () => {
    const room = roomOf(crypto)
    const { initiator } = await runHandshake(initiatorWith(), responderWith(room), (message, number) => {
      if (number === 3) void room.passphrase.wipe()
      return [message]
    })
    expect(initiator?.kind).toBe('paired')
  })

  test('a stretching that failed is tried anew', async () => {
    let failures = 1
    const failing: HandshakeCrypto = {
      ...crypto,
      stretch: (passphrase, salt) =>
        failures-- > 0 ? Promise.reject(new Error('no memory')) : crypto.stretch(passphrase, salt),
    }
    const room = roomOf(failing)
    await expect(runHandshake(initiatorWith(), responderWith(room))).rejects.toThrow('no memory')
    expect((await runHandshake(initiatorWith(), responderWith(room))).initiator?.kind).toBe('paired')
  })
})

describe('with other words', () => {
  test('the sender counts one guess and says nothing more', async () => {
    const { initiator, responder, posted } = await runHandshake(initiatorWith(OTHER_WORDS), responderWith())
    expect(failureOf(responder)).toBe('ERR_WRONG_CODE')
    expect(responder).toMatchObject({ countsAsGuess: true, message: null })
    expect(initiator).toBeNull()
    expect(posted).toHaveLength(5)
  })

  test('only the confirmation exposes a guess', async () => {
    const { initiatorSteps } = await runHandshake(initiatorWith(), responderWith())
    expect(initiatorSteps.map((step) => step.kind === 'send' && step.exposesGuess)).toEqual([false, true, false])
  })

  test('a rendezvous that plays both sides learns nothing and agrees with nobody', async () => {
    const receiver = initiatorWith()
    const sender = responderWith()
    const falseSender = responderWith(roomOf(crypto, OTHER_WORDS))
    const falseReceiver = initiatorWith(OTHER_WORDS)

    const towardsReceiver = await runHandshake(receiver, falseSender)
    expect(failureOf(towardsReceiver.responder)).toBe('ERR_WRONG_CODE')
    expect(towardsReceiver.initiator).toBeNull()
    // It goes on with a made-up last message.
    const forged = Uint8Array.from([0x05, ...Buffer.from(receiver.runId, 'hex'), ...new Uint8Array(64), 0])
    expect(failureOf(await receiver.handle(forged))).toBe('ERR_WRONG_CODE')

    const towardsSender = await runHandshake(falseReceiver, sender)
    expect(towardsSender.responder).toMatchObject({ kind: 'failed', countsAsGuess: true })
  })

  test('a sender of the same room without the room key is refused by the receiver', async () => {
    const room = roomOf(crypto)
    const posing = { ...room, roomKey: { ...crypto.ed25519KeyPair(), publicKey: room.roomKey.publicKey } }
    const { initiator } = await runHandshake(initiatorWith(), responderWith(posing))
    expect(failureOf(initiator)).toBe('ERR_PEER_PROTOCOL')
  })
})

describe('versions', () => {
  test('a sender that knows none of them says so', async () => {
    const m0 = encodeM0({ runId: new Uint8Array(8), versions: [9], suites: [1], nonce: new Uint8Array(32) })
    const step = await responderWith().handle(m0)
    expect(failureOf(step)).toBe('ERR_VERSION_UNSUPPORTED')
    expect(step).toMatchObject({ countsAsGuess: false, message: { 0: 1, 9: 0 } })
  })

  test('a receiver that is told so stops', async () => {
    const receiver = initiatorWith()
    receiver.start()
    const refusal = encodeM1({
      runId: new Uint8Array(Buffer.from(receiver.runId, 'hex')),
      version: 0,
      suite: 0,
      nonce: new Uint8Array(32),
      roomSalt: new Uint8Array(16),
    })
    expect(failureOf(await receiver.handle(refusal))).toBe('ERR_VERSION_UNSUPPORTED')
  })
})

describe('a meddling rendezvous', () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }) }),
    fc.record({ kind: fc.constant('truncate' as const), at: fc.nat(), bit: fc.constant(0) }),
    fc.record({ kind: fc.constant('extend' as const), at: fc.nat(255), bit: fc.constant(0) }),
  )

  test('changes any message: no agreement, a typed failure or silence, and never an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5), change, async (target, { kind, at, bit }) => {
        const { initiator, responder } = await runHandshake(initiatorWith(), responderWith(), (message, number) => {
          if (number !== target) return [message]
          if (kind === 'truncate') return [message.subarray(0, at % message.length)]
          if (kind === 'extend') return [Uint8Array.from([...message, at])]
          const changed = message.slice()
          changed[at % message.length] = (changed[at % message.length] ?? 0) ^ (1 << bit)
          return [changed]
        })
        expect(keysOf(initiator)).toBeNull()
        if (target < 5) expect(keysOf(responder)).toBeNull()
        for (const step of [initiator, responder]) {
          if (step?.kind === 'failed')
            expect(['ERR_WRONG_CODE', 'ERR_PEER_PROTOCOL', 'ERR_VERSION_UNSUPPORTED']).toContain(step.failure.code)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('swaps messages between two runs: neither agrees', async () => {
    const recorded = (await runHandshake(initiatorWith(), responderWith())).posted
    const room = roomOf(crypto)
    for (let target = 0; target < 6; target++) {
      const { initiator } = await runHandshake(initiatorWith(), responderWith(room), (message, number) => {
        const other = recorded[number]
        if (number !== target || other === undefined) return [message]
        // With its own run id it is ignored; so it gets this run's.
        return [Uint8Array.from([...message.subarray(0, 9), ...other.subarray(9)])]
      })
      expect(keysOf(initiator)).toBeNull()
    }
  })

  test('repeats and brings in messages of other runs: both agree all the same', async () => {
    const recorded = (await runHandshake(initiatorWith(), responderWith())).posted
    const said: Uint8Array[] = []
    const { initiator, responder } = await runHandshake(initiatorWith(), responderWith(), (message, number) => {
      said.push(message)
      const noise = number === 0 ? [] : recorded
      return [...noise, message, ...said, ...recorded, new Uint8Array(0), Uint8Array.of(255)]
    })
    expect(keysOf(initiator)?.trafficSecrets).toEqual(keysOf(responder)?.trafficSecrets)
    expect(keysOf(initiator)).not.toBeNull()
  })

  test('any bytes at any moment are ignored or fail the run', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(5), fc.nat(0x14), async (bytes, when, type) => {
        const receiver = initiatorWith()
        const { initiator } = await runHandshake(receiver, responderWith(), (message, number) =>
          number === when
            ? [bytes, Uint8Array.from([type, ...Buffer.from(receiver.runId, 'hex'), ...bytes]), message]
            : [message],
        )
        expect(['paired', 'failed', undefined]).toContain(initiator?.kind)
      }),
      { numRuns: 100 },
    )
  })
})
