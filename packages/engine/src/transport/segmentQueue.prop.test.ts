import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SegmentQueue } from './segmentQueue.js'
import type { Segment } from './types.js'

describe('the queue of lost segments', () => {
  test('behaves like an array', () => {
    const push = fc.record({ length: fc.integer({ min: 1, max: 1400 }), chunk: fc.nat(2 ** 40) })
    const step = fc.oneof(push, push, fc.constant('take' as const), fc.constant('half' as const))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500, size: 'max' }), (steps) => {
        const queue = new SegmentQueue(4096)
        const reference: Segment[] = []
        const out: Segment = { chunk: 0, offset: 0, length: 0 }
        for (const item of steps) {
          if (typeof item === 'object') {
            queue.push(item.chunk, 7, item.length)
            reference.push({ chunk: item.chunk, offset: 7, length: item.length })
          } else {
            const first = reference[0]
            expect(queue.peek(out)).toBe(first !== undefined)
            if (first === undefined) continue
            expect(out).toEqual(first)
            const taken = item === 'take' ? first.length : Math.ceil(first.length / 2)
            queue.take(taken)
            first.offset += taken
            first.length -= taken
            if (first.length === 0) reference.shift()
          }
        }
        expect(queue.count).toBe(reference.length)
      }),
      { numRuns: 30 },
    )
  })
})
