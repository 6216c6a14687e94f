import { describe, expect, test } from 'vitest'
import { displayName, displayPath } from './displayName.js'
import type { Manifest, ManifestEntry } from './manifest.js'
import type { NameRules } from './names.js'
import { checkManifestNames, collisionKey, NAME_RULES, nameProblem, pathProblem } from './names.js'
import { HOSTILE_NAMES, ORDINARY_NAMES, RESERVED_TOP_NAMES, WINDOWS_ONLY_NAMES } from './namesCorpus.js'
import { numberedName } from './namesNumbered.js'

const platforms: NameRules[] = [NAME_RULES.linux, NAME_RULES.darwin, NAME_RULES.win32]
const file = (...path: string[]): ManifestEntry => ({
  kind: 'file',
  path,
  sizeBytes: 0,
  mtimeMs: 0,
  isExecutable: false,
})
const folder = (...path: string[]): ManifestEntry => ({ kind: 'folder', path, mtimeMs: 0 })
const manifest = (...entries: ManifestEntry[]): Manifest => ({ entries })

describe('the common rules', () => {
  test('the corpus is large enough to mean something', () => {
    expect(HOSTILE_NAMES.length + WINDOWS_ONLY_NAMES.length).toBeGreaterThanOrEqual(130)
  })

  test.each(HOSTILE_NAMES.map((name) => [displayName(name, 40), name]))('refuse %s', (_shown, name) => {
    expect(nameProblem(name)).toBeTypeOf('string')
    for (const rules of platforms) expect(checkManifestNames(manifest(file(name)), rules).ok).toBe(false)
    expect(checkManifestNames(manifest(folder('a'), file('a', name)), NAME_RULES.linux).ok).toBe(false)
  })

  test.each(ORDINARY_NAMES.map((name) => [displayName(name, 40), name]))(
    'let %s through everywhere',
    (_shown, name) => {
      for (const rules of platforms) expect(nameProblem(name, rules)).toBeUndefined()
    },
  )

  test('keep our own names at the top and let them through below it', () => {
    for (const name of RESERVED_TOP_NAMES) {
      expect(pathProblem([name])).toBeTypeOf('string')
      expect(pathProblem(['a', name])).toBeUndefined()
    }
  })

  test('limit depth and length of a path', () => {
    expect(pathProblem(Array.from({ length: 64 }, () => 'd'))).toBeUndefined()
    expect(pathProblem(Array.from({ length: 65 }, () => 'd'))).toMatch(/deeper/)
    expect(pathProblem(['a'.repeat(255), 'b'.repeat(255), 'c'.repeat(255), 'd'.repeat(255), ''])).toBeDefined()
    expect(pathProblem(['a'.repeat(255), 'b'.repeat(255), 'c'.repeat(255), 'd'.repeat(255), 'e'])).toMatch(/longer/)
    expect(pathProblem([])).toBeDefined()
  })
})

describe('the rules of a platform', () => {
  test.each(WINDOWS_ONLY_NAMES)('%s is ordinary on Linux and refused on Windows', (name) => {
    expect(nameProblem(name, NAME_RULES.linux)).toBeUndefined()
    expect(nameProblem(name, NAME_RULES.win32)).toBeTypeOf('string')
  })

  test('case variants arrive on Linux and collide where the file system folds case', () => {
    const variants = manifest(file('A'), file('a'))
    expect(checkManifestNames(variants, NAME_RULES.linux).ok).toBe(true)
    expect(checkManifestNames(variants, NAME_RULES.darwin).ok).toBe(false)
    expect(checkManifestNames(variants, NAME_RULES.win32).ok).toBe(false)
  })

  test('canonically equal names of one folder collide everywhere, those of two folders nowhere', () => {
    for (const rules of platforms) {
      expect(checkManifestNames(manifest(file('e\u0301'), file('é')), rules).ok).toBe(false)
      const apart = manifest(folder('d'), file('d', 'é'), folder('e'), file('e', 'e\u0301'), file('é'))
      expect(checkManifestNames(apart, rules).ok).toBe(true)
    }
  })

  test('the folding joins what file systems join', () => {
    const pairs = [
      ['ß', 'SS'],
      ['ſ', 's'],
      ['\u212a', 'k'],
      ['é', 'E\u0301'],
      ['σ', 'ς'],
      ['ﬁ', 'FI'],
    ]
    for (const [left = '', right = ''] of pairs) {
      expect(collisionKey(left, NAME_RULES.darwin)).toBe(collisionKey(right, NAME_RULES.darwin))
    }
    expect(collisionKey('a. .', NAME_RULES.win32)).toBe(collisionKey('A', NAME_RULES.win32))
  })

  test('the refusal names the path, escaped', () => {
    const result = checkManifestNames(manifest(folder('d'), file('d', 'a\u001b[2J')), NAME_RULES.linux)
    expect(result).toEqual({
      ok: false,
      failure: { code: 'ERR_MANIFEST_REFUSED', detail: 'd/a\\u{1b}[2J holds a control character' },
    })
  })
})

describe('displayName', () => {
  test('shows nothing that a terminal or a reader could be misled by', () => {
    for (const name of HOSTILE_NAMES) expect(displayName(name)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
    expect(displayPath(['a', 'b\u0000'])).toBe('a/b\\u{0}')
    expect(displayPath(['n'.repeat(255), 'ü'.repeat(127)])).toBe(`${'n'.repeat(255)}/${'ü'.repeat(127)}`)
  })
})

describe('numberedName', () => {
  test('puts the number before a file extension and behind a folder', () => {
    expect(numberedName('film.mkv', 0, 'file')).toBe('film.mkv')
    expect(numberedName('film.mkv', 1, 'file')).toBe('film (1).mkv')
    expect(numberedName('a.tar.gz', 2, 'file')).toBe('a (2).tar.gz')
    expect(numberedName('.bashrc', 1, 'file')).toBe('.bashrc (1)')
    expect(numberedName('notes', 1, 'file')).toBe('notes (1)')
    expect(numberedName('release-1.2', 1, 'file')).toBe('release-1.2 (1)')
    expect(numberedName('photos.d', 10, 'folder')).toBe('photos.d (10)')
  })

  test('stays within a component and valid', () => {
    for (const name of ['n'.repeat(255), '😀'.repeat(63), `${'ü'.repeat(125)}.html`]) {
      const numbered = numberedName(name, 9_999, 'file')
      expect(nameProblem(numbered)).toBeUndefined()
      expect(numbered).toMatch(/ \(9999\)(\.html)?$/)
    }
  })
})
