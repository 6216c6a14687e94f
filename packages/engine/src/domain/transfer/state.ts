/**
 * The state of a transfer as its stream tells it, on either side. Plain data, so that a snapshot is its JSON.
 *
 * A sender's transfer has one entry per receiver of its room, a receiver's has one: itself. What users see as a state
 * is derived (`states.ts`).
 */
import type { ErrorCode } from '@godwit/protocol/errors'
import type { Profile } from '@godwit/protocol/profile'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { Schedule } from '@godwit/protocol/schedule'
import type { TransferEvent } from '@godwit/protocol/transferEvents'

/** The data of one type of event. */
export type DataOf<T extends TransferEvent['type']> = Extract<TransferEvent, { type: T }>['data']

export type PauseReason = DataOf<'Paused'>['reason']

/** What is transferred. */
export interface Contents {
  readonly fileCount: number
  readonly totalBytes: number
  readonly chunkCount: number
}

export interface RoomLink {
  readonly roomId: string
  readonly nameplate: string
  readonly rendezvousUrl: string
  readonly advertise: string | null
  /** On a receiver its own id in the room. */
  readonly receiver: string | null
  /** The highest version of the room's stream that was mirrored; 0 for none. */
  readonly mirroredVersion: number
  readonly isLocked: boolean
  readonly isClosed: boolean
}

export interface Session {
  /** 1, 2, 3 … for each session of this receiver on this node. */
  readonly number: number
  readonly path: DataOf<'SessionOpened'>['path']
  readonly family: DataOf<'SessionOpened'>['family']
  readonly mtu: number
  readonly trains: boolean
  readonly lanes: number
}

/** How far a receiver has come. Acceptance outlives a session: who accepted once is not asked again. */
export type ReceiverPhase =
  /** In the room, and neither in line nor admitted. */
  | { readonly is: 'joined' }
  | { readonly is: 'inLine'; readonly place: number }
  | { readonly is: 'admitted' }
  | { readonly is: 'offered' }
  | { readonly is: 'accepted' }
  | { readonly is: 'completed'; readonly bytes: number; readonly seconds: number }
  | { readonly is: 'declined' }
  | { readonly is: 'left'; readonly reason: string }

/** Files that cannot be delivered, with their chunks, which count for nothing. */
export interface MissingFiles {
  readonly files: readonly RangePair[]
  readonly chunks: readonly RangePair[]
  readonly bytes: number
  readonly code: ErrorCode
}

export interface Receiver {
  readonly id: string
  /** The other side's device as it calls itself; empty until the handshake has told it. */
  readonly name: string
  readonly phase: ReceiverPhase
  /** The session that runs; undefined between two. */
  readonly session?: Session
  /** Why it left the room, as the rendezvous says, while its session runs: it is gone when that ends. */
  readonly leaving?: string
  /** Why its last session was lost, where it will come back by itself when that is mended there. */
  readonly waitsFor?: ErrorCode
  /** Sessions so far. */
  readonly sessionCount: number
  /** The room was lost around it: it stays as long as its session does, or until it joins the new one. */
  readonly isOutside?: true
  /** Chunks that are durably at the receiver: sorted, disjoint, not adjacent. */
  readonly acked: readonly RangePair[]
  readonly ackedBytes: number
  /** Files under their final names, by file number. */
  readonly files: readonly RangePair[]
  /** What it does not get, because that changed while it was sent; undefined where that is nothing. */
  readonly missing?: MissingFiles
}

/** What stays true of a transfer whether it runs, pauses or has ended. */
export interface Run {
  readonly role: 'sender' | 'receiver'
  readonly submissionId: string
  readonly capacity: number
  readonly receiversWanted: number
  /** Bytes a second, or null for no limit. */
  readonly limit: number | null
  /** How what is sent shares the path with others, or null for the default. */
  readonly profile: Profile | null
  /** Among the transfers of this node: 1 to 9, a higher one first. */
  readonly priority: number
  /** When it may run. */
  readonly schedule: Schedule
  readonly acceptsAtOnce: boolean
  /** Undefined on a receiver until something is offered. */
  readonly contents?: Contents
  /** Undefined until a room is entered. */
  readonly room?: RoomLink
  /** In the order in which they came. */
  readonly receivers: readonly Receiver[]
}

/** What was met, as a pause or an end tells it. */
export interface Failed {
  readonly code: ErrorCode
  readonly detail: string | null
}

export type Transfer =
  | { readonly status: 'none' }
  | { readonly status: 'active'; readonly run: Run }
  | {
      readonly status: 'paused'
      readonly run: Run
      readonly reason: PauseReason
      readonly by: string
      readonly failure?: Failed | undefined
    }
  | { readonly status: 'failed'; readonly run: Run; readonly code: ErrorCode; readonly detail: string | null }
  | { readonly status: 'cancelled'; readonly run: Run; readonly by: string }
  | {
      readonly status: 'completed'
      readonly run: Run
      readonly bytes: number
      readonly seconds: number
      /** Everything that could be delivered is; this could not. */
      readonly missing?: DataOf<'TransferCompleted'>['missing']
    }

/** A transfer that exists. */
export type KnownTransfer = Exclude<Transfer, { readonly status: 'none' }>

export const initialTransfer: Transfer = { status: 'none' }

/** What stays true of a transfer; undefined where there is none. */
export const runOf = (transfer: Transfer | undefined): Run | undefined =>
  transfer === undefined || transfer.status === 'none' ? undefined : transfer.run

export const receiverOf = (run: Run, id: string): Receiver | undefined =>
  run.receivers.find((receiver) => receiver.id === id)
