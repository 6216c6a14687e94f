/** What a connection is made of and what can be set on it, with its defaults. Every figure has its unit; limits of the protocol are in `limits.ts`. */
import {
  CONTROL_WINDOW_BYTES,
  DATAGRAM_MIN_BYTES,
  IDLE_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  KEY_UPDATE_PACKETS,
  PACKET_NUMBER_MAX,
  PATH_TIMEOUT_MS,
} from '@godwit/protocol/limits'
import type { ConnectionKeys } from '../ports/packetProtection.js'
import type { CongestionController } from './congestion/controller.js'
import type { CongestionProfile } from './congestion/profile.js'
import type { BytesPerSecond, ChunkSink, ChunkSource } from './types.js'

export interface ConnectionConfig {
  /** Packets of one train at most; 1 where every datagram needs its own `send()`. */
  readonly trainPackets: number
  /** Bytes of a datagram until a search or `handleTooLarge` changes it. */
  readonly datagramBytes: number
  /** Upper end of the search for a larger datagram (RFC 8899); equal to `datagramBytes` for no search. */
  readonly datagramMaxBytes: number
  /** Bytes of the control stream in flight or unread, in each direction. */
  readonly controlWindowBytes: number
  /** Packets sealed under one key epoch. */
  readonly keyUpdatePackets: number
  /** The last packet number that is used. */
  readonly packetNumberMax: number
  /** Packets that may be in flight; a power of two. Memory: about 60 bytes each. */
  readonly inFlightMaxPackets: number
  /** How what is sent shares the path with others. */
  readonly profile: CongestionProfile
  /** Bytes a second that are never exceeded. */
  readonly limit: BytesPerSecond
  readonly keepAliveUs: number
  readonly idleTimeoutUs: number
  readonly pathTimeoutUs: number
}

export const CONNECTION_DEFAULTS: ConnectionConfig = {
  trainPackets: 1,
  datagramBytes: DATAGRAM_MIN_BYTES,
  datagramMaxBytes: DATAGRAM_MIN_BYTES,
  controlWindowBytes: CONTROL_WINDOW_BYTES,
  keyUpdatePackets: KEY_UPDATE_PACKETS,
  packetNumberMax: PACKET_NUMBER_MAX,
  inFlightMaxPackets: 65_536,
  profile: 'standard',
  limit: Number.POSITIVE_INFINITY,
  keepAliveUs: KEEP_ALIVE_MS * 1000,
  idleTimeoutUs: IDLE_TIMEOUT_MS * 1000,
  pathTimeoutUs: PATH_TIMEOUT_MS * 1000,
}

export interface ConnectionOptions {
  readonly lane: number
  /** The id that the peer's packets carry, 8 bytes. */
  readonly localConnectionId: Uint8Array
  /** The id that our packets carry, 8 bytes. */
  readonly remoteConnectionId: Uint8Array
  readonly keys: ConnectionKeys
  /** Where chunks to send come from; without it the connection sends none. */
  readonly source?: ChunkSource
  /** Where received chunks go; without it chunk frames break the protocol. */
  readonly sink?: ChunkSink
  /** Unpredictable bytes, for challenges. */
  readonly randomBytes: (count: number) => Uint8Array
  /** Microseconds of the monotonic clock that all later calls use. */
  readonly nowUs: number
  readonly config?: Partial<ConnectionConfig>
  /** Congestion control of another kind than the profile's: for tests, which let a flow compete with another kind. */
  readonly controller?: (datagramBytes: number) => CongestionController
}
