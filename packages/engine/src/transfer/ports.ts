/**
 * What a transfer session needs from the edge: chunk buffers, file reads, verified writes. Every call returns at once;
 * its outcome comes back through the session's `on…` method named beside it, in any order.
 */
import type { LaneAddress } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { ChunkRanges } from '@godwit/protocol/transferEvents'

/** Hands out chunk buffers; the holder gives each back once. */
export interface BufferPool {
  /** A buffer of at least `length` bytes (at most a chunk's). */
  take(length: number): Uint8Array
  give(buffer: Uint8Array): void
}

export interface SenderIo {
  /** Fills `buffer[0, length)` with the chunk and hashes it: `onChunkRead` or `onReadFailed`. */
  readChunk(chunk: number, buffer: Uint8Array, length: number): void
  /** BLAKE3 of a whole file, from what was read in order or by reading it again: `onFileHashed` or `onReadFailed`. */
  hashFile(file: number): void
}

/** What came of a chunk that was handed over to be verified and written. */
export type WriteOutcome = 'written' | 'hashMismatch' | Failure

export interface ReceiverIo {
  /** Compares `buffer[0, length)` with `hash` and writes it to its place: `onChunkWritten`. */
  writeChunk(chunk: number, buffer: Uint8Array, length: number, hash: Uint8Array): void
  /** Makes everything written so far durable, hashes of chunks included: `onCheckpoint`. */
  checkpoint(): void
  /** Reads a finished file back and compares: `onFileVerified`. */
  verifyFile(file: number, blake3: Uint8Array): void
  /** Nothing of these files is kept any more; nothing comes back. */
  dropFiles(files: readonly RangePair[]): void
  /** Gives the verified files their names, all but the missing ones: `onFinalized`. */
  finalize(missing: readonly RangePair[]): void
}

/** Bytes and packets of a window, for the log. */
export interface WindowStats {
  readonly sinceMs: number
  readonly rttUs: number
  readonly lost: number
  readonly retransmitted: number
  readonly corrupted: number
}

/** What a sending session tells the node. */
export type SenderReport =
  | { readonly type: 'accepted' }
  | { readonly type: 'declined' }
  /** The receiver holds these chunks durably; only chunks that were not reported before in this session. */
  | { readonly type: 'durable'; readonly ranges: ChunkRanges; readonly bytes: number }
  | {
      readonly type: 'retransmitRequested'
      readonly ranges: ChunkRanges
      readonly reason: 'hashMismatch' | 'stagingDamaged' | 'sessionBroken'
    }
  | { readonly type: 'filesCompleted'; readonly first: number; readonly count: number }
  /** `missing`: files that the receiver does not have; `bytes` are those of the others. */
  | { readonly type: 'completed'; readonly bytes: number; readonly seconds: number; readonly missing: ChunkRanges }
  /** These files cannot be delivered: to be recorded, then told to the receiver with `leaveOut`. */
  | { readonly type: 'filesFailed'; readonly files: ChunkRanges; readonly code: ErrorCode }
  | { readonly type: 'fileHashed'; readonly file: number; readonly blake3: Uint8Array }
  /** The receiver takes these of the lanes that were offered. */
  | { readonly type: 'lanesAnswered'; readonly lanes: readonly LaneAddress[] }
  | { readonly type: 'peerFailed'; readonly failure: Failure }
  | { readonly type: 'failed'; readonly failure: Failure }

/** What a receiving session tells the node. */
export type ReceiverReport =
  | { readonly type: 'offered'; readonly manifest: Uint8Array }
  /** These chunks are durable: to be recorded, then told to the sender with `confirmDurable`. */
  | { readonly type: 'checkpoint'; readonly ranges: ChunkRanges; readonly bytes: number }
  | { readonly type: 'rejected'; readonly ranges: ChunkRanges; readonly reason: 'hashMismatch' | 'stagingDamaged' }
  /** The sender offers further lanes: to be answered with `answerLanes`. */
  | { readonly type: 'lanesOffered'; readonly lanes: readonly LaneAddress[] }
  /** The sender cannot deliver these files; only files that were not missing before in this session. */
  | { readonly type: 'filesFailed'; readonly files: ChunkRanges; readonly code: ErrorCode }
  | { readonly type: 'verifying' }
  | { readonly type: 'finalized' }
  | { readonly type: 'completionKnown' }
  | { readonly type: 'peerFailed'; readonly failure: Failure }
  | { readonly type: 'failed'; readonly failure: Failure }
