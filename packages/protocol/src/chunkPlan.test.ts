import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BugError } from './assert.js'
import { ChunkPlan } from './chunkPlan.js'
import { CHUNK_SIZE_BYTES } from './limits.js'

const MIB = CHUNK_SIZE_BYTES

describe('ChunkPlan', () => {
  test('numbers the chunks of all files on one line and leaves empty files out', () => {
    const plan = new ChunkPlan([0, 2 * MIB + 1, 0, 0, MIB, 5, 0])
    expect(plan.chunkCount).toBe(5)
    expect(plan.totalBytes).toBe(3 * MIB + 6)
    expect([0, 1, 2, 3, 4].map((chunk) => plan.locate(chunk))).toEqual([
      { file: 1, offset: 0, length: MIB },
      { file: 1, offset: MIB, length: MIB },
      { file: 1, offset: 2 * MIB, length: 1 },
      { file: 4, offset: 0, length: MIB },
      { file: 5, offset: 0, length: 5 },
    ])
    expect(plan.chunksOfFile(0)).toEqual({ first: 0, count: 0 })
    expect(plan.chunksOfFile(1)).toEqual({ first: 0, count: 3 })
    expect(plan.chunksOfFile(6)).toEqual({ first: 5, count: 0 })
  })

  test('is empty where there are no bytes', () => {
    expect(new ChunkPlan([]).chunkCount).toBe(0)
    expect(new ChunkPlan([0, 0]).chunkCount).toBe(0)
    expect(new ChunkPlan([0]).bytesOf([[0, 0]])).toBe(0)
  })

  test('treats a chunk or file outside of the plan as a bug', () => {
    const plan = new ChunkPlan([1])
    expect(() => plan.fileOf(1)).toThrow(BugError)
    expect(() => plan.fileOf(-1)).toThrow(BugError)
    expect(() => plan.sizeOf(1)).toThrow(BugError)
    expect(() => plan.bytesOf([[0, 2]])).toThrow(BugError)
    expect(() => new ChunkPlan([1.5])).toThrow(BugError)
  })

  test('holds 200,000 files', () => {
    const plan = new ChunkPlan(new Float64Array(200_000).fill(MIB + 1))
    expect(plan.chunkCount).toBe(400_000)
    expect(plan.locate(399_999)).toEqual({ file: 199_999, offset: MIB, length: 1 })
    expect(plan.bytesOf([[0, 400_000]])).toBe(plan.totalBytes)
  })

  test('agrees with a plan that is written down chunk by chunk', () => {
    const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4 * MIB }), fc.constantFrom(MIB - 1, MIB, MIB + 1))
    fc.assert(
      fc.property(fc.array(size, { maxLength: 20 }), fc.nat(), fc.nat(), (sizes, a, b) => {
        const reference = sizes.flatMap((bytes, file) =>
          Array.from({ length: Math.ceil(bytes / MIB) }, (_, index) => ({
            file,
            offset: index * MIB,
            length: Math.min(MIB, bytes - index * MIB),
          })),
        )
        const plan = new ChunkPlan(sizes)
        expect(plan.chunkCount).toBe(reference.length)
        reference.forEach((place, chunk) => {
          expect(plan.locate(chunk)).toEqual(place)
          expect(plan.offsetOf(chunk)).toBe(place.offset)
          expect(plan.lengthOf(chunk)).toBe(place.length)
        })
        const first = a % (reference.length + 1)
        const count = b % (reference.length - first + 1)
        const bytes = reference.slice(first, first + count).reduce((sum, place) => sum + place.length, 0)
        expect(plan.bytesOf([[first, count]])).toBe(bytes)
      }),
    )
  })
})
