import { describe, expect, test } from 'vitest'
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
    const old = receive.select(0, 0, 4)
    receive.onAuthentic(0, 4)
    const next = receive.select(1000, 1, 12)
    expect(next).not.toBe(old)
    expect(receive.epoch).toBe(0)
    receive.onAuthentic(1000, 12)
    expect(receive.epoch).toBe(1)
    expect(receive.select(2000, 0, 5)).toBe(old)
    receive.onAuthentic(2000, 5)
    expect(receive.epoch).toBe(1)
    expect(receive.select(2000, 1, 11)).toBe(next)
    receive.onAuthentic(2000, 11)
    expect(receive.select(3_001_001, 0, 6)).toBeUndefined()
    const third = receive.select(3_001_001, 0, 40)
    expect(third).not.toBe(old)
    receive.onAuthentic(3_001_001, 40)
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
