/** What the handshake machines take and yield. */
import type { Candidate, CandidatePolicy } from '@godwit/protocol/candidates'
import type { Failure } from '@godwit/protocol/errors'
import type { OfferPreview } from '@godwit/protocol/offer'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'
import type { ConnectionIds, TrafficSecrets } from './keySchedule.js'
import type { ResumptionSecrets } from './resumption.js'

/** What every machine needs of its own node. */
export interface HandshakeContext {
  readonly crypto: HandshakeCrypto
  /** How this device calls itself; cut to DEVICE_NAME_MAX_BYTES. */
  readonly deviceName: string
  /** What this side can seal packets with, by preference. */
  readonly packetCiphers: readonly PacketCipher[]
  /**
   * Asked once a run, when the confirmation is built: the sockets are bound just before. When it rejects, `handle`
   * rejects with the same reason and the run is over.
   */
  readonly localCandidates: () => Promise<readonly Candidate[]>
  readonly candidatePolicy: CandidatePolicy
}

/** The other side as it introduced itself. */
export interface Peer {
  /** To be shown through `displayName` only. */
  readonly deviceName: string
  /** Those that may be probed. */
  readonly candidates: readonly Candidate[]
}

/** What a session is opened with. */
export interface SessionKeys {
  readonly trafficSecrets: TrafficSecrets
  readonly connectionIds: ConnectionIds
  /** What packets are sealed with. */
  readonly packetCipher: PacketCipher
  /** To be stored before anything else happens: before the session is opened, and before the last message is sent. */
  readonly resumption: ResumptionSecrets
  readonly peer: Peer
}

/** The result of pairing by a code or password. */
export interface Pairing extends SessionKeys {
  /** Four words, the same on both screens unless somebody sits between them. */
  readonly verification: string
  /** Ed25519 key of the sender's room. */
  readonly senderRoomKey: Uint8Array
  /** What the sender wants to send; on the sender itself what it said. */
  readonly offer: OfferPreview
}

export type HandshakeStep =
  /** Not for this run, out of turn, or said before: nothing happens. `stale`: a resumption that cannot be taken up. */
  | { readonly kind: 'ignored'; readonly reason: 'foreign' | 'unexpected' | 'stale' }
  /**
   * Post `message`. With `exposesGuess` it is the initiator's confirmation, which lets whoever answers test one guess:
   * count it on disk first (EXPOSED_HANDSHAKES_MAX), and reset the count when the pairing succeeds.
   */
  | { readonly kind: 'send'; readonly message: Uint8Array; readonly exposesGuess: boolean }
  /** Store `resumption`, then open the session, then post `message` (null on the initiator). */
  | { readonly kind: 'paired'; readonly pairing: Pairing; readonly message: Uint8Array | null }
  | { readonly kind: 'resumed'; readonly session: SessionKeys; readonly message: Uint8Array | null }
  /**
   * The run is over; nothing was agreed. `countsAsGuess`: the room's guess counter goes up (responder only).
   * `message` tells the other side why, where that can be told (versions).
   */
  | {
      readonly kind: 'failed'
      readonly failure: Failure
      readonly countsAsGuess: boolean
      readonly message: Uint8Array | null
    }

/** A handshake that has not ended yet, on either side. */
export interface HandshakeMachine {
  /** 16 hex digits; empty on a responder that has not seen its first message. */
  readonly runId: string
  /** Takes one mailbox message, whatever its bytes are. Calls may overlap: they are worked off in order. */
  handle(message: Uint8Array): Promise<HandshakeStep>
}

export const ignored = (reason: 'foreign' | 'unexpected' | 'stale'): HandshakeStep => ({ kind: 'ignored', reason })

export const send = (message: Uint8Array, exposesGuess = false): HandshakeStep => ({
  kind: 'send',
  message,
  exposesGuess,
})

export const failed = (
  failure: Failure,
  extra: { countsAsGuess?: boolean; message?: Uint8Array } = {},
): HandshakeStep => ({
  kind: 'failed',
  failure,
  countsAsGuess: extra.countsAsGuess ?? false,
  message: extra.message ?? null,
})

/** Bytes that no correct peer sends: damaged on the way or made by somebody else. */
export const brokenProtocol = (detail: string): HandshakeStep => failed({ code: 'ERR_PEER_PROTOCOL', detail })
