import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeBase64url,
  decodeHex,
  decodeUtf8,
  encodeBase64url,
  encodeHex,
  encodeUtf8,
  utf8Length,
} from './bytesText.js'

/** Whether a string holds a lone surrogate: `encodeURIComponent` throws exactly then. */
const isWellFormed = (text: string): boolean => {
  try {
    encodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** UTF-8 by the language itself, one %XX or character a byte. */
const referenceUtf8 = (text: string): number[] => {
  const bytes: number[] = []
  const encoded = encodeURIComponent(text)
  for (let i = 0; i < encoded.length; i++) {
    if (encoded[i] === '%') {
      bytes.push(Number.parseInt(encoded.slice(i + 1, i + 3), 16))
      i += 2
    } else bytes.push(encoded.charCodeAt(i))
  }
  return bytes
}

/** Strict decoding by the language itself. */
const referenceDecode = (bytes: Uint8Array): string | undefined => {
  try {
    return decodeURIComponent([...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''))
  } catch {
    return undefined
  }
}

describe('UTF-8', () => {
  test('agrees with the language and comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = encodeUtf8(text)
        expect(bytes === undefined ? undefined : [...bytes]).toEqual(referenceUtf8(text))
        expect(utf8Length(text)).toBe(bytes?.length)
        expect(decodeUtf8(bytes ?? new Uint8Array())).toBe(text)
      }),
    )
  })

  test('refuses lone surrogates', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 6 }), (units) => {
        const text = String.fromCharCode(...units)
        expect(encodeUtf8(text) !== undefined).toBe(isWellFormed(text))
      }),
    )
    expect(encodeUtf8('a\ud800')).toBeUndefined()
    expect(encodeUtf8('\udc00\ud800')).toBeUndefined()
  })

  test('accepts exactly what the language accepts', () => {
    const byte = fc.oneof(
      fc.nat(255),
      fc.constantFrom(0xc0, 0xc1, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0x80, 0x9f, 0xa0, 0xbf),
    )
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 5 }), (list) => {
        const bytes = Uint8Array.from(list)
        expect(decodeUtf8(bytes)).toBe(referenceDecode(bytes))
      }),
      { numRuns: 3000 },
    )
  })

  test('handles long texts', () => {
    const text = 'é'.repeat(100_000)
    expect(decodeUtf8(encodeUtf8(text) ?? new Uint8Array())).toBe(text)
  })
})

describe('base64url and hex', () => {
  test('come back and agree with the reference', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        expect(decodeBase64url(encodeBase64url(bytes))).toEqual(bytes)
        expect(decodeHex(encodeHex(bytes))).toEqual(bytes)
        expect(encodeHex(bytes)).toBe([...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(''))
      }),
    )
    expect(encodeBase64url(Uint8Array.of(0xfb, 0xff, 0x66, 0x6f))).toBe('-_9mbw')
  })

  test('have one spelling for each value', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), (text) => {
        const fromBase64url = decodeBase64url(text)
        if (fromBase64url !== undefined) expect(encodeBase64url(fromBase64url)).toBe(text)
        const fromHex = decodeHex(text)
        if (fromHex !== undefined) expect(encodeHex(fromHex)).toBe(text)
      }),
    )
    for (const text of ['A', 'AB', 'AA=', 'AA==', 'A A', 'é', 'ABCDE']) expect(decodeBase64url(text)).toBeUndefined()
    for (const text of ['0', 'AB', '0g', 'é0']) expect(decodeHex(text)).toBeUndefined()
  })
})
