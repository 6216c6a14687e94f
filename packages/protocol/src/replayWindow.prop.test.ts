import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplayWindow } from './replayWindow.js'

describe('the replay window', () => {
  test('remembers like a set that is cut at the window', () => {
    const step = fc.oneof(fc.nat(300), fc.nat(40), fc.nat(5000))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(32, 64, 100, 1000), (numbers, windowPackets) => {
        const window = new ReplayWindow(windowPackets)
        const seen = new Set<number>()
        let highest = -1
        for (const number of numbers) {
          const isFresh = !seen.has(number) && number > highest - windowPackets
          expect(window.isFresh(number)).toBe(isFresh)
          if (!isFresh) continue
          window.mark(number)
          seen.add(number)
          highest = Math.max(highest, number)
          expect(window.highest).toBe(highest)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('works at the end of the packet numbers', () => {
    const window = new ReplayWindow()
    for (const number of [2 ** 32 - 1, 2 ** 32 - 2, 2 ** 31, 2 ** 32 - 16_385]) {
      const isFresh = number > 2 ** 32 - 1 - 16_384
      expect(window.isFresh(number)).toBe(isFresh)
      if (isFresh) window.mark(number)
      expect(window.isFresh(number)).toBe(false)
    }
  })
})
