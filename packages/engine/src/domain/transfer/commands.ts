/** What a node asks of a transfer: by its user, by its peer's word, or by what its own workers met. */
import type { ErrorCode } from '@godwit/protocol/errors'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { Schedule } from '@godwit/protocol/schedule'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { DataOf, PauseReason } from './state.js'

/** Events of the room that are mirrored into the transfer. */
export type MirroredEvent = Extract<
  TransferEvent,
  { type: 'ReceiverJoined' | 'ReceiverQueued' | 'ReceiverAdmitted' | 'ReceiverLeft' | 'RoomClosed' }
>

/** What the transport measured since the window before: the fields of ChunksAcked of the same names. */
export type WindowStats = Pick<
  DataOf<'ChunksAcked'>,
  'sinceMs' | 'rttUs' | 'rate' | 'lost' | 'retransmitted' | 'corrupted'
>

/** Of chunks that nobody measured: they turned out to be there. */
export const NOT_MEASURED: WindowStats = { sinceMs: 0, rttUs: 0, rate: 0, lost: 0, retransmitted: 0, corrupted: 0 }

/** Bytes of the chunks of some ranges; the chunk plan knows. */
export type BytesOf = (ranges: readonly RangePair[]) => number

/** The chunks of the files of some ranges; the chunk plan knows. */
export type ChunksOf = (files: readonly RangePair[]) => readonly RangePair[]

export type TransferCommand =
  | ({
      readonly type: 'enqueue'
      /** Undefined for the default. */
      readonly priority?: number
      /** Undefined for none. */
      readonly schedule?: Schedule
      readonly by?: string
    } & DataOf<'TransferEnqueued'>)
  | ({ readonly type: 'enterRoom' } & DataOf<'RoomEntered'>)
  | { readonly type: 'mirrorRoomEvent'; readonly event: MirroredEvent }
  /** A sender's: with the last guess (`guessesLeft` 0) the room is locked. */
  | { readonly type: 'guessFailed'; readonly receiver: string; readonly guessesLeft: number }
  | { readonly type: 'pair'; readonly receiver: string; readonly name: string }
  /** The session's number is given by the decision. */
  | ({ readonly type: 'openSession' } & Omit<DataOf<'SessionOpened'>, 'session'>)
  | ({ readonly type: 'changeSession' } & DataOf<'SessionChanged'>)
  | ({ readonly type: 'offer' } & DataOf<'Offered'>)
  | { readonly type: 'accept'; readonly receiver: string }
  | { readonly type: 'decline'; readonly receiver: string }
  | {
      readonly type: 'ackChunks'
      readonly receiver: string
      readonly ranges: readonly RangePair[]
      readonly bytesOf: BytesOf
      readonly stats: WindowStats
    }
  | {
      readonly type: 'rejectChunks'
      readonly receiver: string
      readonly ranges: readonly RangePair[]
      readonly bytesOf: BytesOf
      readonly reason: DataOf<'ChunksRejected'>['reason']
    }
  | {
      readonly type: 'requestRetransmit'
      readonly receiver: string
      readonly ranges: readonly RangePair[]
      readonly bytesOf: BytesOf
      readonly reason: DataOf<'RetransmitRequested'>['reason']
    }
  | { readonly type: 'loseSession'; readonly receiver: string; readonly session: number; readonly reason: ErrorCode }
  | { readonly type: 'pause'; readonly reason: PauseReason; readonly by: string }
  /** Without `reasons` whatever it was paused for; with them only if it was paused for one of these. */
  | { readonly type: 'resume'; readonly by: string; readonly reasons?: readonly PauseReason[] }
  | { readonly type: 'changeLimit'; readonly limit: number | null; readonly by: string }
  | { readonly type: 'changePriority'; readonly priority: number; readonly by: string }
  | { readonly type: 'changeSchedule'; readonly schedule: Schedule; readonly by: string }
  | { readonly type: 'completeFiles'; readonly receiver: string; readonly first: number; readonly count: number }
  /** The files changed while they were sent: they are left out, and the others go on. */
  | {
      readonly type: 'failFiles'
      readonly receiver: string
      readonly files: readonly RangePair[]
      readonly code: ErrorCode
      readonly chunksOf: ChunksOf
      readonly bytesOf: BytesOf
    }
  | {
      readonly type: 'completeReceiver'
      readonly receiver: string
      readonly bytes: number
      /** From acceptance to the verified file under its final name. */
      readonly seconds: number
    }
  /** `recordedBytes`: the record beside the log knows that it is complete; a log that lost that does not. */
  | {
      readonly type: 'complete'
      readonly seconds: number
      readonly recordedBytes?: number
      readonly recordedMissing?: DataOf<'TransferCompleted'>['missing']
    }
  | { readonly type: 'fail'; readonly code: ErrorCode; readonly detail: string | null }
  | { readonly type: 'retry'; readonly by: string }
  | { readonly type: 'cancel'; readonly by: string }
