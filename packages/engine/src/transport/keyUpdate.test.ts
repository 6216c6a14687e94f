import { describe, expect, test } from 'vitest'
import type { PacketProtection } from '../ports/packetProtection.js'
import { checksumKeys } from '../testing/checksumProtection.js'
import { ReceiveKeys, SendKeys } from './keyUpdate.js'

const schedules = () => {
  const [first, second] = checksumKeys(5)
  return { keys: new SendKeys(first.send, 10), receive: new ReceiveKeys(second.receive) }
}

describe('key update', () => {
  test('waits for an acknowledgement of the present epoch', () => {
    const { keys } = schedules()
    keys.prepare(9, 8)
    expect(keys.epoch).toBe(0)
    keys.prepare(10, -1)
    expect(keys.epoch).toBe(0)
    keys.prepare(12, 3)
    expect(keys.epoch).toBe(1)
    keys.prepare(30, 11)
    expect(keys.epoch).toBe(1)
    keys.prepare(31, 12)
    expect(keys.epoch).toBe(2)
  })

  test('opens late packets of the epoch before for 3 s', () => {
    const { receive } = schedules()
    /** A packet that arrives and is authentic. */
    const take = (nowUs: number, epochBit: number, packetNumber: number): PacketProtection | undefined => {
      const protection = receive.select(nowUs, epochBit, packetNumber)
      if (protection !== undefined) receive.onAuthentic(nowUs, packetNumber, protection)
      return protection
    }
    const old = take(0, 0, 4)
    const next = receive.select(1000, 1, 12)
    expect(next).not.toBe(old)
    expect(receive.epoch).toBe(0)
    expect(take(1000, 1, 12)).toBe(next)
    expect(receive.epoch).toBe(1)
    expect(take(2000, 0, 5)).toBe(old)
    expect(receive.epoch).toBe(1)
    expect(take(2000, 1, 11)).toBe(next)
    expect(take(3_001_001, 0, 6)).toBeUndefined()
    expect(take(3_001_001, 0, 40)).not.toBe(old)
    expect(receive.epoch).toBe(2)
  })

  test('does not move on for a forged bit', () => {
    const { receive } = schedules()
    const forged = receive.select(0, 1, 100)
    expect(forged).toBeDefined()
    expect(receive.epoch).toBe(0)
    expect(receive.select(0, 0, 5)).not.toBe(forged)
  })
})
