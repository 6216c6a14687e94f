import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { Blake3Stream, blake3Of } from './blake3.js'

/** The input of the official vectors: bytes counting up modulo 251. */
const input = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 251)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** First 32 bytes of `hash` in the official test_vectors.json (BLAKE3 team, CC0). */
const VECTORS: readonly (readonly [number, string])[] = [
  [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  [1023, '10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11'],
  [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
  [1025, 'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444'],
]

describe('BLAKE3', () => {
  test.each(VECTORS)('of %i bytes', (length, expected) => {
    expect(hex(blake3Of(input(length)))).toBe(expected)
  })

  test('piece by piece is the same as at once, and a digest may be taken on the way', () => {
    const data = input(300_000)
    const stream = new Blake3Stream()
    for (let at = 0; at < data.length; at += 7001) {
      stream.update(data.subarray(at, at + 7001))
      if (at === 7001) expect(stream.digest()).toEqual(blake3Of(data.subarray(0, 14_002)))
    }
    expect(stream.digest()).toEqual(blake3Of(data))
  })

  test('of shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(5000))
    shared.set(input(5000))
    expect(blake3Of(shared.subarray(100, 4000))).toEqual(blake3Of(input(5000).subarray(100, 4000)))
  })

  const hasB3sum = spawnSync('b3sum', ['--version']).status === 0
  test.skipIf(!hasB3sum)('is what b3sum prints', () => {
    const data = input(3_000_001)
    const printed = spawnSync('b3sum', ['--no-names'], { input: data, encoding: 'utf8' }).stdout.trim()
    expect(hex(blake3Of(data))).toBe(printed)
  })
})
