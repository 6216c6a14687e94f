import { createCipheriv } from 'node:crypto'
import { nextTrafficSecret, packetKey } from '@godwit/engine/handshake/keySchedule'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyDerivation } from './keyDerivation.js'
import { connectionKeys } from './packetProtection.js'

const secrets = {
  receiverToSender: new Uint8Array(32).fill(1),
  senderToReceiver: new Uint8Array(32).fill(2),
}
const HEADER = 16

const pair = (lane = 0) => ({
  sender: connectionKeys('sender', secrets, lane),
  receiver: connectionKeys('receiver', secrets, lane),
})

const packetOf = (plaintext: Uint8Array, start = 0): Uint8Array => {
  const buffer = new Uint8Array(start + HEADER + plaintext.length + 16)
  for (let i = 0; i < HEADER; i++) buffer[start + i] = i
  buffer.set(plaintext, start + HEADER)
  return buffer
}

describe('packet protection', () => {
  test('is ChaCha20-Poly1305 with nonce = iv XOR packet number, as OpenSSL computes it', () => {
    const plaintext = new Uint8Array(100).fill(9)
    const buffer = packetOf(plaintext, 5)
    pair(3).sender.send.epoch(0).seal(buffer, 5, HEADER, 100, 0x01020304)

    const { key, iv } = packetKey(keyDerivation, secrets.senderToReceiver, 3)
    const nonce = iv.map((byte, i) => (i < 8 ? byte : byte ^ (i - 7)))
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
    cipher.setAAD(buffer.subarray(5, 5 + HEADER), { plaintextLength: plaintext.length })
    const expected = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    expect(Buffer.from(buffer.subarray(5 + HEADER)).equals(expected)).toBe(true)
  })

  test('opens in place what the other side sealed, anywhere in a buffer, again and again', () => {
    const { sender, receiver } = pair()
    const shared = new Uint8Array(new SharedArrayBuffer(65_536))
    let packetNumber = 0
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1440 }), fc.nat(40), (plaintext, slot) => {
        const start = slot * 1472
        shared.set(packetOf(plaintext), start)
        packetNumber += 1
        sender.send.epoch(0).seal(shared, start, HEADER, plaintext.length, packetNumber)
        expect(receiver.receive.epoch(0).open(shared, start, HEADER, plaintext.length + 16, packetNumber)).toBe(true)
        expect(shared.slice(start + HEADER, start + HEADER + plaintext.length)).toEqual(plaintext)
      }),
      { numRuns: 200 },
    )
  })

  test('a changed byte, wherever it is, is rejected without throwing', () => {
    const { sender, receiver } = pair()
    const buffer = packetOf(new Uint8Array(64).fill(4))
    sender.send.epoch(0).seal(buffer, 0, HEADER, 64, 7)
    for (let at = 0; at < buffer.length; at++) {
      const forged = buffer.slice()
      forged[at] = (forged[at] ?? 0) ^ 0x80
      expect(receiver.receive.epoch(0).open(forged, 0, HEADER, 80, 7)).toBe(false)
    }
    expect(receiver.receive.epoch(0).open(buffer.slice(), 0, HEADER, 80, 8)).toBe(false)
    for (let cut = 0; cut < 80; cut++) {
      expect(receiver.receive.epoch(0).open(buffer.slice(), 0, HEADER, cut, 7)).toBe(false)
    }
    expect(receiver.receive.epoch(0).open(buffer, 0, HEADER, 80, 7)).toBe(true)
  })

  test('lanes, directions and epochs have different keys', () => {
    const sealedBy = (seal: ReturnType<typeof connectionKeys>['send'], epoch: number): string => {
      const buffer = packetOf(new Uint8Array(32))
      seal.epoch(epoch).seal(buffer, 0, HEADER, 32, 1)
      return Buffer.from(buffer).toString('hex')
    }
    const all = [0, 1].flatMap((lane) =>
      [pair(lane).sender.send, pair(lane).receiver.send].flatMap((seal) => [sealedBy(seal, 0), sealedBy(seal, 1)]),
    )
    expect(new Set(all).size).toBe(8)
  })

  test('the epoch before stays usable, older ones are forgotten', () => {
    const schedule = pair().receiver.receive
    const first = schedule.epoch(0)
    const second = schedule.epoch(1)
    expect(schedule.epoch(0)).toBe(first)
    expect(schedule.epoch(1)).toBe(second)
    schedule.epoch(2)
    expect(schedule.epoch(1)).toBe(second)
    expect(() => schedule.epoch(0)).toThrow('rising order')
  })

  test('the next epoch’s secret is Expand(secret, "ku")', () => {
    const next = nextTrafficSecret(keyDerivation, secrets.senderToReceiver)
    const direct = connectionKeys('sender', { ...secrets, senderToReceiver: next }, 0)
    const [one, two] = [packetOf(new Uint8Array(32)), packetOf(new Uint8Array(32))]
    pair().sender.send.epoch(1).seal(one, 0, HEADER, 32, 1)
    direct.send.epoch(0).seal(two, 0, HEADER, 32, 1)
    expect(one).toEqual(two)
  })
})
