/**
 * What the node's main thread and a lane's worker thread say to each other. Secrets cross here as bytes (a thread of
 * the same process) and are wiped by the worker when the session has its keys.
 */

import type { MessagePort } from 'node:worker_threads'
import type { MissingFiles } from '@godwit/engine/domain/transfer/state'
import type { ConnectionIds, TrafficSecrets } from '@godwit/engine/handshake/keySchedule'
import type { ReceiverReport, SenderReport, WindowStats } from '@godwit/engine/transfer/ports'
import type { CongestionProfile } from '@godwit/engine/transport/congestion/profile'
import type { CloseCode } from '@godwit/engine/transport/types'
import type { LaneAddress, RetransmitReason } from '@godwit/protocol/controlMessages'
import type { ErrorCode, Failure } from '@godwit/protocol/errors'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { FinishedFile } from '../files/finalize.js'
import type { SourceFile } from '../files/sourceFiles.js'

/** An address of the peer that may be tried. */
export interface PathCandidate {
  readonly kind: 'host' | 'observed'
  readonly ip: string
  readonly port: number
}

/** What the handshake agreed on, for one lane of one session. */
export interface SessionParameters {
  readonly lane: number
  readonly connectionIds: ConnectionIds
  readonly packetCipher: PacketCipher
  /** 32 bytes each. */
  readonly trafficSecrets: TrafficSecrets
  readonly candidates: readonly PathCandidate[]
  /** Bytes a second; null for no limit. */
  readonly limit: number | null
  /** How what this side sends shares the path with others. */
  readonly profile: CongestionProfile
}

export interface SenderParameters {
  readonly role: 'sender'
  readonly manifest: Uint8Array
  readonly sources: readonly SourceFile[]
  /** 32 bytes per file of hashes known so far; all zero where unknown. */
  readonly fileHashes: Uint8Array
  /** Files that this receiver does not get; undefined for none. */
  readonly missing?: Pick<MissingFiles, 'files' | 'code'> | undefined
  /** Lanes that the session may have, the first one included. */
  readonly lanes: number
}

export interface ReceiverParameters {
  readonly role: 'receiver'
}

export interface BeginParameters {
  readonly transferId: string
  readonly outputDir: string
  readonly manifest: Uint8Array
  /** Chunks that the log knows to be durable. */
  readonly claimed: readonly RangePair[]
  /** Files that the sender cannot deliver, as far as the log knows. */
  readonly missing: readonly RangePair[]
}

/** From the main thread to the worker. `key` names a session; the main thread makes it. */
export type LaneCommand =
  | { readonly type: 'open'; readonly key: string; readonly host: string }
  | {
      readonly type: 'raw'
      readonly key: string
      readonly ip: string
      readonly port: number
      readonly bytes: Uint8Array
    }
  | {
      readonly type: 'start'
      readonly key: string
      readonly session: SessionParameters
      readonly transfer: SenderParameters | ReceiverParameters
    }
  /** A lane beside the first one of its session, whose thread `port` leads to. */
  | {
      readonly type: 'startSide'
      readonly key: string
      readonly session: SessionParameters
      readonly role: 'sender' | 'receiver'
      readonly port: MessagePort
    }
  /** For the first lane of the session: the other end of that port. */
  | { readonly type: 'attachLane'; readonly key: string; readonly port: MessagePort }
  | { readonly type: 'offerLanes'; readonly key: string; readonly lanes: readonly LaneAddress[] }
  | { readonly type: 'answerLanes'; readonly key: string; readonly lanes: readonly LaneAddress[] }
  | { readonly type: 'begin'; readonly key: string; readonly begin: BeginParameters }
  | { readonly type: 'decline'; readonly key: string }
  | { readonly type: 'confirmDurable'; readonly key: string; readonly ranges: readonly RangePair[] }
  | {
      readonly type: 'requestRetransmit'
      readonly key: string
      readonly ranges: readonly RangePair[]
      readonly reason: RetransmitReason
    }
  | {
      readonly type: 'requeue'
      readonly key: string
      readonly ranges: readonly RangePair[]
      readonly reason: RetransmitReason
    }
  | { readonly type: 'confirmCompletion'; readonly key: string }
  | { readonly type: 'announceFiles'; readonly key: string; readonly first: number; readonly count: number }
  | {
      readonly type: 'announceCompletion'
      readonly key: string
      readonly bytes: number
      readonly milliseconds: number
      readonly missing: readonly RangePair[]
    }
  | {
      readonly type: 'leaveOut'
      readonly key: string
      readonly files: readonly RangePair[]
      readonly code: ErrorCode
    }
  | { readonly type: 'setLimit'; readonly key: string; readonly limit: number | null }
  | { readonly type: 'fail'; readonly key: string; readonly failure: Failure }
  /** Ends the session from this side. */
  | { readonly type: 'close'; readonly key: string; readonly code: CloseCode }

/** From the worker to the main thread. */
export type LaneReport =
  | { readonly type: 'opened'; readonly key: string; readonly port: number }
  | { readonly type: 'openFailed'; readonly key: string; readonly failure: Failure }
  | { readonly type: 'raw'; readonly key: string; readonly bytes: Uint8Array }
  | {
      readonly type: 'established'
      readonly key: string
      readonly path: 'host' | 'observed' | 'peerReflexive'
      readonly family: 'ipv4' | 'ipv6'
      readonly mtu: number
      readonly trains: boolean
    }
  /** The lane has another shape: another path, datagrams of another size, trains or not. */
  | {
      readonly type: 'changed'
      readonly key: string
      readonly path: 'host' | 'observed' | 'peerReflexive'
      readonly mtu: number
      readonly trains: boolean
    }
  /** The staging is open; `held` is verified and durable, `partial` says whether an earlier session left something. */
  | { readonly type: 'begun'; readonly key: string; readonly held: readonly RangePair[]; readonly isResumed: boolean }
  | { readonly type: 'sender'; readonly key: string; readonly report: SenderReport; readonly stats: WindowStats }
  | { readonly type: 'receiver'; readonly key: string; readonly report: ReceiverReport; readonly stats: WindowStats }
  | { readonly type: 'filesCompleted'; readonly key: string; readonly first: number; readonly count: number }
  /** `missing`: those that got no name, by their numbers. */
  | {
      readonly type: 'files'
      readonly key: string
      readonly files: readonly FinishedFile[]
      readonly missing: readonly RangePair[]
    }
  /** The session is over. `partial`: chunks that had begun to arrive. */
  | {
      readonly type: 'ended'
      readonly key: string
      readonly cause: 'noPath' | 'idle' | 'packetNumbersUsedUp' | 'closedByPeer' | 'closedByUs' | 'failed'
      readonly code: CloseCode | null
      readonly partial: readonly RangePair[]
      /** Whether a path was ever found, and how many datagrams came in at all: what ERR_NO_PATH tells the user. */
      readonly wasEstablished: boolean
      readonly datagramsReceived: number
    }
