import { describe, expect, test } from 'vitest'
import { formatBytes, formatRate, parseRate } from './rate.js'

describe('parseRate', () => {
  test.each([
    ['20MB/s', 20_000_000],
    ['500mbit', 62_500_000],
    ['500 Mbit/s', 62_500_000],
    ['1gbps', 1_000_000_000],
    ['1.5MiB/s', 1_572_864],
    ['64kB', 64_000],
    ['64k', 64_000],
    ['64kb/s', 64_000],
    ['10mb/s', 10_000_000],
    ['123456', 123_456],
    ['1GiB', 1_073_741_824],
    ['unlimited', null],
    [' Unlimited ', null],
  ])('reads %s', (text, expected) => {
    expect(parseRate(text)).toEqual({ ok: true, value: expected })
  })

  test.each([
    '',
    'fast',
    '-5MB/s',
    '20 MB per second',
    '1e6',
    '0',
    '10B/s',
    '20Mb/s',
    '1.MB',
    'MB/s',
    '20MB/h',
    'NaN',
    '9'.repeat(30),
  ])('refuses %j', (text) => {
    const result = parseRate(text)
    expect(result.ok).toBe(false)
    if (!result.ok) expect(result.failure.code).toBe('ERR_RATE_MALFORMED')
  })

  test('reads what formatRate wrote', () => {
    for (const rate of [null, 2048, 64_000, 62_500_000, 1_230_000_000]) {
      const read = parseRate(formatRate(rate))
      if (!read.ok) throw new Error(formatRate(rate))
      if (rate === null || read.value === null) expect(read.value).toBe(rate)
      else expect(Math.abs(read.value / rate - 1)).toBeLessThan(0.01)
    }
  })
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
  [1_404_000_000, '1.40 GB'],
  [512_000_000, '512 MB'],
  [1.6e16, '16000 TB'],
])('%d bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})
