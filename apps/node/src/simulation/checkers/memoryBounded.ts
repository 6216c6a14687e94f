/** What a node holds at a time stays within its limits: chunk buffers, descriptors, lanes. */
import { CHUNK_SIZE_BYTES, CREDIT_WINDOW_BYTES } from '@godwit/protocol/limits'
import { type Checker, check } from './checker.js'

const NAME = 'memoryBounded'
/**
 * Chunk buffers of a sender: what is read ahead, and what is sent and not yet acknowledged, which credit bounds. Those of a
 * receiver are bounded by credit alone. What was being read when a session ended is left to the garbage collector, so it
 * counts here for as long as the node lives.
 */
const BUFFERS_MAX_BYTES = CREDIT_WINDOW_BYTES + 64 * CHUNK_SIZE_BYTES
/** Part files, source files, sockets, and what is open for a moment. */
const DESCRIPTORS_MAX = 256 + 64 + 64
/** A session that ends, one that runs, one that is prepared, and what of them lingers. */
const LANES_MAX = 8

export const memoryBounded = (): Checker => ({
  name: NAME,
  onSample: ({ sender, receiver }) => {
    for (const { name, life } of [sender, receiver]) {
      if (life === undefined) continue
      const { pool, laneCount } = life.plane
      check(pool.bytesOut <= BUFFERS_MAX_BYTES, NAME, `${name} holds ${pool.bytesOut} bytes of chunk buffers`)
      const { descriptors } = life.process
      check(descriptors <= DESCRIPTORS_MAX, NAME, `${name} has ${descriptors} descriptors open`)
      check(laneCount <= LANES_MAX, NAME, `${name} has ${laneCount} lanes`)
    }
  },
  atEnd: ({ sender, receiver, outcome }) => {
    if (outcome !== 'completed') return
    for (const { name, life } of [sender, receiver]) {
      if (life === undefined) continue
      check(life.plane.laneCount === 0, NAME, `${name} has ${life.plane.laneCount} lanes when all is over`)
    }
  },
})
