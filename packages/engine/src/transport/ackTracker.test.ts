import { FRAME_ACK, FrameReader } from '@godwit/protocol/frames'
import { describe, expect, test } from 'vitest'
import { AckTracker, INITIAL_ACK_DELAY_US } from './ackTracker.js'

const written = (acks: AckTracker, nowUs: number) => {
  const buffer = new Uint8Array(100)
  const end = acks.write(nowUs, buffer, 0, buffer.length)
  if (end === 0) return undefined
  const reader = new FrameReader()
  reader.reset(buffer, 0, end)
  expect(reader.next()).toBe(FRAME_ACK)
  return { ranges: [...reader.ranges.subarray(0, 2 * reader.rangeCount)], delayUs: reader.value }
}

describe('acknowledgements', () => {
  test('are due at once for every second packet, and after a delay for one', () => {
    const acks = new AckTracker()
    acks.onPacket(1000, 0, true)
    expect(acks.isDue(1000)).toBe(false)
    expect(acks.deadlineUs).toBe(1000 + INITIAL_ACK_DELAY_US)
    acks.onPacket(2000, 1, true)
    expect(acks.isDue(2000)).toBe(true)
    expect(written(acks, 2500)).toEqual({ ranges: [0, 2], delayUs: 500 })
    expect(acks.deadlineUs).toBe(Number.POSITIVE_INFINITY)
    expect(written(acks, 3000)).toBeUndefined()
  })

  test('are due at once when a packet is missing', () => {
    const acks = new AckTracker()
    acks.onFrequency(1, 64, 20_000)
    acks.onPacket(1000, 0, true)
    acks.onPacket(1000, 1, true)
    expect(acks.isDue(1000)).toBe(false)
    acks.onPacket(1001, 3, true)
    expect(acks.isDue(1001)).toBe(true)
    expect(written(acks, 1001)?.ranges).toEqual([3, 4, 0, 2])
    acks.onPacket(1002, 2, true)
    expect(acks.isDue(1002)).toBe(true)
  })

  test('are never owed for packets that only acknowledge', () => {
    const acks = new AckTracker()
    for (let i = 0; i < 10; i += 2) acks.onPacket(1000, i, false)
    expect(acks.isPending).toBe(false)
    expect(acks.deadlineUs).toBe(Number.POSITIVE_INFINITY)
  })

  test('follow the newest ACK_FREQUENCY, within bounds', () => {
    const acks = new AckTracker()
    acks.onFrequency(2, 3, 0)
    acks.onFrequency(1, 100, 50_000)
    acks.onPacket(0, 0, true)
    expect(acks.deadlineUs).toBe(1000)
    acks.onPacket(0, 1, true)
    expect(acks.isDue(0)).toBe(false)
    acks.onPacket(0, 2, true)
    expect(acks.isDue(0)).toBe(true)
  })
})
