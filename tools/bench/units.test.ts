import { expect, test } from 'vitest'
import { bytesOf, megabytesText, significant, sizeText } from './units.mjs'

test('sizes are read with decimal and binary units', () => {
  expect(bytesOf('1GiB')).toBe(1_073_741_824)
  expect(bytesOf('1.5 MB')).toBe(1_500_000)
  expect(bytesOf('64m')).toBe(64_000_000)
  expect(bytesOf('4096')).toBe(4096)
  expect(() => bytesOf('many')).toThrow(/not a size/)
})

test('sizes are told in the unit that fits them', () => {
  expect(sizeText(1_073_741_824)).toBe('1 GiB')
  expect(sizeText(400_000_000)).toBe('400 MB')
  expect(sizeText(1_000_000)).toBe('1.00 MB')
})

test('figures have three significant digits', () => {
  expect([0, 0.1234, 1.234, 12.34, 123.4, 1234].map(significant)).toEqual(['0', '0.123', '1.23', '12.3', '123', '1234'])
  expect(megabytesText(87_654_321)).toBe('87.7')
})
