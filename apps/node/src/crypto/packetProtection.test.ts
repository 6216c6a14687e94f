import { createCipheriv } from 'node:crypto'
import { nextTrafficSecret, packetKey } from '@godwit/engine/handshake/keySchedule'
import { NO_BODIES, type PacketProtection, type TrainBodies } from '@godwit/engine/ports/packetProtection'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyDerivation } from './keyDerivation.js'
import { hasNativePackets, nativeProtection } from './nativePackets.js'
import { ownPacketCiphers } from './packetCiphers.js'
import { connectionKeys } from './packetProtection.js'
import { SodiumProtection } from './sodiumPackets.js'

const secrets = {
  receiverToSender: new Uint8Array(32).fill(1),
  senderToReceiver: new Uint8Array(32).fill(2),
}
const HEADER = 16
const TAG = 16
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const IV = Uint8Array.from({ length: 12 }, (_, i) => 200 + i)

/** The same key in each implementation; those of the addon are missing where it was not built. */
const make = (name: string): (() => PacketProtection) => {
  const native = (cipher: PacketCipher) => (): PacketProtection => {
    const protection = nativeProtection(cipher, KEY, IV)
    if (protection === undefined) throw new Error('the addon is not there')
    return protection
  }
  if (name === 'sodium') return () => new SodiumProtection(KEY.slice(), IV.slice())
  return native(name === 'native AES' ? 'aes256Gcm' : 'chacha20Poly1305')
}

/** A train with headers 0 … 15 and bodies of `fill`, tags not yet set. */
const trainOf = (packets: number, segmentBytes: number, lastBytes = segmentBytes, start = 0): Uint8Array => {
  const buffer = new Uint8Array(start + (packets - 1) * segmentBytes + lastBytes)
  for (let i = start; i < buffer.length; i++) buffer[i] = (i * 7) & 255
  return buffer
}

const openOne = (protection: PacketProtection, buffer: Uint8Array, start: number, end: number, number: number) => {
  const table = Uint32Array.of(start, end - start, number, 9)
  protection.openPackets(buffer, table, 1, HEADER)
  return table[3] === 1
}

/** What OpenSSL's own interface of Node.js makes of one packet. */
const expected = (cipher: 'chacha20-poly1305' | 'aes-256-gcm', packet: Uint8Array, packetNumber: number): Buffer => {
  const number = Buffer.alloc(12)
  number.writeUInt32BE(packetNumber, 8)
  const nonce = IV.map((byte, i) => byte ^ (number[i] ?? 0))
  const plaintext = packet.subarray(HEADER, packet.length - TAG)
  const sealer =
    cipher === 'aes-256-gcm'
      ? createCipheriv(cipher, KEY, nonce, { authTagLength: TAG })
      : createCipheriv(cipher, KEY, nonce, { authTagLength: TAG })
  sealer.setAAD(packet.subarray(0, HEADER), { plaintextLength: plaintext.length })
  return Buffer.concat([packet.subarray(0, HEADER), sealer.update(plaintext), sealer.final(), sealer.getAuthTag()])
}

const IMPLEMENTATIONS = [
  ['sodium', 'chacha20-poly1305'],
  ['native ChaCha', 'chacha20-poly1305'],
  ['native AES', 'aes-256-gcm'],
] as const

describe.each(IMPLEMENTATIONS)('packets sealed by %s', (name, cipher) => {
  const runs = test.skipIf(name !== 'sodium' && !hasNativePackets && process.env['CI'] !== 'true')

  runs('are the AEAD with nonce = iv XOR packet number, packet by packet', () => {
    const protection = make(name)()
    const train = trainOf(5, 200, 77, 3)
    const plain = train.slice()
    protection.sealTrain(train, 3, train.length, 200, HEADER, 0x01020304, NO_BODIES)
    for (let i = 0; i < 5; i++) {
      const [start, end] = [3 + 200 * i, Math.min(3 + 200 * (i + 1), train.length)]
      expect(Buffer.from(train.subarray(start, end))).toEqual(
        expected(cipher, plain.subarray(start, end), 0x01020304 + i),
      )
    }
    expect(train.subarray(0, 3)).toEqual(plain.subarray(0, 3))
  })

  runs('are opened in place, anywhere in a buffer, again and again', () => {
    const [sealer, opener] = [make(name)(), make(name)()]
    const shared = new Uint8Array(new SharedArrayBuffer(65_536))
    let packetNumber = 0
    const plan = fc.record({
      segmentBytes: fc.integer({ min: HEADER + TAG + 1, max: 1472 }),
      packets: fc.integer({ min: 1, max: 40 }),
      start: fc.nat(300),
      cut: fc.nat(1400),
    })
    fc.assert(
      fc.property(plan, ({ segmentBytes, packets, start, cut }) => {
        const lastBytes = Math.max(HEADER + TAG + 1, segmentBytes - cut)
        const train = trainOf(packets, segmentBytes, lastBytes)
        shared.set(train, start)
        sealer.sealTrain(shared, start, start + train.length, segmentBytes, HEADER, packetNumber, NO_BODIES)
        const table = new Uint32Array(4 * packets)
        for (let i = 0; i < packets; i++) {
          table.set(
            [start + i * segmentBytes, i === packets - 1 ? lastBytes : segmentBytes, packetNumber + i, 0],
            4 * i,
          )
        }
        opener.openPackets(shared, table, packets, HEADER)
        for (let i = 0; i < packets; i++) {
          expect(table[4 * i + 3]).toBe(1)
          const [from, to] = [i * segmentBytes, Math.min((i + 1) * segmentBytes, train.length) - TAG]
          expect(Buffer.from(shared.slice(start + from, start + to))).toEqual(Buffer.from(train.subarray(from, to)))
        }
        packetNumber += packets
      }),
      { numRuns: 100 },
    )
  })

  runs('are rejected for a changed byte, wherever it is, and for another number; nothing throws', () => {
    const [sealer, opener] = [make(name)(), make(name)()]
    const train = trainOf(3, 96)
    sealer.sealTrain(train, 0, train.length, 96, HEADER, 7, NO_BODIES)
    for (let at = 96; at < 192; at++) {
      const forged = train.slice()
      forged[at] = (forged[at] ?? 0) ^ 0x80
      const table = Uint32Array.of(0, 96, 7, 9, 96, 96, 8, 9, 192, 96, 9, 9)
      opener.openPackets(forged, table, 3, HEADER)
      expect([table[3], table[7], table[11]]).toEqual([1, 0, 1])
    }
    expect(openOne(opener, train.slice(), 0, 96, 8)).toBe(false)
    for (let cut = HEADER + TAG; cut < 96; cut++) expect(openOne(opener, train.slice(), 0, cut, 7)).toBe(false)
    expect(openOne(opener, train, 0, 96, 7)).toBe(true)
  })

  runs('may get bytes from elsewhere, and are then what they would have been', () => {
    const plan = fc.record({
      segmentBytes: fc.integer({ min: 80, max: 1472 }),
      packets: fc.integer({ min: 1, max: 64 }),
      rows: fc.array(fc.tuple(fc.nat(2), fc.nat(3000), fc.nat(1472), fc.nat(1472)), { minLength: 64, maxLength: 64 }),
    })
    fc.assert(
      fc.property(plan, ({ segmentBytes, packets, rows }) => {
        const sources = [trainOf(1, 5000), trainOf(1, 4000, 4000, 7)]
        const bodies: TrainBodies = { table: new Uint32Array(256), sources }
        const train = trainOf(packets, segmentBytes)
        const copied = train.slice()
        for (const [i, [which, from, at, length]] of rows.slice(0, packets).entries()) {
          const room = segmentBytes - HEADER - TAG
          // A third of the packets have all their bytes themselves; some have bytes before or behind those from elsewhere.
          if (which === 2) continue
          const place = HEADER + (at % room)
          const bytes = 1 + (length % (segmentBytes - TAG - place))
          bodies.table.set([which, from % 2000, i * segmentBytes + place, bytes], 4 * i)
          copied.set(sources[which]?.subarray(from % 2000, (from % 2000) + bytes) ?? [], i * segmentBytes + place)
        }
        make(name)().sealTrain(train, 0, train.length, segmentBytes, HEADER, 9, bodies)
        make(name)().sealTrain(copied, 0, copied.length, segmentBytes, HEADER, 9, NO_BODIES)
        expect(Buffer.from(train).equals(copied)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  runs('that would lie outside of their buffer are a bug', () => {
    const protection = make(name)()
    expect(() => protection.sealTrain(new Uint8Array(100), 0, 200, 100, HEADER, 0, NO_BODIES)).toThrow()
    const beyond = new Uint32Array(256)
    beyond.set([0, 0, 60, 60])
    const bodies = { table: beyond, sources: [new Uint8Array(60), new Uint8Array(0)] }
    expect(() => protection.sealTrain(new Uint8Array(100), 0, 100, 100, HEADER, 0, bodies)).toThrow()
    expect(() => protection.openPackets(new Uint8Array(100), Uint32Array.of(50, 60, 0, 0), 1, HEADER)).toThrow()
  })
})

describe('packet keys', () => {
  const cipher: PacketCipher = 'chacha20Poly1305'
  const pair = (lane = 0, own: PacketCipher = cipher) => ({
    sender: connectionKeys('sender', own, secrets, lane),
    receiver: connectionKeys('receiver', own, secrets, lane),
  })

  test('what one side seals the other opens, with each cipher that this machine offers', () => {
    for (const own of ownPacketCiphers()) {
      const { sender, receiver } = pair(2, own)
      for (const [seal, open] of [
        [sender.send, receiver.receive],
        [receiver.send, sender.receive],
      ] as const) {
        const packet = trainOf(1, 60)
        seal.epoch(0).sealTrain(packet, 0, 60, 60, HEADER, 3, NO_BODIES)
        expect(openOne(open.epoch(0), packet, 0, 60, 3)).toBe(true)
      }
    }
    expect(ownPacketCiphers()).toContain('chacha20Poly1305')
  })

  test('lanes, directions and epochs have different keys', () => {
    const sealedBy = (seal: ReturnType<typeof connectionKeys>['send'], epoch: number): string => {
      const packet = new Uint8Array(64)
      seal.epoch(epoch).sealTrain(packet, 0, 64, 64, HEADER, 1, NO_BODIES)
      return Buffer.from(packet).toString('hex')
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

  test('are those of the key schedule, and the next epoch’s secret is Expand(secret, "ku")', () => {
    const next = nextTrafficSecret(keyDerivation, secrets.senderToReceiver)
    const { key, iv } = packetKey(keyDerivation, next, 0)
    const [one, two] = [new Uint8Array(64), new Uint8Array(64)]
    pair().sender.send.epoch(1).sealTrain(one, 0, 64, 64, HEADER, 1, NO_BODIES)
    new SodiumProtection(key, iv).sealTrain(two, 0, 64, 64, HEADER, 1, NO_BODIES)
    expect(one).toEqual(two)
  })
})
