import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, concatBytes, equalBytes } from './bytes.js'

type Field =
  | { kind: 'u8' | 'u16' | 'u32' | 'u64' | 'varint'; value: number }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'text'; value: string }

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.nat(65_535) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.nat(2 ** 32 - 1) }),
  fc.record({ kind: fc.constant('u64' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 400 }) }),
  fc.record({ kind: fc.constant('text' as const), value: fc.string({ unit: 'binary', maxLength: 50 }) }),
)

const write = (writer: ByteWriter, item: Field): void => {
  if (item.kind === 'bytes') writer.lengthPrefixed(item.value)
  else if (item.kind === 'text') writer.text(item.value)
  else writer[item.kind](item.value)
}

const read = (reader: ByteReader, kind: Field['kind']) => {
  if (kind === 'bytes') return reader.lengthPrefixed(1000)
  if (kind === 'text') return reader.text(1000)
  return reader[kind]()
}

describe('byte layouts', () => {
  test('are read as they were written, and every cut is noticed', () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 12 }), fc.nat(), (fields, cut) => {
        const writer = new ByteWriter(16)
        for (const item of fields) write(writer, item)
        const bytes = writer.finish()
        expect(bytes.length).toBe(writer.length)
        const reader = new ByteReader(bytes)
        for (const item of fields) expect(read(reader, item.kind)).toEqual(item.value)
        expect(reader.isAtEnd).toBe(true)

        const short = new ByteReader(bytes, 0, cut % bytes.length)
        expect(fields.some((item) => read(short, item.kind) === undefined)).toBe(true)
      }),
    )
  })

  test('any bytes are read without a throw', () => {
    const kinds = fc.constantFrom('u8', 'u16', 'u32', 'u64', 'varint', 'bytes', 'text')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(kinds, { maxLength: 20 }), (bytes, reads) => {
        const reader = new ByteReader(bytes)
        for (const kind of reads) read(reader, kind)
        expect(reader.remaining).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  test('a length above its maximum is refused', () => {
    const bytes = new ByteWriter().lengthPrefixed(new Uint8Array(11)).finish()
    expect(new ByteReader(bytes).lengthPrefixed(10)).toBeUndefined()
    expect(new ByteReader(bytes).lengthPrefixed(11)?.length).toBe(11)
  })

  test('u64 above 2^53-1 is refused', () => {
    expect(new ByteReader(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0)).u64()).toBeUndefined()
  })

  test('are joined and compared', () => {
    expect(concatBytes(Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false)
  })
})
