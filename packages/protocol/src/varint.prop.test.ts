import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readVarint, VARINT_MAX, varintBytes, varintBytesFrom, writeVarint } from './varint.js'

/** The obvious slow reference: RFC 9000 §16 with BigInt. */
const encode = (value: bigint): number[] => {
  const prefix = value < 1n << 6n ? 0 : value < 1n << 14n ? 1 : value < 1n << 30n ? 2 : 3
  const length = 1 << prefix
  const tagged = value | (BigInt(prefix) << BigInt(8 * length - 2))
  return Array.from({ length }, (_, i) => Number((tagged >> BigInt(8 * (length - 1 - i))) & 255n))
}

const value = fc.oneof(
  fc.nat(100),
  fc.maxSafeNat(),
  fc.constantFrom(63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 32 - 1, 2 ** 32, VARINT_MAX),
)

describe('varints', () => {
  test('are written as RFC 9000 says and read back', () => {
    fc.assert(
      fc.property(value, (number) => {
        const buffer = new Uint8Array(10)
        const end = writeVarint(buffer, 1, number)
        expect(end - 1).toBe(varintBytes(number))
        expect([...buffer.subarray(1, end)]).toEqual(encode(BigInt(number)))
        expect(readVarint(buffer, 1, end)).toBe(number)
        expect(varintBytesFrom(buffer[1] ?? 0)).toBe(end - 1)
        expect(readVarint(buffer, 1, end - 1)).toBe(-1)
      }),
    )
  })

  test('match the samples of RFC 9000 A.1, but for the one above 2^53-1', () => {
    const read = (...bytes: number[]) => readVarint(Uint8Array.from(bytes), 0, bytes.length)
    expect(read(0x9d, 0x7f, 0x3e, 0x7d)).toBe(494_878_333)
    expect(read(0x7b, 0xbd)).toBe(15_293)
    expect(read(0x25)).toBe(37)
    expect(read(0x40, 0x25)).toBe(37)
    expect(read(0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c)).toBe(-1)
  })

  test('are read from any bytes without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9 }), (bytes) => {
        const number = readVarint(bytes, 0, bytes.length)
        expect(number === -1 || Number.isSafeInteger(number)).toBe(true)
      }),
    )
  })
})
