import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter } from './bytes.js'
import { type Candidate, isUsableCandidate, readCandidates, usableCandidates, writeCandidates } from './candidates.js'
import { formatIp, parseIpv4, parseIpv6 } from './candidatesIp.js'

const at = (ip: string, port = 40_000): Candidate => ({
  kind: 'host',
  family: ip.includes(':') ? 'ipv6' : 'ipv4',
  ip,
  port,
})
const strict = { allowsLoopback: false }
const local = { allowsLoopback: true }

describe('addresses', () => {
  test.each([
    ['192.168.1.7', '192.168.1.7'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::', '2001:db8::'],
    ['2001:db8:1:2:3:0:5:6', '2001:db8:1:2:3:0:5:6'],
    ['::ffff:192.168.1.7', '::ffff:c0a8:107'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('%s is %s', (text, canonical) => {
    const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text)
    expect(bytes === undefined ? undefined : formatIp(bytes)).toBe(canonical)
  })

  test.each(['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '256.1.1.1', '1.2.3.-4', ' 1.2.3.4', '1.2.3.4 '])(
    '%j is no IPv4 address',
    (text) => {
      expect(parseIpv4(text)).toBeUndefined()
    },
  )

  test.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    'g::',
    '12345::',
    'fe80::1%eth0',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:5',
  ])('%j is no IPv6 address', (text) => {
    expect(parseIpv6(text)).toBeUndefined()
  })
})

describe('candidates that are probed', () => {
  test.each(['192.168.1.7', '10.0.0.1', '100.64.0.1', '169.254.3.4', '8.8.8.8', '2001:db8::7', 'fd00::1'])(
    '%s',
    (ip) => {
      expect(isUsableCandidate(at(ip), strict)).toBe(true)
    },
  )

  test.each(['127.0.0.1', '127.9.9.9', '::1'])('%s only where both run on one machine', (ip) => {
    expect(isUsableCandidate(at(ip), strict)).toBe(false)
    expect(isUsableCandidate(at(ip), local)).toBe(true)
  })

  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    'ff02::1',
    'fe80::1',
    'febf::1',
    '::ffff:10.0.0.1',
    '::10.0.0.1',
    'nonsense',
  ])('never %s', (ip) => {
    expect(isUsableCandidate(at(ip), local)).toBe(false)
  })

  test.each([0, 22, 53, 1023, 1900, 5353, 11_211, 65_536, 40_000.5])('never port %d', (port) => {
    expect(isUsableCandidate(at('192.168.1.7', port), strict)).toBe(false)
  })

  test('each once, eight at most', () => {
    const many = Array.from({ length: 20 }, (_, i) => at(`10.0.0.${1 + (i >> 1)}`))
    expect(usableCandidates([at('0.0.0.0'), ...many], strict)).toHaveLength(8)
  })
})

test('a list is read as it was written', () => {
  const list: Candidate[] = [at('192.168.1.7'), { ...at('2001:db8::7', 1), kind: 'observed' }]
  const writer = new ByteWriter()
  writeCandidates(writer, list)
  expect(readCandidates(new ByteReader(writer.finish()))).toEqual(list)
  const bytes = writer.finish()
  for (let cut = 0; cut < bytes.length; cut++) expect(readCandidates(new ByteReader(bytes, 0, cut))).toBeUndefined()
  expect(readCandidates(new ByteReader(Uint8Array.of(9)))).toBeUndefined()
})
