import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BugError } from './assert.js'
import { ByteWriter } from './bytes.js'
import { encodeUtf8 } from './bytesText.js'
import { MANIFEST_MAX_ENTRIES } from './limits.js'
import type { Manifest, ManifestEntry } from './manifest.js'
import { compareNames, decodeManifest, encodeManifest } from './manifestCodec.js'
import { nameProblem } from './names.js'
import { HOSTILE_NAMES, ORDINARY_NAMES, RESERVED_TOP_NAMES, WINDOWS_ONLY_NAMES } from './namesCorpus.js'

interface Tree {
  readonly name: string
  readonly mtimeMs: number
  readonly sizeBytes: number
  readonly isExecutable: boolean
  readonly children: readonly Tree[] | null
}

const name = fc.oneof(
  fc.constantFrom(...ORDINARY_NAMES, ...WINDOWS_ONLY_NAMES),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => nameProblem(text) === undefined),
)
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    name,
    mtimeMs: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    sizeBytes: fc.integer({ min: 0, max: 2 ** 32 }),
    isExecutable: fc.boolean(),
    children: fc.option(fc.array(tie('tree'), { maxLength: 4 }), { depthSize: 'small' }),
  }),
}))

const entriesOf = (trees: readonly Tree[], path: readonly string[] = []): ManifestEntry[] => {
  const seen = new Set<string>()
  const kept = trees.filter((item) => {
    const key = item.name.normalize('NFC')
    return seen.has(key) ? false : seen.add(key)
  })
  return kept
    .sort((a, b) => compareNames(a.name, b.name))
    .flatMap(({ name, mtimeMs, sizeBytes, isExecutable, children }): ManifestEntry[] => {
      const own = [...path, name]
      if (children === null) return [{ kind: 'file', path: own, sizeBytes, mtimeMs, isExecutable }]
      return [{ kind: 'folder', path: own, mtimeMs }, ...entriesOf(children, own)]
    })
}
const manifests = fc.array(tree, { maxLength: 5 }).map((trees): Manifest => ({ entries: entriesOf(trees) }))

const encoded = (manifest: Manifest): Uint8Array => {
  const result = encodeManifest(manifest)
  if (!result.ok) throw new Error(result.failure.code)
  return result.value
}
const isRefused = (bytes: Uint8Array): boolean => {
  const result = decodeManifest(bytes)
  return !result.ok && result.failure.code === 'ERR_MANIFEST_REFUSED' && result.failure.detail !== undefined
}

/** Entries as a hostile sender would write them: no rule is applied. */
const raw = (count: number, entries: { head: number; name: Uint8Array | string; mtime?: number; size?: number }[]) => {
  const writer = new ByteWriter().u8(1).varint(count)
  for (const { head, name, mtime = 0, size } of entries) {
    writer
      .u8(head)
      .lengthPrefixed(typeof name === 'string' ? rawUtf8(name) : name)
      .varint(mtime)
    if (size !== undefined) writer.varint(size)
  }
  return writer.finish()
}
/** Also lone surrogates, in the three bytes that a careless encoder makes of them. */
const rawUtf8 = (text: string): Uint8Array =>
  encodeUtf8(text) ??
  Uint8Array.from(
    Array.from(text).flatMap((character) => {
      const unit = character.charCodeAt(0)
      return unit >= 0xd800 && unit < 0xe000
        ? [0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]
        : [...(encodeUtf8(character) ?? [])]
    }),
  )

describe('the manifest codec', () => {
  test('a manifest comes back as it was, and its bytes are the only ones', () => {
    fc.assert(
      fc.property(manifests, (manifest) => {
        const bytes = encoded(manifest)
        const decoded = decodeManifest(bytes)
        expect(decoded).toEqual({ ok: true, value: manifest })
        if (decoded.ok) expect(encoded(decoded.value)).toEqual(bytes)
      }),
    )
  })

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeManifest(bytes)
        decodeManifest(Uint8Array.from([1, ...bytes]))
      }),
      { numRuns: 2_000 },
    )
  })

  test('bytes with one changed, cut off or added are refused or mean another manifest', () => {
    fc.assert(
      fc.property(manifests, fc.nat(), fc.integer({ min: 1, max: 255 }), (manifest, at, flip) => {
        const bytes = encoded(manifest)
        const changed = bytes.slice()
        changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ flip
        const decoded = decodeManifest(changed)
        if (decoded.ok) expect(encoded(decoded.value)).toEqual(changed)
        expect(isRefused(bytes.subarray(0, at % bytes.length))).toBe(true)
        expect(isRefused(Uint8Array.from([...bytes, 0]))).toBe(true)
      }),
    )
  })

  test.each([...HOSTILE_NAMES, ...RESERVED_TOP_NAMES].map((hostile, index) => [index, hostile]))(
    'hostile name %i is refused in a manifest',
    (_index, hostile) => {
      expect(isRefused(raw(1, [{ head: 0, name: hostile, size: 1 }]))).toBe(true)
      expect(isRefused(raw(1, [{ head: 1, name: hostile }]))).toBe(true)
    },
  )

  test('structure that no sender makes is refused', () => {
    const a = { head: 0, name: 'a', size: 1 }
    expect(decodeManifest(raw(1, [a])).ok).toBe(true)
    expect(isRefused(raw(2, [a, a])), 'twice').toBe(true)
    expect(isRefused(raw(2, [{ ...a, name: 'b' }, a])), 'falling').toBe(true)
    expect(isRefused(raw(2, [a, { head: 1, name: 'a' }])), 'file and folder').toBe(true)
    expect(isRefused(raw(2, [a, { head: 4, name: 'b', size: 1 }])), 'in a file').toBe(true)
    expect(isRefused(raw(1, [{ ...a, head: 4 }])), 'orphan').toBe(true)
    expect(isRefused(raw(1, [{ head: 3, name: 'a' }])), 'executable folder').toBe(true)
    expect(isRefused(raw(2, [a])), 'fewer entries than said').toBe(true)
    expect(isRefused(raw(MANIFEST_MAX_ENTRIES + 1, [a])), 'too many').toBe(true)
    expect(isRefused(raw(1, [{ ...a, size: 2 ** 45 }])), 'too large').toBe(true)
    expect(isRefused(raw(1, [{ ...a, name: Uint8Array.of(0xc0, 0xae) }])), 'overlong').toBe(true)
    expect(
      isRefused(
        raw(2, [
          { ...a, name: 'e\u0301' },
          { ...a, name: 'é' },
        ]),
      ),
      'NFC',
    ).toBe(true)
    expect(isRefused(Uint8Array.of(1, 0x40, 0)), 'long varint').toBe(true)
    expect(isRefused(Uint8Array.of(2, 0)), 'version').toBe(true)
    expect(isRefused(new Uint8Array()), 'nothing').toBe(true)
    const sum = raw(2, [
      { ...a, size: 2 ** 44 },
      { head: 0, name: 'b', size: 1 },
    ])
    expect(isRefused(sum), 'too large together').toBe(true)
  })

  test('depth and length of paths are limited', () => {
    const deep = (count: number) =>
      raw(
        count,
        Array.from({ length: count }, (_, i) => ({ head: (i << 2) | 1, name: 'd' })),
      )
    expect(decodeManifest(deep(64)).ok).toBe(true)
    // A depth of 65 does not fit into the head: its bits wrap, and the entry would be a duplicate at the top.
    expect(
      isRefused(
        raw(
          65,
          Array.from({ length: 65 }, (_, i) => ({ head: ((i << 2) | 1) & 0xff, name: 'd' })),
        ),
      ),
    ).toBe(true)
    const long = (last: number) =>
      raw(
        5,
        [255, 255, 255, 255, last].map((length, i) => ({ head: (i << 2) | 1, name: 'n'.repeat(length) })),
      )
    expect(isRefused(long(1))).toBe(true)
  })

  test('to encode what may not travel is a bug', () => {
    const file = (...path: string[]): ManifestEntry => ({
      kind: 'file',
      path,
      sizeBytes: 0,
      mtimeMs: 0,
      isExecutable: false,
    })
    expect(() => encodeManifest({ entries: [file('..')] })).toThrow(BugError)
    expect(() => encodeManifest({ entries: [file('b'), file('a')] })).toThrow(BugError)
    expect(() => encodeManifest({ entries: [file('a', 'b')] })).toThrow(BugError)
    expect(() => encodeManifest({ entries: [{ kind: 'folder', path: ['a'], mtimeMs: 0.5 }] })).toThrow(BugError)
  })

  test('names are ordered by their UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
        const points = (text: string) => Array.from(text, (character) => character.codePointAt(0) ?? 0)
        const [a, b] = [points(left), points(right)]
        const at = a.findIndex((point, i) => point !== b[i])
        const bytes = at === -1 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? -1)
        expect(Math.sign(compareNames(left, right))).toBe(Math.sign(bytes))
      }),
    )
  })

  test('200,000 entries fit and one more does not', () => {
    const entries = Array.from(
      { length: MANIFEST_MAX_ENTRIES },
      (_, i): ManifestEntry => ({
        kind: 'file',
        path: [`file-${String(i).padStart(6, '0')}`],
        sizeBytes: i,
        mtimeMs: 1_700_000_000_000 + i,
        isExecutable: i % 2 === 0,
      }),
    )
    const decoded = decodeManifest(encoded({ entries }))
    expect(decoded.ok && decoded.value.entries.length).toBe(MANIFEST_MAX_ENTRIES)
    const result = encodeManifest({ entries: [...entries, { kind: 'folder', path: ['z'], mtimeMs: 0 }] })
    expect(!result.ok && result.failure.code).toBe('ERR_MANIFEST_TOO_LARGE')
  })
})
