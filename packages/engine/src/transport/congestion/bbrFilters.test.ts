/** The small measuring parts of BBR, each on its own. */
import { describe, expect, test } from 'vitest'
import { BbrAggregation } from './bbrAggregation.js'
import { BbrFullPipe } from './bbrFullPipe.js'
import { BbrMinRtt } from './bbrMinRtt.js'
import { BbrProbeClock } from './bbrProbeClock.js'
import { BbrRandomLoss } from './bbrRandomLoss.js'
import { BbrRounds } from './bbrRounds.js'
import { TwoSlotMax } from './twoSlotMax.js'

const SECOND_US = 1_000_000

describe('the maximum of two periods', () => {
  test('is forgotten after one whole period without it', () => {
    const max = new TwoSlotMax()
    max.update(7)
    max.update(3)
    max.advance()
    max.update(5)
    expect(max.value).toBe(7)
    max.advance()
    expect(max.value).toBe(5)
    max.advance()
    expect(max.value).toBe(0)
  })
})

describe('packet-timed rounds', () => {
  test('end with the acknowledgement of what was sent after they began', () => {
    const rounds = new BbrRounds()
    rounds.onAck(0, 1000)
    expect([rounds.isStart, rounds.count]).toEqual([true, 1])
    rounds.onAck(999, 2000)
    expect(rounds.isStart).toBe(false)
    rounds.onAck(1000, 3000)
    expect([rounds.isStart, rounds.count]).toEqual([true, 2])
    rounds.start(5000)
    rounds.onAck(4000, 6000)
    expect(rounds.isStart).toBe(false)
  })
})

describe('the full pipe', () => {
  test('is seen after three rounds without a quarter more', () => {
    const pipe = new BbrFullPipe()
    for (const rate of [100, 200, 400]) pipe.onSample(rate, true)
    for (const rate of [410, 420]) pipe.onSample(rate, true)
    expect(pipe.isReached).toBe(false)
    pipe.onSample(430, true)
    expect([pipe.isFullNow, pipe.isReached]).toEqual([true, true])
    pipe.restart(430)
    expect([pipe.isFullNow, pipe.isReached]).toEqual([false, true])
  })

  test('is not full while a sample in the middle of a round shows growth', () => {
    const pipe = new BbrFullPipe()
    pipe.onSample(100, true)
    pipe.onSample(90, true)
    pipe.onSample(90, true)
    pipe.onSample(130, false)
    pipe.onSample(90, true)
    pipe.onSample(90, true)
    expect(pipe.isFullNow).toBe(false)
    pipe.onSample(90, true)
    expect(pipe.isFullNow).toBe(true)
  })
})

describe('the smallest round trip', () => {
  test('asks for a probe when no sample came near it for 5 s', () => {
    const min = new BbrMinRtt()
    min.onAck(0, 40_000, 40_000)
    for (let at = 0; at <= 5; at++) min.onAck(at * SECOND_US, 60_000, 40_000)
    expect(min.isProbeDue).toBe(false)
    min.onAck(5.1 * SECOND_US, 60_000, 40_000)
    expect(min.isProbeDue).toBe(true)
    min.onProbed(5.4 * SECOND_US)
    min.onAck(6 * SECOND_US, 60_000, 40_000)
    expect([min.isProbeDue, min.minUs]).toEqual([false, 40_000])
  })

  test('needs no probe while samples come near it, and does not creep upwards with them', () => {
    const min = new BbrMinRtt()
    for (let at = 0; at < 60; at++) min.onAck(at * SECOND_US, 40_000 + (at % 3) * 1000, 40_000)
    expect([min.isProbeDue, min.minUs]).toEqual([false, 40_000])
  })

  test('follows a longer path after 10 s', () => {
    const min = new BbrMinRtt()
    min.onAck(0, 40_000, 40_000)
    for (let at = 1; at < 12; at++) min.onAck(at * SECOND_US, 90_000, 40_000)
    expect(min.minUs).toBe(90_000)
  })

  test('takes half a millisecond for nothing on a path of microseconds', () => {
    const min = new BbrMinRtt()
    min.onAck(0, 50, 50)
    for (let at = 1; at < 60; at++) min.onAck(at * SECOND_US, 400, 50)
    expect([min.isProbeDue, min.minUs]).toEqual([false, 50])
  })
})

describe('aggregation', () => {
  test('is what bursts acknowledge beyond the rate, and is forgotten after 10 rounds', () => {
    const aggregation = new BbrAggregation()
    const rate = 1_000_000
    // 20,000 bytes every 20 ms, all at once.
    for (let at = 0; at < 10; at++) aggregation.onAck(at * 20_000, 20_000, rate, 1_000_000, true, false)
    expect(aggregation.extraAckedBytes).toBeGreaterThanOrEqual(20_000)
    expect(aggregation.extraAckedBytes).toBeLessThan(41_000)
    for (let at = 0; at < 200; at++) {
      aggregation.onAck(200_000 + at * 1000, 1000, rate, 1_000_000, at % 10 === 0, false)
    }
    expect(aggregation.extraAckedBytes).toBeLessThan(5000)
  })

  test('is never more than the window', () => {
    const aggregation = new BbrAggregation()
    aggregation.onAck(0, 500_000, 1000, 30_000, true, true)
    expect(aggregation.extraAckedBytes).toBe(30_000)
  })
})

describe('random loss', () => {
  const rounds = (loss: BbrRandomLoss, shares: readonly number[], isQueueShort = true, from = 0): number => {
    let delivered = from
    for (const share of shares) {
      loss.onLoss(100_000 * share)
      delivered += 100_000 * (1 - share)
      loss.onRoundEnd(delivered, delivered, isQueueShort)
    }
    return delivered
  }

  test('is the smallest share of the last rounds', () => {
    const loss = new BbrRandomLoss(0.2)
    rounds(loss, [0.1, 0.12, 0.08, 0.11, 0.1, 0.09])
    expect(loss.share).toBeCloseTo(0.08)
  })

  test('is nothing as soon as one round is clean: bursts and probes do not make it', () => {
    const loss = new BbrRandomLoss(0.2)
    rounds(loss, [0.2, 0.2, 0, 0.2, 0.2, 0.2])
    expect(loss.share).toBe(0)
  })

  test('is not learnt while a queue stands, and is bounded', () => {
    const loss = new BbrRandomLoss(0.2)
    const delivered = rounds(loss, [0.1, 0.1, 0.1])
    rounds(loss, [0.3, 0, 0.3], false, delivered)
    expect(loss.share).toBeCloseTo(0.1)
    const heavy = new BbrRandomLoss(0.05)
    rounds(heavy, [0.4, 0.4])
    expect(heavy.share).toBe(0.05)
  })
})

describe('the time between probes', () => {
  const clockOf = (chance: number): BbrProbeClock => new BbrProbeClock(() => chance)

  test('is 2 to 3 s by chance', () => {
    for (const [chance, waitUs] of [
      [0, 2 * SECOND_US],
      [0.5, 2.5 * SECOND_US],
    ] as const) {
      const clock = clockOf(chance)
      clock.restart(0, false)
      expect(clock.isDue(waitUs, 1000, false)).toBe(false)
      expect(clock.isDue(waitUs + 1, 1000, false)).toBe(true)
    }
  })

  test('is as many rounds as there are packets in flight where that is less, but not below 0.1 s', () => {
    const clock = clockOf(0)
    clock.restart(0, false)
    for (let round = 0; round < 20; round++) clock.onRoundStart()
    expect(clock.isDue(200_000, 21, false)).toBe(false)
    expect(clock.isDue(200_000, 20, false)).toBe(true)
    expect(clock.isDue(90_000, 20, false)).toBe(false)
  })

  test('is longer while a queue stands, and after a probe that lost too much', () => {
    const clock = clockOf(0)
    clock.restart(0, false)
    expect(clock.isDue(3.9 * SECOND_US, 1000, true)).toBe(false)
    expect(clock.isDue(4.1 * SECOND_US, 1000, true)).toBe(true)
    clock.restart(0, true)
    expect(clock.isDue(2.9 * SECOND_US, 1000, false)).toBe(false)
    expect(clock.isDue(3.1 * SECOND_US, 1000, false)).toBe(true)
  })
})
