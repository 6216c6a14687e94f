/**
 * The surface of a connection towards what is above it (a transfer's chunks) and below it (a UDP socket).
 *
 * A connection is a value without I/O, for one lane of one session. Its methods are getters, `handle*`, commands and
 * `poll*`; time is a parameter, integer microseconds of a monotonic clock. After each `handle*` or command the driver
 * drains `pollTransmit`, then `pollEvent`, then arms one timer for `pollTimeout` (quinn-proto's order).
 */

/** A stretch of one chunk: what one CHUNK_DATA frame carries. */
export interface Segment {
  chunk: number
  /** Bytes from the chunk's first. */
  offset: number
  length: number
}

/** Where a sending connection takes its data from. Called while packets are built: synchronous, no allocation. */
export interface ChunkSource {
  /**
   * Picks the next bytes never sent before, at most `maxBytes`, and writes them down in `out`. False when nothing is
   * ready (no credit, nothing read ahead, all sent); the driver calls `Connection.wake()` when that changes (more credit
   * wakes by itself). The connection may ask for several packets' worth and cuts it up.
   */
  next(maxBytes: number, out: Segment): boolean
  /** Whether bytes of `chunk` are still held; a lost segment of a chunk that is not is forgotten. */
  holds(chunk: number): boolean
  /** The bytes of a chunk that is held, from its first one on. They stay as they are while it is held. */
  bytesOf(chunk: number): Uint8Array
  /** Copies the chunk's 32-byte BLAKE3 hash. It travels ahead of the chunk's first byte, again when that is lost. */
  copyHash(chunk: number, target: Uint8Array, targetOffset: number): void
  /** The peer has received these bytes (a packet's ACK: not yet verified, not yet durable). */
  onSegmentAcked(chunk: number, offset: number, length: number): void
  /** The peer's credit: bytes that it grants in total since the session began. Only ever grows. */
  onCredit(totalBytes: number): void
}

/** Where a receiving connection puts its data. Views are valid only during the call. */
export interface ChunkSink {
  onChunkHash(chunk: number, hash: Uint8Array): void
  /**
   * Bytes of a chunk, in any order and perhaps twice. Returns false when they are outside of what was agreed
   * (no such chunk, beyond its end, beyond the credit): the connection then closes with ERR_PEER_PROTOCOL.
   */
  onChunkData(chunk: number, offset: number, data: Uint8Array): boolean
}

/** How many bytes a second; `Infinity` for no limit. */
export type BytesPerSecond = number

/** One datagram, or a train of datagrams of equal size (the last may be shorter), ready for one `send()`. */
export interface Transmit {
  /** The path's id as the driver gave it. */
  pathId: number
  /** Bytes of `out` that were filled, from its start. */
  length: number
  /** Bytes of each datagram of the train but the last; equal to `length` for a single one. */
  segmentBytes: number
  /** An MTU probe: it must leave alone, unfragmented. */
  isMtuProbe: boolean
}

/** How an address of the peer became known: it said so, the rendezvous saw it, or authentic packets came from it. */
export type PathKind = 'host' | 'observed' | 'peerReflexive'

export type CloseCode =
  /** Done, nothing is wrong. */
  | 'done'
  /** The node leaves; the transfer goes on later. */
  | 'shutdown'
  | 'paused'
  | 'cancelled'
  /** The peer's frames made no sense. */
  | 'protocol'
  /** A newer session of the same pair replaces this one. */
  | 'replaced'

export type ConnectionEvent =
  /** A path answered a challenge: data may flow. */
  | { readonly type: 'established'; readonly pathId: number }
  | { readonly type: 'pathChanged'; readonly pathId: number }
  /** The next bytes of the peer's control stream, in order; the view is valid until the next call. */
  | { readonly type: 'control'; readonly bytes: Uint8Array }
  | { readonly type: 'mtuChanged'; readonly datagramBytes: number }
  /** The connection has ended; nothing more comes out of it but, perhaps, a last CLOSE. */
  | { readonly type: 'closed'; readonly by: 'peer' | 'us'; readonly code: CloseCode }
  | { readonly type: 'lost'; readonly reason: 'noPath' | 'idle' | 'packetNumbersUsedUp' }

/** Counters since the connection began, and current estimates. */
export interface ConnectionStats {
  packetsSent: number
  packetsReceived: number
  packetsLost: number
  /** Datagrams that carried our connection id and failed authentication. */
  packetsCorrupted: number
  /** Datagrams dropped before authentication: foreign id, bad length, replayed number. */
  packetsDropped: number
  bytesSent: number
  bytesReceived: number
  /** Chunk bytes that were sent again. */
  bytesRetransmitted: number
  rttUs: number
  minRttUs: number
  cwndBytes: number
  bytesInFlight: number
  datagramBytes: number
  keyEpoch: number
}
