import { describe, expect, test } from 'vitest'
import { LossDetector } from './lossDetector.js'
import { RttEstimator } from './rttEstimator.js'
import { SentPackets } from './sentPackets.js'

const silent = { onRecordAcked: () => undefined, onRecordLost: () => undefined }

/** A detector with `count` packets in flight, sent a millisecond apart, and a round trip of 100 ms. */
const inFlight = (count: number, intervalUs = 1000) => {
  const packets = new SentPackets(1024)
  const rtt = new RttEstimator()
  rtt.update(100_000, 0)
  for (let i = 0; i < count; i++) packets.onSent(i * intervalUs, 1000, 0, 0, 0, false)
  const detector = new LossDetector(packets, rtt)
  const ack = (nowUs: number, packet: number): boolean => {
    packets.markAcked(packet, silent)
    detector.largestAcked = Math.max(detector.largestAcked, packet)
    return detector.detect(nowUs, 0, silent)
  }
  return { packets, detector, ack }
}

describe('loss detection', () => {
  test('takes a packet for lost when three later ones arrived', () => {
    const { detector, ack } = inFlight(10)
    expect(ack(100_000, 2)).toBe(false)
    expect(ack(100_001, 3)).toBe(true)
    expect([detector.lostPackets, detector.lostBytes]).toEqual([1, 1000])
  })

  test('takes a packet for lost when it is 9/8 of a round trip old', () => {
    const { detector, ack, packets } = inFlight(3)
    expect(ack(101_000, 1)).toBe(false)
    expect(detector.lossTimeUs).toBe(112_500)
    expect(detector.detect(112_499, 0, silent)).toBe(false)
    expect(detector.detect(112_500, 0, silent)).toBe(true)
    expect(packets.lowest).toBe(2)
    expect(detector.lossTimeUs).toBe(Number.POSITIVE_INFINITY)
  })

  test('waits longer once a packet was only late, and forgets that again', () => {
    const { detector, ack } = inFlight(40)
    ack(100_000, 9)
    expect(detector.lostPackets).toBe(7)
    detector.checkLate(101_000, Float64Array.of(9, 10, 2, 3), 2)
    expect(detector.reorderingPackets).toBe(8)
    ack(102_000, 15)
    expect(detector.lostPackets).toBe(1)
    detector.checkLate(102_000 + 16 * 100_000, Float64Array.of(15, 16), 1)
    expect(detector.reorderingPackets).toBe(4)
  })

  test('never waits for more than 1,024 packets, nor for more than two round trips', () => {
    const { detector, ack } = inFlight(1020, 1)
    ack(100_000, 900)
    detector.largestAcked = 5000
    detector.checkLate(900_000, Float64Array.of(0, 1), 1)
    expect([detector.reorderingPackets, detector.timeThreshold]).toEqual([1024, 2])
  })

  test('waits as long as packets that were overtaken took, and forgets that again', () => {
    const { detector, ack } = inFlight(10)
    ack(101_000, 9)
    expect(detector.lostPackets).toBe(7)
    // Packet 2, sent at 2 ms, comes 150 ms after that: one and a half round trips.
    detector.checkLate(152_000, Float64Array.of(2, 3), 1)
    expect(detector.timeThreshold).toBe(1.5)
    for (let round = 1; round < 8; round++) {
      detector.checkLate(152_000 + round * 16 * 100_000, Float64Array.of(9, 10), 1)
    }
    expect([detector.timeThreshold, detector.reorderingPackets]).toEqual([9 / 8, 3])
  })

  test('finds out in few steps which of many losses were only late', () => {
    const { detector, ack } = inFlight(1000, 1)
    ack(100_000, 999)
    expect(detector.lostPackets).toBe(997)
    expect(detector.checkLate(100_001, Float64Array.of(999, 1000, 990, 996, 5, 7), 3)).toBe(8)
    expect(detector.checkLate(100_002, Float64Array.of(999, 1000, 990, 996, 5, 7), 3)).toBe(0)
  })

  test('sees persistent congestion when everything between was lost for three probe timeouts', () => {
    const broken = inFlight(12, 100_000)
    broken.ack(1_200_000, 11)
    expect(broken.detector.isPersistent).toBe(true)
    const holed = inFlight(12, 100_000)
    holed.ack(600_000, 5)
    holed.ack(1_200_000, 11)
    expect(holed.detector.isPersistent).toBe(false)
  })
})
