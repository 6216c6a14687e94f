import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DATAGRAM_MAX_BYTES } from './limits.js'
import {
  isPacketFor,
  PACKET_MIN_BYTES,
  readEpochBit,
  readPacketLength,
  readPacketNumber,
  writePacketHeader,
} from './packet.js'

const connectionId = fc.uint8Array({ minLength: 8, maxLength: 8 })

describe('the packet header', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.nat(255),
        fc.integer({ min: PACKET_MIN_BYTES, max: DATAGRAM_MAX_BYTES }),
        connectionId,
        fc.nat(2 ** 32 - 1),
        fc.nat(40),
        (epoch, lane, length, id, packetNumber, at) => {
          const buffer = new Uint8Array(at + length)
          writePacketHeader(buffer, at, epoch, lane, length, id, packetNumber)
          expect(readPacketLength(buffer, at, at + length)).toBe(length)
          expect(readPacketLength(buffer, at, at + length - 1)).toBe(-1)
          expect(isPacketFor(buffer, at, id, lane)).toBe(true)
          expect(isPacketFor(buffer, at, id, lane ^ 1)).toBe(false)
          expect(
            isPacketFor(
              buffer,
              at,
              id.map((byte) => byte ^ 1),
              lane,
            ),
          ).toBe(false)
          expect(readEpochBit(buffer, at)).toBe(epoch % 2)
          expect(readPacketNumber(buffer, at)).toBe(packetNumber)
        },
      ),
    )
  })

  test('is refused or in bounds for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(20), (bytes, at) => {
        const length = readPacketLength(bytes, at, bytes.length)
        expect(length === -1 || (length >= PACKET_MIN_BYTES && at + length <= bytes.length)).toBe(true)
      }),
    )
  })

  test('of another version or type is refused', () => {
    const buffer = new Uint8Array(64)
    writePacketHeader(buffer, 0, 0, 0, 64, new Uint8Array(8), 1)
    for (const flags of [0x00, 0x80, 0xc0, 0x42, 0x60]) {
      buffer[0] = flags
      expect(readPacketLength(buffer, 0, 64)).toBe(-1)
    }
  })
})
