import { describe, expect, test } from 'vitest'
import { RttEstimator } from './rttEstimator.js'

describe('the round-trip estimator', () => {
  test('takes the first sample as it is', () => {
    const rtt = new RttEstimator()
    expect(rtt.ptoUs(0)).toBe(999_000)
    rtt.update(100_000, 0)
    expect([rtt.smoothedUs, rtt.varianceUs, rtt.minUs]).toEqual([100_000, 50_000, 100_000])
  })

  test('follows RFC 9002 §5.3 after it', () => {
    const rtt = new RttEstimator()
    rtt.update(100_000, 0)
    rtt.update(140_000, 20_000)
    // Adjusted by the delay: 120 ms. Variance: 3/4 · 50 + 1/4 · 20. Smoothed: 7/8 · 100 + 1/8 · 120.
    expect(rtt.varianceUs).toBe(42_500)
    expect(rtt.smoothedUs).toBe(102_500)
    expect(rtt.ptoUs(5000)).toBe(102_500 + 4 * 42_500 + 5000)
  })

  test('does not let the delay take a sample below the minimum', () => {
    const rtt = new RttEstimator()
    rtt.update(100_000, 0)
    rtt.update(110_000, 20_000)
    expect(rtt.smoothedUs).toBe(0.875 * 100_000 + 0.125 * 110_000)
  })
})
