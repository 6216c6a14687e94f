/** Micro-benchmark of a lane's chunks: what choosing, copying and acknowledging one packet's bytes of a file costs. */
import { ChunkSupply } from '@godwit/engine/transfer/chunkSupply'
import { LaneSource } from '@godwit/engine/transfer/laneSource'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { RangeSet } from '@godwit/protocol/rangeSet'

const SEGMENT_BYTES = 1400
const FILE_BYTES = 2 ** 40
/** Segments between their sending and their acknowledgement: a flight of some 3 MB. */
const FLIGHT_SEGMENTS = 2048

/** @returns {import('./measure.mjs').Operation[]} */
export function schedulerOperations() {
  return [
    {
      name: 'send scheduler: next, bytes and ack of 1,400 B',
      bytes: SEGMENT_BYTES,
      run: (times) => {
        const source = startedSource()
        const segment = { chunk: 0, offset: 0, length: 0 }
        const flight = new Float64Array(3 * FLIGHT_SEGMENTS)
        for (let i = 0; i < times; i++) {
          const at = 3 * (i % FLIGHT_SEGMENTS)
          if (i >= FLIGHT_SEGMENTS) source.onSegmentAcked(flight[at], flight[at + 1], flight[at + 2])
          if (!source.next(SEGMENT_BYTES, segment)) throw new Error('the scheduler has run dry')
          if (source.bytesOf(segment.chunk).length === 0) throw new Error('the chunk has no bytes')
          flight[at] = segment.chunk
          flight[at + 1] = segment.offset
          flight[at + 2] = segment.length
        }
      },
    },
  ]
}

/** A lane whose chunks come from a disk that answers at once. */
function startedSource() {
  /** @type {Uint8Array[]} */
  const free = []
  const pool = {
    take: (/** @type {number} */ length) => free.pop() ?? new Uint8Array(Math.max(length, 2 ** 20)),
    give: (/** @type {Uint8Array} */ buffer) => void free.push(buffer),
  }
  const hash = new Uint8Array(32)
  /** @type {ChunkSupply | undefined} */
  let supply
  const io = {
    readChunk: (/** @type {number} */ chunk) => supply?.onChunkRead(chunk, hash),
    hashFile: () => {},
  }
  supply = new ChunkSupply(new ChunkPlan([FILE_BYTES]), pool, io)
  supply.onCredit(FILE_BYTES * 2)
  supply.start(new RangeSet())
  return new LaneSource(supply)
}
