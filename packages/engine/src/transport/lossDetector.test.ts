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

  test('never waits for more than 64 packets', () => {
    const { detector, ack } = inFlight(200)
    ack(100_000, 150)
    detector.checkLate(100_000, Float64Array.of(0, 1), 1)
    expect(detector.reorderingPackets).toBe(64)
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
