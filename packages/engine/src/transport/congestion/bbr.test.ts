/** BBR as a controller: what it answers with at the edges. Its life on a path is in `bbr.sim.test.ts`. */
import { describe, expect, test } from 'vitest'
import { Bbr } from './bbr.js'
import { LOSSY_TOLERANCE, STANDARD_TOLERANCE } from './bbrParameters.js'
import { type AckSample, emptyAckSample, emptyLossSample } from './controller.js'

const MSS = 1200
const RTT_US = 50_000
/** Bytes that an ideal path of 10 MB/s holds. */
const BDP = 500_000

const bbrOf = (datagramBytes = MSS): Bbr => new Bbr(datagramBytes, () => 0.5, STANDARD_TOLERANCE)

/**
 * Drives a controller over an ideal path of 10 MB/s and 50 ms: whatever its window allows is acknowledged a round trip
 * later, as fast as the path delivers, in `acks` pieces.
 */
const rounds = (bbr: Bbr, fromUs: number, count: number, over: Partial<AckSample> = {}, acks = 20): number => {
  let nowUs = fromUs
  let delivered = fromUs === 0 ? 0 : (bbr.model.deliveredBytes as number)
  for (let round = 0; round < count; round++) {
    const prior = delivered
    const window = bbr.cwndBytes
    const inFlight = Math.min(window, 2 * BDP)
    const rttUs = RTT_US * Math.max(1, inFlight / BDP)
    for (let ack = 1; ack <= acks; ack++) {
      const acked = inFlight / acks
      delivered += acked
      bbr.onSent(nowUs, MSS, inFlight, false)
      bbr.onAck({
        ...emptyAckSample(),
        nowUs: nowUs + (rttUs * ack) / acks,
        ackedBytes: acked,
        newestSentTimeUs: nowUs,
        priorInFlightBytes: inFlight,
        inFlightBytes: inFlight - acked,
        latestRttUs: rttUs,
        smoothedRttUs: rttUs,
        minRttUs: RTT_US,
        deliveredBytes: delivered,
        priorDeliveredBytes: prior,
        sampleBytes: delivered - prior,
        sampleIntervalUs: Math.max(RTT_US, (rttUs * ack) / acks),
        sentInFlightBytes: inFlight,
        ...over,
      })
    }
    nowUs += rttUs
  }
  return nowUs
}

describe('BBR', () => {
  test.each([1200, 1472, 8952, 65_507])('begins with 32 datagrams of %i bytes, paced over a round trip', (bytes) => {
    const bbr = bbrOf(bytes)
    expect(bbr.cwndBytes).toBe(Math.max(32 * 1200, 32 * bytes))
    expect(bbr.pacingRate(RTT_US)).toBeCloseTo((2.77 * bbr.cwndBytes * 1e6) / RTT_US)
    bbr.onDatagramBytes(2 * bytes)
    expect(bbr.cwndBytes).toBe(Math.max(32 * 1200, 64 * bytes))
  })

  test('keeps to the rate of its first window until there is data, however little went before', () => {
    const bbr = bbrOf()
    const first = bbr.pacingRate(RTT_US)
    const nowUs = rounds(bbr, 0, 3, { isAppLimited: true, ackedBytes: 50, sampleBytes: 1000 })
    expect(bbr.model.rate).toBe(20_000)
    expect(bbr.pacingRate(RTT_US)).toBe(first)
    rounds(bbr, nowUs, 8)
    expect(bbr.pacingRate(RTT_US)).toBeGreaterThan(first)
  })

  test('finds rate and round trip, and keeps about that much in flight', () => {
    const bbr = bbrOf()
    rounds(bbr, 0, 60)
    expect(bbr.model.rate).toBeCloseTo(10_000_000, -5)
    expect(bbr.model.minRttUs).toBe(RTT_US)
    expect(bbr.cwndBytes).toBeGreaterThan(BDP)
    expect(bbr.cwndBytes).toBeLessThan(3.2 * BDP)
  })

  test('never paces at 0, whatever it is told', () => {
    const bbr = bbrOf()
    for (const smoothedRttUs of [0, 50, RTT_US, 10_000_000]) expect(bbr.pacingRate(smoothedRttUs)).toBeGreaterThan(0)
    const late = rounds(bbr, 0, 10)
    // A minute later 1 byte is acknowledged.
    bbr.onAck({
      ...emptyAckSample(),
      nowUs: late + 60_000_000,
      ackedBytes: 1,
      latestRttUs: 60_000_000,
      smoothedRttUs: 8_000_000,
      minRttUs: RTT_US,
      deliveredBytes: bbr.model.deliveredBytes + 1,
      priorDeliveredBytes: bbr.model.deliveredBytes,
      sampleBytes: 1,
      sampleIntervalUs: 60_000_000,
    })
    expect(bbr.pacingRate(8_000_000)).toBeGreaterThanOrEqual((4 * MSS) / 8)
    expect(bbr.cwndBytes).toBeGreaterThanOrEqual(4 * MSS)
  })

  test('does not take samples of an application that is slow for the path', () => {
    const bbr = bbrOf()
    let nowUs = rounds(bbr, 0, 30)
    const before = bbr.model.rate
    nowUs = rounds(bbr, nowUs, 300, { isAppLimited: true, sampleBytes: MSS, sampleIntervalUs: RTT_US })
    expect(bbr.model.rate).toBeCloseTo(before)
    expect(nowUs).toBeGreaterThan(10_000_000)
  })

  test('falls to four packets after persistent congestion and grows by what is acknowledged', () => {
    const bbr = bbrOf()
    const nowUs = rounds(bbr, 0, 30)
    bbr.onLoss({ ...emptyLossSample(), nowUs, lostBytes: BDP, lostPackets: 400, lostRanges: 1, isPersistent: true })
    expect(bbr.cwndBytes).toBe(4 * MSS)
    rounds(bbr, nowUs, 1)
    expect(bbr.cwndBytes).toBe(8 * MSS)
    rounds(bbr, nowUs + RTT_US, 10)
    expect(bbr.cwndBytes).toBeGreaterThan(BDP)
  })

  test('takes back what losses changed that turn out to be none', () => {
    const bbr = bbrOf()
    const nowUs = rounds(bbr, 0, 30)
    const lose = () => ({
      ...emptyLossSample(),
      nowUs,
      lostBytes: 100 * MSS,
      lostPackets: 100,
      lostRanges: 20,
      deliveredBytes: bbr.model.deliveredBytes,
      sentInFlightBytes: BDP,
      lostSinceSentBytes: 100 * MSS,
    })
    const before = bbr.cwndBytes
    bbr.onLoss({ ...lose(), isPersistent: true })
    expect(bbr.cwndBytes).toBeLessThan(before)
    bbr.onSpuriousLoss(99)
    expect(bbr.cwndBytes).toBeLessThan(before)
    bbr.onSpuriousLoss(1)
    expect(bbr.cwndBytes).toBe(before)
  })

  test('begins anew on another path', () => {
    const bbr = bbrOf()
    rounds(bbr, 0, 30)
    expect(bbr.state).not.toBe('startup')
    bbr.reset()
    expect([bbr.state, bbr.cwndBytes, bbr.model.rate]).toEqual(['startup', 32 * 1200, 0])
    expect(bbr.pacingRate(RTT_US)).toBeCloseTo((2.77 * 32 * 1200 * 1e6) / RTT_US)
  })

  test('lets a window of a local path outlast a timer of a millisecond', () => {
    const bbr = bbrOf(65_507)
    for (let at = 0; at < 400; at++) {
      const delivered = (at + 1) * 131_014
      bbr.onAck({
        ...emptyAckSample(),
        nowUs: at * 131,
        ackedBytes: 131_014,
        latestRttUs: 50,
        smoothedRttUs: 60,
        minRttUs: 50,
        deliveredBytes: delivered,
        priorDeliveredBytes: delivered - 131_014,
        sampleBytes: 131_014,
        sampleIntervalUs: 131,
        sentInFlightBytes: 131_014,
      })
    }
    const { rate } = bbr.model
    expect(rate).toBeCloseTo(1e9, -7)
    expect(bbr.cwndBytes).toBeGreaterThan(rate / 1000)
  })
})

describe('losses', () => {
  const lossOf = (bbr: Bbr, share: number) => ({
    ...emptyLossSample(),
    nowUs: 1,
    lostBytes: BDP * share,
    lostPackets: (BDP * share) / MSS,
    lostRanges: 20,
    deliveredBytes: bbr.model.deliveredBytes,
    sentInFlightBytes: BDP,
    lostSinceSentBytes: BDP * share,
  })

  test.each([
    ['standard', STANDARD_TOLERANCE, 0.04, 0.1],
    ['lossy', LOSSY_TOLERANCE, 0.15, 0.3],
  ] as const)('without a queue are taken for the path’s own up to a share: %s', (_name, tolerance, own, congestion) => {
    const bbr = new Bbr(MSS, () => 0.5, tolerance)
    rounds(bbr, 0, 3)
    const { model } = bbr
    expect(model.isTooHigh(lossOf(bbr, own).lostBytes, BDP)).toBe(false)
    expect(model.isTooHigh(lossOf(bbr, congestion).lostBytes, BDP)).toBe(true)
  })

  test('with a queue are congestion from 2 % on', () => {
    const bbr = bbrOf()
    rounds(bbr, 0, 3, { smoothedRttUs: 2 * RTT_US })
    expect(bbr.model.isTooHigh(0.019 * BDP, BDP)).toBe(false)
    expect(bbr.model.isTooHigh(0.021 * BDP, BDP)).toBe(true)
  })

  test('of a few packets say little: three of twenty are no 15 %', () => {
    const bbr = bbrOf()
    rounds(bbr, 0, 2)
    expect(bbr.model.isTooHigh(2 * MSS, 20 * MSS)).toBe(false)
    expect(bbr.model.isTooHigh(8 * MSS, 20 * MSS)).toBe(true)
  })
})
