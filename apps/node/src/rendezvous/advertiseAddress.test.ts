import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { advertiseAddress } from './advertiseAddress.js'

test('it is an IPv4 address of this machine', async () => {
  const address = await advertiseAddress()
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map((one) => one.address) ?? [])
  expect(isIPv4(address)).toBe(true)
  expect([...own, '127.0.0.1']).toContain(address)
})
