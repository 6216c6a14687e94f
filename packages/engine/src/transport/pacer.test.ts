import { describe, expect, test } from 'vitest'
import { Pacer } from './pacer.js'

const DATAGRAM = 1200

/** Sends whatever is allowed at each wake-up, `lateUs` after it was asked for, for one second; returns the bytes. */
const sendForASecond = (rate: number, lateUs: number): number => {
  const pacer = new Pacer(0, Number.POSITIVE_INFINITY)
  let sent = 0
  for (let nowUs = 0; nowUs < 1_000_000; nowUs = pacer.nextUs(nowUs, DATAGRAM) + lateUs) {
    pacer.refill(nowUs, rate, DATAGRAM)
    while (pacer.allows(DATAGRAM)) {
      pacer.onSent(DATAGRAM)
      sent += DATAGRAM
    }
  }
  return sent
}

describe('the pacer', () => {
  test.each([100_000, 1_000_000, 100_000_000])('reaches %i bytes a second, also with late timers', (rate) => {
    for (const lateUs of [0, 1000, 3000]) {
      const sent = sendForASecond(rate, lateUs)
      expect(sent).toBeGreaterThan(rate * 0.97)
      expect(sent).toBeLessThan(rate * 1.03 + 10 * DATAGRAM)
    }
  })

  test('does not save up for a burst', () => {
    const pacer = new Pacer(0, Number.POSITIVE_INFINITY)
    pacer.refill(0, 10_000_000, DATAGRAM)
    pacer.refill(60_000_000, 10_000_000, DATAGRAM)
    let sent = 0
    while (pacer.allows(DATAGRAM)) {
      pacer.onSent(DATAGRAM)
      sent += DATAGRAM
    }
    expect(sent).toBeLessThanOrEqual(60_000)
  })

  test.each([
    [100_000, 1],
    [10_000_000, 8],
    [125_000_000, 54],
    [1_000_000_000, 54],
  ])('at %i bytes a second a burst has at least %i packets, however often it is asked', (rate, least) => {
    const pacer = new Pacer(0, Number.POSITIVE_INFINITY)
    const bursts: number[] = []
    for (let nowUs = 0; nowUs < 500_000; nowUs += 37) {
      pacer.refill(nowUs, rate, DATAGRAM)
      let packets = 0
      for (; pacer.allows(DATAGRAM); packets++) pacer.onSent(DATAGRAM)
      if (packets > 0) bursts.push(packets)
    }
    expect(Math.min(...bursts)).toBeGreaterThanOrEqual(least)
    const sent = bursts.reduce((sum, packets) => sum + packets, 0) * DATAGRAM
    expect(sent / (rate * 0.5)).toBeCloseTo(1, 0)
  })

  test('makes no large burst of time in which something else held packets back', () => {
    const pacer = new Pacer(0, Number.POSITIVE_INFINITY)
    const rate = 25_000_000
    pacer.refill(0, rate, DATAGRAM)
    expect(pacer.allows(DATAGRAM)).toBe(true)
    pacer.onSent(DATAGRAM)
    // The window was closed for 50 ms.
    pacer.refill(50_000, rate, DATAGRAM)
    let sent = 0
    for (; pacer.allows(DATAGRAM); sent += DATAGRAM) pacer.onSent(DATAGRAM)
    expect(sent).toBeLessThanOrEqual(rate * 0.002)
  })

  test('tells whether it is the limit that holds packets back', () => {
    const pacer = new Pacer(0, 50_000)
    pacer.refill(0, 100_000, DATAGRAM)
    expect(pacer.isLimited).toBe(true)
    pacer.refill(0, 40_000, DATAGRAM)
    expect(pacer.isLimited).toBe(false)
  })

  test('never passes the limit', () => {
    const pacer = new Pacer(0, 50_000)
    pacer.refill(0, 1e9, DATAGRAM)
    expect(pacer.rate).toBe(50_000)
    pacer.setLimit(Number.POSITIVE_INFINITY)
    pacer.refill(1000, Number.POSITIVE_INFINITY, DATAGRAM)
    expect(pacer.allows(1e9)).toBe(true)
  })

  test('lets a datagram pass that is larger than a moment of the rate', () => {
    const pacer = new Pacer(0, 1024)
    pacer.refill(0, 1e9, 65_507)
    expect(pacer.allows(65_507)).toBe(true)
    pacer.onSent(65_507)
    pacer.onSent(65_507)
    expect(pacer.allows(65_507)).toBe(false)
    expect(pacer.nextUs(0, 65_507)).toBeGreaterThan(60_000_000)
  })
})
