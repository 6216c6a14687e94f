import { describe, expect, test } from 'vitest'
import { displayName } from './displayName.js'

describe('a name as it is shown', () => {
  test.each([
    'film.mkv',
    'Zürich am Abend',
    '写真 1.jpg',
    'naïve (2).txt',
    "it's 50% & more",
    '📷️ Fotos',
    'e\u0301tude',
  ])('%s is shown as it is', (name) => {
    expect(displayName(name)).toBe(name)
  })

  test.each([
    ['\u001b[2Jgone', '\\u{1b}[2Jgone'],
    ['a\nb\r\tc\u0000', 'a\\u{a}b\\u{d}\\u{9}c\\u{0}'],
    ['invoice\u202etxt.exe', 'invoice\\u{202e}txt.exe'],
    ['\u2066x\u2069\u200f\u200b\ufeff', '\\u{2066}x\\u{2069}\\u{200f}\\u{200b}\\u{feff}'],
    ['\u009b31m', '\\u{9b}31m'],
    ['lone \ud800 half', 'lone \\u{d800} half'],
    ['non\u00a0breaking', 'non\\u{a0}breaking'],
    ['line\u2028paragraph\u2029', 'line\\u{2028}paragraph\\u{2029}'],
    ['blank\u3164\u2800', 'blank\\u{3164}\\u{2800}'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['private\ue000', 'private\\u{e000}'],
    ['\u0301first', '\\u{301}first'],
  ])('%j is shown as %s', (name, shown) => {
    expect(displayName(name)).toBe(shown)
  })

  test('what looks like an escape is none', () => {
    expect(displayName('\\u{202e}')).toBe('\\\\u{202e}')
  })

  test('marks do not pile up', () => {
    expect(displayName(`z${'\u0334'.repeat(50)}`)).toContain('\\u{334}')
  })

  test('a long one keeps its beginning and its ending', () => {
    const shown = displayName(`${'a'.repeat(200)}.pdf.exe`)
    expect(shown).toHaveLength(80)
    expect(shown.startsWith('aaaa')).toBe(true)
    expect(shown.endsWith('a.pdf.exe')).toBe(true)
    expect(shown).toContain('…')
    expect(displayName('写'.repeat(100))).toHaveLength(40)
    expect(displayName('x'.repeat(80))).toBe('x'.repeat(80))
  })

  test('an escape is never cut in two', () => {
    for (let columns = 1; columns < 40; columns++) {
      const shown = displayName('\u202e'.repeat(40), columns)
      expect(shown).toMatch(/^(?:\\u\{202e\})*…(?:\\u\{202e\})*$/)
      expect(shown.length).toBeLessThanOrEqual(columns)
    }
  })
})
