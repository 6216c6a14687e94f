import { describe, expect, test } from 'vitest'
import { type AckSample, emptyAckSample, emptyLossSample } from './controller.js'
import { Cubic } from './cubic.js'

const MSS = 1200

const ack = (over: Partial<AckSample>): AckSample => ({ ...emptyAckSample(), smoothedRttUs: 50_000, ...over })

/** One window's worth of acknowledgements, sent and acknowledged a round trip apart. */
const round = (cubic: Cubic, nowUs: number, rttUs = 50_000): void => {
  const cwnd = cubic.cwndBytes
  for (let acked = 0; acked < cwnd; acked += 10 * MSS) {
    cubic.onAck(
      ack({
        nowUs,
        ackedBytes: Math.min(10 * MSS, cwnd - acked),
        newestSentTimeUs: nowUs - rttUs,
        newestPacketNumber: nowUs,
        nextPacketNumber: nowUs + 1,
        priorInFlightBytes: cwnd,
        latestRttUs: rttUs,
      }),
    )
  }
}

const lose = (cubic: Cubic, nowUs: number, isPersistent = false): void =>
  cubic.onLoss({
    ...emptyLossSample(),
    nowUs,
    newestSentTimeUs: nowUs - 1,
    lostBytes: MSS,
    lostPackets: 1,
    isPersistent,
  })

describe('CUBIC', () => {
  test('begins with ten packets at the least and doubles in slow start', () => {
    const cubic = new Cubic(MSS)
    expect(cubic.cwndBytes).toBe(14_720)
    round(cubic, 50_000)
    expect(cubic.cwndBytes).toBe(2 * 14_720)
    expect(new Cubic(9000).cwndBytes).toBe(90_000)
  })

  test('takes 0.7 of the window after a loss, once for one flight', () => {
    const cubic = new Cubic(MSS)
    for (let i = 1; i < 5; i++) round(cubic, i * 50_000)
    const before = cubic.cwndBytes
    lose(cubic, 300_000)
    expect(cubic.cwndBytes).toBeCloseTo(before * 0.7)
    cubic.onLoss({ ...emptyLossSample(), nowUs: 310_000, newestSentTimeUs: 290_000, lostBytes: MSS })
    expect(cubic.cwndBytes).toBeCloseTo(before * 0.7)
  })

  test('comes back to its old window at about K, slowly near it and faster beyond', () => {
    const cubic = new Cubic(MSS)
    for (let i = 1; i < 7; i++) round(cubic, i * 50_000)
    const before = cubic.cwndBytes
    lose(cubic, 400_000)
    const k = Math.cbrt((before * 0.3) / MSS / 0.4)
    let nowUs = 450_000
    while (cubic.cwndBytes < before * 0.99) {
      round(cubic, nowUs)
      nowUs += 50_000
      expect(nowUs).toBeLessThan(60_000_000)
    }
    expect(nowUs / 1e6).toBeGreaterThan(k * 0.6)
    expect(nowUs / 1e6).toBeLessThan(k + 1.5)
    for (let i = 0; i < 200; i++, nowUs += 50_000) round(cubic, nowUs)
    expect(cubic.cwndBytes).toBeGreaterThan(before * 1.1)
  })

  test('does not grow a window that is not used', () => {
    const cubic = new Cubic(MSS)
    const before = cubic.cwndBytes
    cubic.onAck(ack({ nowUs: 1000, ackedBytes: MSS, newestSentTimeUs: 1, priorInFlightBytes: MSS }))
    expect(cubic.cwndBytes).toBe(before)
  })

  test('leaves slow start when the round trip grows', () => {
    const cubic = new Cubic(MSS)
    for (let i = 1; i < 6; i++) round(cubic, i * 50_000)
    for (let i = 6; i < 16; i++) round(cubic, i * 50_000, 50_000 + (i - 5) * 8000)
    expect(cubic.isSlowStart).toBe(false)
  })

  test('takes a reduction back when everything lost was only late', () => {
    const cubic = new Cubic(MSS)
    for (let i = 1; i < 5; i++) round(cubic, i * 50_000)
    const before = cubic.cwndBytes
    cubic.onLoss({ ...emptyLossSample(), nowUs: 300_000, newestSentTimeUs: 290_000, lostPackets: 3 })
    cubic.onSpuriousLoss(2)
    expect(cubic.cwndBytes).toBeLessThan(before)
    cubic.onSpuriousLoss(1)
    expect(cubic.cwndBytes).toBe(before)
  })

  test('falls to two packets after persistent congestion', () => {
    const cubic = new Cubic(MSS)
    lose(cubic, 1000, true)
    expect(cubic.cwndBytes).toBe(2 * MSS)
    expect(cubic.pacingRate(50_000)).toBeGreaterThan(0)
  })
})
