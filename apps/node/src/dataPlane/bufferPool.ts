/**
 * Chunk buffers of one lane worker: whole slabs are kept and reused, small ones are made to measure and left to the
 * garbage collector. Those that go from one thread to another are shared memory; within one thread they are not, since V8
 * copies shared memory several times more slowly. What bounds the memory is the holders: credit on a receiver, read-ahead
 * on a sender.
 */

import type { BufferPool } from '@godwit/engine/transfer/ports'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'

/** Below this a buffer of its own size is cheaper than a slab. */
const SLAB_MIN_BYTES = CHUNK_SIZE_BYTES / 4
/** Slabs kept for reuse. */
const SLABS_KEPT = 64

export class SlabPool implements BufferPool {
  readonly #isShared: boolean
  readonly #free: Uint8Array[] = []

  constructor(isShared: boolean) {
    this.#isShared = isShared
  }

  take(length: number): Uint8Array {
    if (length < SLAB_MIN_BYTES) return this.#make(length)
    return this.#free.pop() ?? this.#make(CHUNK_SIZE_BYTES)
  }

  give(buffer: Uint8Array): void {
    if (buffer.length === CHUNK_SIZE_BYTES && this.#free.length < SLABS_KEPT) this.#free.push(buffer)
  }

  #make(length: number): Uint8Array {
    return this.#isShared ? new Uint8Array(new SharedArrayBuffer(length)) : new Uint8Array(length)
  }
}

/** The pools of one worker thread. */
export interface LanePools {
  /** For chunks that stay in the thread of their lane. */
  readonly own: BufferPool
  /** For chunks that go to another lane's thread, or come from there. */
  readonly shared: BufferPool
}

export const makePools = (): LanePools => ({ own: new SlabPool(false), shared: new SlabPool(true) })
