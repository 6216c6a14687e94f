import { writePacketHeader } from '@godwit/protocol/packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_BODIES } from '../ports/packetProtection.js'
import { checksumKeys } from '../testing/checksumProtection.js'
import { PacketOpener } from './packetOpener.js'

const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const LANE = 2

const receiver = () => {
  const [first, second] = checksumKeys(1)
  const opened: number[] = []
  const opener = new PacketOpener(ID, LANE, second.receive, {
    onPacket: (_nowUs, _pathId, packetNumber) => opened.push(packetNumber),
  })
  const seal = (epoch: number) => first.send.epoch(epoch)
  /** Joins packets of these sizes, numbered from `from`. */
  const joined = (from: number, sizes: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
    let at = 0
    sizes.forEach((size, i) => {
      writePacketHeader(bytes, at, 0, LANE, size, ID, from + i)
      seal(0).sealTrain(bytes, at, at + size, size, 16, from + i, NO_BODIES)
      at += size
    })
    return bytes
  }
  return { opener, opened, joined, seal }
}

describe('opening packets', () => {
  test('a corrupted packet in a joined read dies alone', () => {
    const plan = fc.record({
      size: fc.integer({ min: 40, max: 1500 }),
      count: fc.integer({ min: 2, max: 44 }),
      last: fc.integer({ min: 33, max: 1500 }),
      bad: fc.nat(43),
      // Anywhere, the header too: also the version, the length and the connection id.
      at: fc.nat(1499),
      bits: fc.integer({ min: 1, max: 255 }),
    })
    fc.assert(
      fc.property(plan, ({ size, count, last, bad, at, bits }) => {
        const { opener, opened, joined } = receiver()
        const lastSize = Math.min(last, size)
        const sizes = Array.from({ length: count }, (_, i) => (i === count - 1 ? lastSize : size))
        const first = joined(0, [size, size, size])
        opener.openRead(0, 1, first, first.length)
        expect(opened).toEqual([0, 1, 2])
        const read = joined(100, sizes)
        const badPacket = bad % count
        const badAt = badPacket * size + (at % (sizes[badPacket] ?? 1))
        read[badAt] = (read[badAt] ?? 0) ^ bits
        opener.openRead(0, 1, read, read.length)
        const expected = sizes.map((_, i) => 100 + i).filter((number) => number !== 100 + badPacket)
        expect(opened.slice(3)).toEqual(expected)
        expect(opener.packetsCorrupted + opener.packetsDropped).toBe(1)
      }),
      { numRuns: 300 },
    )
  })

  test('the first packet of the first read may be the bad one', () => {
    const { opener, opened, joined } = receiver()
    const read = joined(0, [500, 500, 500, 90])
    read[100] = (read[100] ?? 0) ^ 4
    opener.openRead(0, 1, read, read.length)
    expect(opened).toEqual([1, 2, 3])
    expect(opener.packetsCorrupted).toBe(1)
  })

  test('any bytes are dropped without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, looksRight) => {
        const { opener, opened } = receiver()
        if (looksRight && bytes.length >= 33) writePacketHeader(bytes, 0, 0, LANE, bytes.length, ID, 1)
        opener.openRead(0, 1, bytes, bytes.length)
        expect(opened).toEqual([])
      }),
    )
  })

  test('a packet is opened once', () => {
    const { opener, opened, joined } = receiver()
    const read = joined(5, [100])
    opener.openRead(0, 1, read.slice(), 100)
    opener.openRead(0, 1, read.slice(), 100)
    expect(opened).toEqual([5])
    expect([opener.packetsReceived, opener.packetsDropped, opener.packetsCorrupted]).toEqual([1, 1, 0])
  })

  test('a packet that stands twice in one read is opened once', () => {
    const { opener, opened, joined } = receiver()
    const read = joined(5, [100, 100])
    read.copyWithin(100, 0, 100)
    opener.openRead(0, 1, read, read.length)
    expect(opened).toEqual([5])
    expect([opener.packetsReceived, opener.packetsDropped]).toEqual([1, 1])
  })

  test('a read may hold more packets than a train', () => {
    const { opener, opened, joined } = receiver()
    const read = joined(0, Array(150).fill(40))
    opener.openRead(0, 1, read, read.length)
    expect(opened).toEqual(Array.from({ length: 150 }, (_, i) => i))
  })

  test('a read may hold packets of two key epochs', () => {
    const { opener, opened, joined, seal } = receiver()
    const read = joined(0, [60, 60, 60, 60])
    for (const i of [2, 3]) {
      writePacketHeader(read, 60 * i, 1, LANE, 60, ID, i)
      read.fill(0, 60 * i + 16, 60 * i + 60)
      seal(1).sealTrain(read, 60 * i, 60 * i + 60, 60, 16, i, NO_BODIES)
    }
    opener.openRead(0, 1, read, read.length)
    expect(opened).toEqual([0, 1, 2, 3])
    expect(opener.epoch).toBe(1)
  })

  test('a datagram that was cut on the way is dropped', () => {
    const { opener, opened, joined } = receiver()
    opener.openRead(0, 1, joined(5, [100]), 99)
    expect(opened).toEqual([])
    expect(opener.packetsDropped).toBe(1)
  })
})
