import type { TransferProgress } from '@godwit/protocol/api'
import { describe, expect, test } from 'vitest'
import { createFakeIo } from '../testing/fakeIo.js'
import { printable, printableJson } from './printable.js'
import { createProgressDisplay } from './progressDisplay.js'
import { percentOf, progressText } from './progressText.js'
import { shellQuoted } from './shellQuoted.js'
import { partlyText } from './transferText.js'

const progress = (changes: Partial<TransferProgress> = {}): TransferProgress => ({
  type: 'transfer.progress',
  transferId: `tr${'a'.repeat(16)}`,
  state: 'transferring',
  bytesDone: 250,
  bytesTotal: 1000,
  rate: 100,
  etaSeconds: 7.5,
  receivers: [],
  ...changes,
})

describe('printable', () => {
  test('leaves no character that a terminal obeys, and all that people read', () => {
    expect(printable('a\u001b[2J\n\r\tb\u202ec\u2028\u200b\ud800')).toBe(
      'a\\u{1b}[2J\\u{a}\\u{d}\\u{9}b\\u{202e}c\\u{2028}\\u{200b}\\u{d800}',
    )
    const kept = 'Grüße 東京 👩‍🚀 \\n "x"'
    expect(printable(kept)).toBe(kept)
    expect(printable(printable('\u0007'))).toBe(printable('\u0007'))
  })
})

test('a transfer that left files out says what arrived and what is missing', () => {
  const text = partlyText(
    {
      type: 'transfer.failed',
      code: 'ERR_SOURCE_CHANGED',
      message: '',
      bytes: 5,
      seconds: 1,
      files: [{ path: 'kept', size: 5, blake3: '' }],
      missing: [{ path: 'a\u001bb', size: 7, code: 'ERR_SOURCE_CHANGED' }],
    },
    'Received',
  )
  expect(text).toBe('Received 1 file, 5 B, in 1.0 s, 5 B/s.\n  kept\nMissing 1 file:\n  a\\u{1b}b')
  expect(progressText(progress({ filesMissing: 2 }), false)).toContain('2 files missing')
})

describe('a line of JSON', () => {
  test('says exactly what it was made from, and a terminal obeys nothing in it', () => {
    const object = {
      type: 'x',
      name: 'a\u009b2J\u001b[2J\n\u202ecod.exe\u{e0041}\ud800 "\\u0041" 👩‍🚀 Grüße\u2028',
      'key\u0085': [1, null],
    }
    const line = printableJson(object)
    expect(JSON.parse(line)).toEqual(object)
    expect(line).not.toMatch(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
    expect(line).toContain('👩‍🚀 Grüße')
    expect(printableJson({ type: 'plain', count: 1.5 })).toBe('{"type":"plain","count":1.5}')
  })
})

describe('the progress line', () => {
  test('tells state, share, rate and time', () => {
    expect(progressText(progress(), false)).toBe('transferring  25 %  250 B of 1.00 kB  100 B/s  7.5 s left')
    expect(progressText(progress(), true)).toContain('[#####---------------]')
    expect(progressText(progress({ state: 'waitingForPeer', bytesDone: 0 }), true)).toBe('waiting for the other side')
    expect(progressText(progress({ rate: 0, etaSeconds: null }), false)).toBe('transferring  25 %  250 B of 1.00 kB')
  })

  test('names several receivers and places in line', () => {
    const receiver = { id: 'r', name: 'a\u001bb', state: 'transferring', bytesDone: 500, place: null } as const
    const waiting = { ...receiver, name: '', state: 'waitingInLine', bytesDone: 0, place: 2 } as const
    expect(progressText(progress({ receivers: [receiver] }), false)).not.toContain('50 %')
    const text = progressText(progress({ receivers: [receiver, waiting, receiver, receiver] }), false)
    expect(text).toContain('a\\u{1b}b: 50 %, a receiver: place 2 in line, a\\u{1b}b: 50 %, 1 more')
  })

  test('is 100 % only when everything is there', () => {
    expect(percentOf(999, 1000)).toBe(99)
    expect(percentOf(1000, 1000)).toBe(100)
    expect(percentOf(0, 0)).toBe(0)
  })
})

describe('the display', () => {
  test('without a terminal: a line for each state, and few of one state', () => {
    const io = createFakeIo()
    let nowMs = 0
    const display = createProgressDisplay(io, () => nowMs)
    display.update(progress({ state: 'connecting' }))
    for (let index = 0; index < 100; index += 1) {
      display.update(progress({ bytesDone: index }))
      nowMs += 250
    }
    display.update(progress({ state: 'verifying' }))
    const lines = io.err().trimEnd().split('\n')
    expect(lines).toHaveLength(1 + 5 + 1)
    expect(lines.at(-1)).toMatch(/^verifying/)
  })

  test('on a terminal: never wider than it', () => {
    const io = createFakeIo({ isTerminal: true, env: { NO_COLOR: '1' } })
    const display = createProgressDisplay(io)
    const receivers = Array.from({ length: 3 }, (_, index) => ({
      id: `r${index}`,
      name: 'a rather long name',
      state: 'transferring' as const,
      bytesDone: 1,
      place: null,
    }))
    display.update(progress({ receivers }))
    display.note('a note')
    display.clear()
    for (const line of io
      .err()
      .replaceAll('\u001b[K', '\n')
      .split(/[\r\n]/))
      expect([...line].length).toBeLessThan(80)
    expect(io.err()).toContain('\r\u001b[Ka note\n')
  })
})

test('a word for the shell is quoted where it must be', () => {
  expect(shellQuoted('1-a-b-c@host:1')).toBe('1-a-b-c@host:1')
  expect(shellQuoted("it's here")).toBe("'it'\\''s here'")
})
