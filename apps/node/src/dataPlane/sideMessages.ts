/**
 * What the first lane of a session and a lane beside it say to each other, thread to thread, a message a chunk. Buffers and
 * counters are shared memory: they are handed over, never copied.
 */
import type { ReadyChunk } from '@godwit/engine/transfer/laneSource'

/** Counters since the lane began. */
export interface LaneCounters {
  readonly packetsLost: number
  readonly bytesRetransmitted: number
  readonly packetsCorrupted: number
}

export const NO_COUNTERS: LaneCounters = { packetsLost: 0, bytesRetransmitted: 0, packetsCorrupted: 0 }

/** From the first lane. */
export type ToSideLane =
  /** A receiver's lane may begin: how the chunks lie, which are there, and the credit of all lanes. */
  | { readonly type: 'begin'; readonly manifest: Uint8Array; readonly held: Int32Array; readonly credit: Int32Array }
  /** A chunk to send; it answers one `wanted`. */
  | { readonly type: 'chunk'; readonly chunk: ReadyChunk }
  /** A chunk that was handed over is written: its buffer is the lane's again. */
  | { readonly type: 'release'; readonly chunk: number }

/** From a lane beside the first. */
export type FromSideLane = { readonly counters: LaneCounters } & (
  | { readonly type: 'wanted' }
  | { readonly type: 'acked'; readonly chunk: number }
  /** A chunk is whole; its buffer stays as it is until `release`. */
  | { readonly type: 'whole'; readonly chunk: ReadyChunk }
  /** The lane is over; these chunks were under way on it. Nothing follows. */
  | { readonly type: 'ended'; readonly chunks: readonly number[] }
)
