import { writePacketHeader } from '@godwit/protocol/packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
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
  const seal = first.send.epoch(0)
  /** Joins packets of these sizes, numbered from `from`. */
  const joined = (from: number, sizes: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
    let at = 0
    sizes.forEach((size, i) => {
      writePacketHeader(bytes, at, 0, LANE, size, ID, from + i)
      seal.seal(bytes, at, 16, size - 32, from + i)
      at += size
    })
    return bytes
  }
  return { opener, opened, joined }
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
        opener.openRead(0, 1, bytes.slice(), bytes.length)
        opener.openDatagram(0, 1, bytes, 0, bytes.length)
        expect(opened).toEqual([])
      }),
    )
  })

  test('a packet is opened once', () => {
    const { opener, opened, joined } = receiver()
    const read = joined(5, [100])
    opener.openDatagram(0, 1, read.slice(), 0, 100)
    opener.openDatagram(0, 1, read.slice(), 0, 100)
    expect(opened).toEqual([5])
    expect([opener.packetsReceived, opener.packetsDropped, opener.packetsCorrupted]).toEqual([1, 1, 0])
  })

  test('a datagram whose length differs from its header is dropped', () => {
    const { opener, opened, joined } = receiver()
    const read = joined(5, [100, 100])
    opener.openDatagram(0, 1, read, 0, 200)
    opener.openDatagram(0, 1, read, 0, 99)
    expect(opened).toEqual([])
    expect(opener.packetsDropped).toBe(2)
  })
})
