import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { expect, test } from 'vitest'
import type { Segment } from '../transport/types.js'
import { ChunkSupply } from './chunkSupply.js'
import { LaneSource } from './laneSource.js'

const MIB = CHUNK_SIZE_BYTES

/** A supply whose reads succeed at once, and one lane that sends from it. */
const world = (chunks: number) => {
  const read: number[] = []
  const supply = new ChunkSupply(
    new ChunkPlan([chunks * MIB]),
    { take: (length) => new Uint8Array(length), give: () => {} },
    { readChunk: (chunk) => read.push(chunk), hashFile: () => {} },
  )
  const lane = new LaneSource(supply)
  const segment: Segment = { chunk: 0, offset: 0, length: 0 }
  /** Sends and acknowledges one chunk; undefined where nothing may leave. */
  const send = (): number | undefined => {
    for (const chunk of read.splice(0)) supply.onChunkRead(chunk, new Uint8Array(32))
    if (!lane.next(MIB, segment)) return undefined
    const { chunk, offset, length } = segment
    lane.onSegmentAcked(chunk, offset, length)
    return chunk
  }
  return { supply, send }
}

test('what an earlier session had under way goes first where it still waits, and is not sent twice', () => {
  const { supply, send } = world(40)
  supply.start(new RangeSet())
  supply.onCredit(40 * MIB)
  expect([send(), send(), send()]).toEqual([0, 1, 2])
  supply.requeue(0, 3, false)
  supply.requeue(30, 31, false)
  const rest = Array.from({ length: 37 }, send)
  expect(rest).toContain(30)
  expect(rest.indexOf(30)).toBeLessThan(12)
  expect([...rest].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 37 }, (_, i) => i + 3))
  expect(supply.isDrained).toBe(true)
})

test('what the receiver has dropped goes once more', () => {
  const { supply, send } = world(2)
  supply.start(new RangeSet())
  supply.onCredit(3 * MIB)
  expect([send(), send(), send()]).toEqual([0, 1, undefined])
  supply.requeue(0, 1, true)
  expect([send(), send()]).toEqual([0, undefined])
})
