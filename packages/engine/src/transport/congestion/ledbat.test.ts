import { describe, expect, test } from 'vitest'
import { BaseDelay } from './baseDelay.js'
import { type AckSample, emptyAckSample, emptyLossSample } from './controller.js'
import { Ledbat } from './ledbat.js'

const MSS = 1200
const BASE_US = 120_000
const MINUTE_US = 60_000_000

/** One window's worth of acknowledgements with a queue of `queueUs`, a round trip after the last. */
const round = (ledbat: Ledbat, nowUs: number, queueUs: number, over: Partial<AckSample> = {}): number => {
  const cwnd = ledbat.cwndBytes
  const rttUs = BASE_US + queueUs
  for (let acked = 0; acked < cwnd; acked += MSS) {
    ledbat.onAck({
      ...emptyAckSample(),
      nowUs,
      ackedBytes: Math.min(MSS, cwnd - acked),
      newestSentTimeUs: nowUs - rttUs,
      priorInFlightBytes: cwnd,
      latestRttUs: rttUs,
      smoothedRttUs: rttUs,
      minRttUs: BASE_US,
      ...over,
    })
  }
  return nowUs + rttUs
}

/** A controller beyond slow start and its first slowdown, at 100 packets. */
const settled = (): { ledbat: Ledbat; nowUs: number } => {
  const ledbat = new Ledbat(MSS)
  let nowUs = BASE_US
  while (ledbat.cwndBytes < 100 * MSS) nowUs = round(ledbat, nowUs, 0)
  nowUs = round(ledbat, nowUs, 29_000)
  for (let i = 0; i < 40; i++) nowUs = round(ledbat, nowUs, 0)
  return { ledbat, nowUs }
}

describe('LEDBAT++', () => {
  test('begins as others do', () => {
    expect(new Ledbat(MSS).cwndBytes).toBe(14_720)
    expect(new Ledbat(9000).cwndBytes).toBe(90_000)
    expect(new Ledbat(MSS).pacingRate(BASE_US)).toBeGreaterThan(0)
  })

  test('ends its first slow start when a queue begins to stand, and empties the path two round trips later', () => {
    const ledbat = new Ledbat(MSS)
    let nowUs = BASE_US
    while (ledbat.cwndBytes < 100 * MSS) nowUs = round(ledbat, nowUs, 0)
    const before = ledbat.cwndBytes
    nowUs = round(ledbat, nowUs, 25_000)
    expect(ledbat.isSlowStart).toBe(false)
    nowUs = round(ledbat, nowUs, 0)
    nowUs = round(ledbat, nowUs + BASE_US, 0)
    expect(ledbat.cwndBytes).toBe(2 * MSS)
    // Then it climbs back to where it was.
    for (let i = 0; i < 20; i++) nowUs = round(ledbat, nowUs, 0)
    expect(ledbat.cwndBytes).toBeGreaterThan(before * 0.9)
  })

  test('spends no more than a tenth of its time on slowdowns', () => {
    const ledbat = new Ledbat(MSS)
    let nowUs = BASE_US
    while (ledbat.cwndBytes < 100 * MSS) nowUs = round(ledbat, nowUs, 0)
    let slowUs = 0
    const startUs = nowUs
    for (let i = 0; i < 2000; i++) {
      const isSlow = ledbat.cwndBytes < 80 * MSS
      const before = nowUs
      nowUs = round(ledbat, nowUs, ledbat.cwndBytes > 120 * MSS ? 33_000 : 10_000)
      if (isSlow) slowUs += nowUs - before
    }
    expect(slowUs / (nowUs - startUs)).toBeGreaterThan(0.01)
    expect(slowUs / (nowUs - startUs)).toBeLessThan(0.12)
  })

  test('grows by a packet a round trip at the most, and shrinks as soon as the queue is too long', () => {
    const { ledbat, nowUs } = settled()
    const before = ledbat.cwndBytes
    let atUs = round(ledbat, nowUs, 10_000)
    expect(ledbat.cwndBytes - before).toBeGreaterThan(0)
    expect(ledbat.cwndBytes - before).toBeLessThan(1.1 * MSS)
    // Twice the target of 30 ms: the smallest of the last four samples has to show it.
    for (let i = 0; i < 3; i++) atUs = round(ledbat, atUs, 60_000)
    expect(ledbat.cwndBytes).toBeLessThan(before * 0.3)
    expect(ledbat.cwndBytes).toBeGreaterThanOrEqual(2 * MSS)
  })

  test('halves its window for losses while a queue stands, once a round trip, and takes that back if they were none', () => {
    const { ledbat, nowUs } = settled()
    round(ledbat, nowUs, 20_000)
    const before = ledbat.cwndBytes
    const loss = { ...emptyLossSample(), nowUs: nowUs + 1, newestSentTimeUs: nowUs, lostBytes: MSS, lostPackets: 1 }
    ledbat.onLoss(loss)
    ledbat.onLoss({ ...loss, nowUs: nowUs + 2 })
    expect(ledbat.cwndBytes).toBe(before / 2)
    ledbat.onSpuriousLoss(2)
    expect(ledbat.cwndBytes).toBe(before)
  })

  test('bears rare losses while no queue stands, not many', () => {
    const { ledbat, nowUs } = settled()
    const before = ledbat.cwndBytes
    const loss = { ...emptyLossSample(), nowUs, newestSentTimeUs: nowUs, deliveredBytes: 100 * MSS }
    ledbat.onLoss({ ...loss, lostBytes: 2 * MSS, lostPackets: 2 })
    expect(ledbat.cwndBytes).toBe(before)
    ledbat.onLoss({ ...loss, lostBytes: 20 * MSS, lostPackets: 20 })
    expect(ledbat.cwndBytes).toBe(before / 2)
  })

  test('falls to two packets after persistent congestion', () => {
    const { ledbat, nowUs } = settled()
    ledbat.onLoss({ ...emptyLossSample(), nowUs, newestSentTimeUs: nowUs, lostBytes: 50 * MSS, isPersistent: true })
    expect(ledbat.cwndBytes).toBe(2 * MSS)
  })
})

describe('the round trip without a queue', () => {
  test('is remembered for ten minutes', () => {
    const delay = new BaseDelay()
    delay.onSample(0, 20_000)
    for (let minute = 1; minute < 10; minute++) delay.onSample(minute * MINUTE_US, 30_000)
    expect([delay.baseUs, delay.queueUs]).toEqual([20_000, 10_000])
    delay.onSample(10 * MINUTE_US, 30_000)
    expect([delay.baseUs, delay.queueUs]).toEqual([30_000, 0])
  })
})
