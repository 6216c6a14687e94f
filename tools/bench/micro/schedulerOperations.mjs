/** Micro-benchmark of the send scheduler: what choosing, copying and acknowledging one packet's bytes of a file costs. */
import { SendScheduler } from '@godwit/engine/transfer/sendScheduler'
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
      name: 'send scheduler: next, copy and ack 1,400 B',
      bytes: SEGMENT_BYTES,
      run: (times) => {
        const scheduler = startedScheduler()
        const packet = new Uint8Array(2048)
        const segment = { chunk: 0, offset: 0, length: 0 }
        const flight = new Float64Array(3 * FLIGHT_SEGMENTS)
        for (let i = 0; i < times; i++) {
          const at = 3 * (i % FLIGHT_SEGMENTS)
          if (i >= FLIGHT_SEGMENTS) scheduler.onSegmentAcked(flight[at], flight[at + 1], flight[at + 2])
          if (!scheduler.next(SEGMENT_BYTES, segment)) throw new Error('the scheduler has run dry')
          scheduler.copy(segment, packet, 32)
          flight[at] = segment.chunk
          flight[at + 1] = segment.offset
          flight[at + 2] = segment.length
        }
      },
    },
  ]
}

/** A scheduler whose disk answers at once. */
function startedScheduler() {
  /** @type {Uint8Array[]} */
  const free = []
  const pool = {
    take: (/** @type {number} */ length) => free.pop() ?? new Uint8Array(Math.max(length, 2 ** 20)),
    give: (/** @type {Uint8Array} */ buffer) => void free.push(buffer),
  }
  const hash = new Uint8Array(32)
  /** @type {SendScheduler | undefined} */
  let scheduler
  const io = {
    readChunk: (/** @type {number} */ chunk) => scheduler?.onChunkRead(chunk, hash),
    hashFile: () => {},
  }
  scheduler = new SendScheduler(new ChunkPlan([FILE_BYTES]), pool, io)
  scheduler.onCredit(FILE_BYTES * 2)
  scheduler.start(new RangeSet())
  return scheduler
}
