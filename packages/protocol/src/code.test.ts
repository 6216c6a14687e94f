import { describe, expect, test } from 'vitest'
import { type Code, formatCode, parseAddress, parseCode, parseRoomName } from './code.js'
import { messageOf } from './errors.js'

const plain: Code = { nameplate: '1234', words: ['abacus', 'zoom', 'tiger'], rendezvous: null }
const failureOf = (text: string): string => {
  const parsed = parseCode(text)
  return parsed.ok ? 'ok' : messageOf(parsed.failure)
}

describe('a code', () => {
  test.each([
    '1234-abacus-zoom-tiger',
    '  1234-abacus-zoom-tiger\n',
    '1234 abacus zoom tiger',
    '1234-Abacus-ZOOM-Tiger',
    '01234 - abacus – zoom — tiger',
    '“1234-abacus-zoom-tiger”',
    '`1234-abacus-zoom-tiger`.',
    '１２３４-abacus_zoom_tiger',
  ])('is read from %j', (text) => {
    expect(parseCode(text)).toEqual({ ok: true, value: plain })
  })

  test.each([
    ['1234-abacus-zoom-tiger@example.org:8443', { host: 'example.org', port: 8443 }],
    ['1234 abacus zoom tiger @ 192.168.1.7:4000', { host: '192.168.1.7', port: 4000 }],
    ['1234-abacus-zoom-tiger@[::1]:4000', { host: '::1', port: 4000 }],
    ['1234-abacus-zoom-tiger@[FE80::1]:4000', { host: 'fe80::1', port: 4000 }],
    ['1234-abacus-zoom-tiger@localhost:65535', { host: 'localhost', port: 65_535 }],
  ])('carries the address in %j', (text, rendezvous) => {
    expect(parseCode(text)).toEqual({ ok: true, value: { ...plain, rendezvous } })
  })

  test.each([
    plain,
    { ...plain, rendezvous: { host: 'example.org', port: 1 } },
    { ...plain, rendezvous: { host: '2001:db8::7', port: 4000 } },
  ])('is written so that it is read back', (code) => {
    expect(parseCode(formatCode(code))).toEqual({ ok: true, value: code })
  })

  test.each([
    ['', 'empty'],
    ['abacus-zoom-tiger', 'number'],
    ['0-abacus-zoom-tiger', 'not in 1'],
    ['1000000-abacus-zoom-tiger', 'not in 1'],
    ['1234-abacus-zoom', '2 words instead of 3'],
    ['1234-abacus-zoom-tiger-tiger', '4 words instead of 3'],
    ['1234-abacus-secretword-tiger', 'Word 2'],
    ['1234-abacus-zoom-tiger@', 'host:port'],
    ['1234-abacus-zoom-tiger@host', 'host:port'],
    ['1234-abacus-zoom-tiger@host:0', 'port'],
    ['1234-abacus-zoom-tiger@host:65536', 'port'],
    ['1234-abacus-zoom-tiger@::1:80', 'host:port'],
    ['1234-abacus-zoom-tiger@[::1::]:80', 'IPv6'],
    ['1234-abacus-zoom-tiger@a/b:80', 'not a name'],
    ['1234-abacus-zoom-tiger@user@host:80', 'not a name'],
    [`1-${'x'.repeat(400)}`, 'too long'],
  ])('%j is refused and says why', (text, why) => {
    expect(failureOf(text)).toContain(why)
  })

  test('a refusal never repeats what was typed', () => {
    expect(failureOf('1234-abacus-hunter2-tiger@host:1')).not.toMatch(/hunter2|abacus|tiger/)
    expect(failureOf('hunter2')).not.toContain('hunter2')
    expect(failureOf('1234-abacus-zoom-tiger@hunter2')).not.toContain('hunter2')
  })
})

describe('a room name', () => {
  test('with and without an address', () => {
    expect(parseRoomName('Film night')).toEqual({ ok: true, value: { name: 'Film night', rendezvous: null } })
    expect(parseRoomName('lab.7@10.0.0.1:4000')).toEqual({
      ok: true,
      value: { name: 'lab.7', rendezvous: { host: '10.0.0.1', port: 4000 } },
    })
  })

  test.each(['', '1234', '../etc', 'a'.repeat(65), 'room@nowhere', 'a\u202eb'])('%j is refused', (text) => {
    expect(parseRoomName(text)).toMatchObject({ ok: false, failure: { code: 'ERR_USAGE' } })
  })
})

test('an address alone', () => {
  expect(parseAddress('[2001:db8::1]:443')).toEqual({ ok: true, value: { host: '2001:db8::1', port: 443 } })
  expect(parseAddress('-x:443').ok).toBe(false)
})
