import { expect, test } from 'vitest'
import { isThisMachine, limitKeyOf, truncatedAddress } from './addresses.js'

test('limits count an IPv4 address, and the /64 of an IPv6 one', () => {
  expect(limitKeyOf('192.0.2.7')).toBe('192.0.2.7')
  expect(limitKeyOf('::ffff:192.0.2.7')).toBe('192.0.2.7')
  expect(limitKeyOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
  expect(limitKeyOf('2001:DB8:1:2::9')).toBe('2001:db8:1:2::/64')
  expect(limitKeyOf('2001:db8::9')).toBe('2001:db8:0:0::/64')
  expect(limitKeyOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
})

test('this machine speaks from loopback, or from the address that it listens on', () => {
  expect(isThisMachine('127.0.0.1', '127.0.0.1')).toBe(true)
  expect(isThisMachine('::ffff:127.3.2.1', undefined)).toBe(true)
  expect(isThisMachine('::1', '::1')).toBe(true)
  expect(isThisMachine('192.0.2.7', '::ffff:192.0.2.7')).toBe(true)
  expect(isThisMachine('192.0.2.8', '192.0.2.7')).toBe(false)
  expect(isThisMachine('192.0.2.7', undefined)).toBe(false)
})

test('logs show the network only', () => {
  expect(truncatedAddress('192.0.2.7')).toBe('192.0.2.0/24')
  expect(truncatedAddress('2001:db8:1:2::9')).toBe('2001:db8:1::/48')
})
