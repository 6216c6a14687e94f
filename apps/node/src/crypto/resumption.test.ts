/** Resumption on real crypto: the rotation of secrets under crashes, and what a replaying rendezvous cannot do. */
import { MailboxResponder } from '@godwit/engine/handshake/mailboxResponder'
import { PairingInitiator } from '@godwit/engine/handshake/pairingInitiator'
import { wordsPassphrase } from '@godwit/engine/handshake/pairingKeys'
import { PairingResponder, type RoomIdentity } from '@godwit/engine/handshake/pairingResponder'
import { ResumeInitiator } from '@godwit/engine/handshake/resumeInitiator'
import { ResumeResponder } from '@godwit/engine/handshake/resumeResponder'
import { confirmUse, type ResumptionSecrets } from '@godwit/engine/handshake/resumption'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { createHandshakeCrypto } from './handshakeCrypto.js'
import {
  contextOf,
  failureOf,
  keysOf,
  OTHER_WORDS,
  roomOf,
  runHandshake,
  WORDS,
  withoutStretching,
} from './handshakeTesting.js'

let crypto: HandshakeCrypto
beforeAll(async () => {
  crypto = withoutStretching(await createHandshakeCrypto())
})

const receiverContext = () => contextOf(crypto, 'receiver', 40_001)
const senderContext = () => contextOf(crypto, 'sender', 40_002)

const freshSecrets = (generation = 1): ResumptionSecrets => ({
  current: { id: crypto.randomBytes(16), secret: crypto.randomBytes(32), generation },
  previous: null,
})

const resume = (receiver: ResumptionSecrets, sender: ResumptionSecrets, meddle?: Parameters<typeof runHandshake>[2]) =>
  runHandshake(
    new ResumeInitiator(receiverContext(), receiver.current),
    new ResumeResponder(senderContext(), sender),
    meddle,
  )

/** What is on the two disks, and a session's way from r0 to the first datagrams in single steps. */
class Disks {
  receiver: ResumptionSecrets
  sender: ResumptionSecrets

  constructor(secrets: ResumptionSecrets) {
    this.receiver = secrets
    this.sender = secrets
  }

  /** Goes as far as `steps`, then everything in memory is lost. Returns whether the end was reached. */
  async runUntil(steps: number): Promise<boolean> {
    let left = steps
    const dies = (): boolean => left-- <= 0
    const initiator = new ResumeInitiator(receiverContext(), this.receiver.current)
    const responder = new ResumeResponder(senderContext(), this.sender)
    if (dies()) return false
    const r1 = await responder.handle(initiator.start())
    if (dies() || r1.kind !== 'send') return false
    const r2 = await initiator.handle(r1.message)
    if (dies() || r2.kind !== 'send') return false
    const r3 = await responder.handle(r2.message)
    if (dies() || r3.kind !== 'resumed' || r3.message === null) return false
    this.sender = r3.session.resumption
    if (dies()) return false
    const end = await initiator.handle(r3.message)
    if (dies() || end.kind !== 'resumed') return false
    this.receiver = end.session.resumption
    expect(end.session.trafficSecrets).toEqual(r3.session.trafficSecrets)
    if (dies()) return false
    this.receiver = confirmUse(this.receiver)
    if (dies()) return false
    this.sender = confirmUse(this.sender)
    return true
  }
}
const STEPS = 8

describe('resumption', () => {
  test('gives both sides the same new keys and a new secret of the next generation', async () => {
    const secrets = freshSecrets(4)
    const { initiator, responder, posted } = await resume(secrets, secrets)
    const [receiver, sender] = [keysOf(initiator), keysOf(responder)]
    expect(posted).toHaveLength(4)
    expect(receiver?.trafficSecrets).toEqual(sender?.trafficSecrets)
    expect(receiver?.connectionIds).toEqual(sender?.connectionIds)
    expect(receiver?.resumption).toEqual(sender?.resumption)
    expect(receiver?.resumption.current.generation).toBe(5)
    expect(receiver?.resumption.previous).toEqual(secrets.current)
    expect(receiver?.peer.deviceName).toBe('sender')
  })

  test('works from a pairing, and again and again', async () => {
    const initiator = new PairingInitiator(receiverContext(), wordsPassphrase(WORDS))
    const paired = await runHandshake(initiator, new PairingResponder(senderContext(), roomOf(crypto)))
    const secrets = keysOf(paired.initiator)?.resumption
    expect(secrets).toEqual(keysOf(paired.responder)?.resumption)
    if (secrets === undefined) return
    const disks = new Disks(secrets)
    for (let i = 0; i < 5; i++) expect(await disks.runUntil(STEPS)).toBe(true)
    expect(disks.receiver.current.generation).toBe(6)
    expect(disks.receiver.previous).toBeNull()
  })

  test('keys are new although the secret is the same: the exchange is ephemeral', async () => {
    const secrets = freshSecrets()
    const first = keysOf((await resume(secrets, secrets)).initiator)
    const second = keysOf((await resume(secrets, secrets)).initiator)
    expect(first?.trafficSecrets).not.toEqual(second?.trafficSecrets)
  })
})

describe('a crash', () => {
  test.each(Array.from({ length: STEPS }, (_, step) => step))(
    'after step %i leaves a secret both have',
    async (step) => {
      const disks = new Disks(freshSecrets())
      await disks.runUntil(step)
      expect(await disks.runUntil(STEPS)).toBe(true)
      expect(disks.receiver.current).toEqual(disks.sender.current)
    },
  )

  test('any number of them, anywhere, too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(STEPS), { maxLength: 8 }), async (crashes) => {
        const disks = new Disks(freshSecrets())
        for (const step of crashes) await disks.runUntil(step)
        expect(await disks.runUntil(STEPS)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })
})

describe('a stale resumption', () => {
  test('is dropped without an answer: erased generation, unknown id, wrong generation, wrong secret', async () => {
    const old = freshSecrets()
    const now = freshSecrets(2)
    for (const sender of [
      now,
      { current: { ...old.current, generation: 2 }, previous: null },
      { current: { ...old.current, secret: crypto.randomBytes(32) }, previous: null },
    ]) {
      const { responderSteps, posted } = await resume(old, sender)
      expect(responderSteps).toEqual([{ kind: 'ignored', reason: 'stale' }])
      expect(posted).toHaveLength(1)
    }
  })

  test('recorded and played again after the rotation changes nothing', async () => {
    const secrets = freshSecrets()
    const { posted, responder } = await resume(secrets, secrets)
    const rotated = keysOf(responder)?.resumption ?? secrets
    const replayed = new ResumeResponder(senderContext(), rotated)
    const [r0, , r2] = posted
    const steps = [await replayed.handle(r0 ?? new Uint8Array()), await replayed.handle(r2 ?? new Uint8Array())]
    // The old secret is still there, so r0 is answered; r2 belongs to another exchange.
    expect(steps[0]?.kind).toBe('send')
    expect(failureOf(steps[1] ?? null)).toBe('ERR_PEER_PROTOCOL')
    const confirmed = new ResumeResponder(senderContext(), confirmUse(rotated))
    expect(await confirmed.handle(r0 ?? new Uint8Array())).toEqual({ kind: 'ignored', reason: 'stale' })
  })
})

describe('a meddling rendezvous', () => {
  test('changes any byte of a resumption: no agreement, never an exception', async () => {
    const secrets = freshSecrets()
    await fc.assert(
      fc.asyncProperty(fc.nat(3), fc.nat(), fc.integer({ min: -1, max: 7 }), async (target, at, bit) => {
        const { initiator, responder } = await resume(secrets, secrets, (message, number) => {
          if (number !== target) return [message]
          if (bit < 0) return [message.subarray(0, at % message.length)]
          const changed = message.slice()
          changed[at % message.length] = (changed[at % message.length] ?? 0) ^ (1 << bit)
          return [changed]
        })
        expect(keysOf(initiator)).toBeNull()
        if (target < 3) expect(keysOf(responder)).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  test('reflects a side’s own messages at it: ignored', async () => {
    const secrets = freshSecrets()
    const initiator = new ResumeInitiator(receiverContext(), secrets.current)
    const r0 = initiator.start()
    expect((await initiator.handle(r0)).kind).toBe('ignored')
  })
})

describe('one mailbox', () => {
  const mailbox = (secrets: ResumptionSecrets | null, isOpen = true) => {
    const room = roomOf(crypto)
    return new MailboxResponder({
      context: senderContext(),
      room: () => (isOpen ? room : null),
      resumption: () => secrets,
    })
  }

  test('carries a pairing that is given up, another, and a resumption', async () => {
    const secrets = freshSecrets()
    const responder = mailbox(secrets)
    const givenUp = new PairingInitiator(receiverContext(), wordsPassphrase(WORDS))
    const late = await responder.handle(givenUp.start())
    expect(late.kind).toBe('send')
    const m2 = await givenUp.handle(late.kind === 'send' ? late.message : new Uint8Array())

    const second = await runHandshake(new PairingInitiator(receiverContext(), wordsPassphrase(WORDS)), responder)
    expect(second.initiator?.kind).toBe('paired')
    expect(await responder.handle(m2.kind === 'send' ? m2.message : new Uint8Array())).toEqual({
      kind: 'ignored',
      reason: 'foreign',
    })

    const third = await runHandshake(new ResumeInitiator(receiverContext(), secrets.current), responder)
    expect(third.initiator?.kind).toBe('resumed')
    expect(keysOf(third.initiator)?.trafficSecrets).toEqual(keysOf(third.responder)?.trafficSecrets)
  })

  test('a stale resumption does not disturb the pairing under way', async () => {
    const responder = mailbox(freshSecrets())
    const stale = new ResumeInitiator(receiverContext(), freshSecrets().current).start()
    const { initiator } = await runHandshake(
      new PairingInitiator(receiverContext(), wordsPassphrase(WORDS)),
      responder,
      (message) => [message, stale],
    )
    expect(initiator?.kind).toBe('paired')
  })

  test('a room that locks ends the pairings that had begun: no further guess is judged', async () => {
    const rooms: (RoomIdentity | null)[] = [roomOf(crypto)]
    const responder = new MailboxResponder({
      context: senderContext(),
      room: () => rooms[0] ?? null,
      resumption: () => null,
    })
    const guesser = new PairingInitiator(receiverContext(), wordsPassphrase(OTHER_WORDS))
    const { responderSteps } = await runHandshake(guesser, responder, (message, number) => {
      if (number === 4) rooms[0] = null
      return [message]
    })
    expect(responderSteps.map(({ kind }) => kind)).toEqual(['send', 'send', 'ignored'])
  })

  test('a lock leaves a resumption alone', async () => {
    const secrets = freshSecrets()
    const { initiator } = await runHandshake(
      new ResumeInitiator(receiverContext(), secrets.current),
      mailbox(secrets, false),
    )
    expect(initiator?.kind).toBe('resumed')
  })

  test('a run whose time is over is not taken up again', async () => {
    const secrets = freshSecrets()
    const responder = mailbox(secrets)
    for (const initiator of [
      new PairingInitiator(receiverContext(), wordsPassphrase(WORDS)),
      new ResumeInitiator(receiverContext(), secrets.current),
    ]) {
      const { responderSteps } = await runHandshake(initiator, responder, (message, number) => {
        if (number === 2) responder.end()
        return [message]
      })
      expect(responderSteps.map(({ kind }) => kind)).toEqual(['send', 'ignored'])
    }
  })

  test('a closed room does not answer', async () => {
    const responder = mailbox(null, false)
    const m0 = new PairingInitiator(receiverContext(), wordsPassphrase(WORDS)).start()
    expect((await responder.handle(m0)).kind).toBe('ignored')
    expect((await responder.handle(new ResumeInitiator(receiverContext(), freshSecrets().current).start())).kind).toBe(
      'ignored',
    )
  })
})
