/**
 * Chunk buffers of one lane worker: whole slabs are kept and reused, small ones are made to measure and left to the
 * garbage collector. They are shared memory, since the lanes of a session are threads. What bounds the memory is the
 * holders: credit on a receiver, read-ahead on a sender.
 */

import type { BufferPool } from '@godwit/engine/transfer/ports'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'

/** Below this a buffer of its own size is cheaper than a slab. */
const SLAB_MIN_BYTES = CHUNK_SIZE_BYTES / 4
/** Slabs kept for reuse. */
const SLABS_KEPT = 64

export class SlabPool implements BufferPool {
  readonly #free: Uint8Array[] = []

  take(length: number): Uint8Array {
    if (length < SLAB_MIN_BYTES) return shared(length)
    return this.#free.pop() ?? shared(CHUNK_SIZE_BYTES)
  }

  give(buffer: Uint8Array): void {
    if (buffer.length === CHUNK_SIZE_BYTES && this.#free.length < SLABS_KEPT) this.#free.push(buffer)
  }
}

const shared = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length))
