import { expect, test } from 'vitest'
import { limitKeyOf, truncatedAddress } from './addresses.js'

test('limits count an IPv4 address, and the /64 of an IPv6 one', () => {
  expect(limitKeyOf('192.0.2.7')).toBe('192.0.2.7')
  expect(limitKeyOf('::ffff:192.0.2.7')).toBe('192.0.2.7')
  expect(limitKeyOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
  expect(limitKeyOf('2001:DB8:1:2::9')).toBe('2001:db8:1:2::/64')
  expect(limitKeyOf('2001:db8::9')).toBe('2001:db8:0:0::/64')
  expect(limitKeyOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
})

test('logs show the network only', () => {
  expect(truncatedAddress('192.0.2.7')).toBe('192.0.2.0/24')
  expect(truncatedAddress('2001:db8:1:2::9')).toBe('2001:db8:1::/48')
})
