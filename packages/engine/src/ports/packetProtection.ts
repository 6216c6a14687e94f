/**
 * The AEAD of packets as the transport needs it: in place, synchronous, without allocation, a whole train or read at a
 * time, since a call per packet is what crypto costs most in. The engine knows no crypto library; `apps/node` implements
 * this with OpenSSL or libsodium, tests with a checksum.
 */
import { TRAIN_MAX_PACKETS } from '@godwit/protocol/limits'

/** Numbers of one packet in the table of `openPackets`. */
export const OPEN_FIELDS = 4

/** Numbers of one packet in the table of `TrainBodies`. */
export const BODY_FIELDS = 4
/** Buffers that the bodies of one train may come from. */
export const BODY_SOURCES = 2

/**
 * Bytes that the packets of a train get from elsewhere while they are sealed: one pass over the memory instead of two. A
 * packet has four numbers: which source, where in it the bytes begin, where in the train's buffer they belong, and how many
 * they are; 0 for none.
 */
export interface TrainBodies {
  readonly table: Uint32Array
  /** BODY_SOURCES of them. Only read, and only during the call. */
  readonly sources: Uint8Array[]
}

/** A train that holds all its bytes itself. */
export const NO_BODIES: TrainBodies = {
  table: new Uint32Array(TRAIN_MAX_PACKETS * BODY_FIELDS),
  sources: [new Uint8Array(0), new Uint8Array(0)],
}

/** Copies the bodies of a train's first `packets` packets to their places: for who cannot seal them from theirs. */
export const copyBodies = (buffer: Uint8Array, packets: number, { table, sources }: TrainBodies): void => {
  for (let row = 0; row < packets * BODY_FIELDS; row += BODY_FIELDS) {
    const length = table[row + 3] ?? 0
    if (length === 0) continue
    const from = table[row + 1] ?? 0
    buffer.set(sources[table[row] ?? 0]?.subarray(from, from + length) ?? NO_BYTES, table[row + 2] ?? 0)
  }
}

const NO_BYTES = new Uint8Array(0)

/** Keys of one direction, lane and key epoch. Not shared between threads. */
export interface PacketProtection {
  /**
   * Seals the packets of `buffer[start, end)` in place. Each has `segmentBytes` but the last, which may be shorter. A
   * packet begins with `headerBytes` of header (associated data), its plaintext follows, and the last 16 bytes are room
   * for the tag. Packet numbers run on from `firstPacketNumber`; nonces are made of them, so none is used twice. What
   * `bodies` names is sealed from there, whatever `buffer` holds in its place.
   */
  sealTrain(
    buffer: Uint8Array,
    start: number,
    end: number,
    segmentBytes: number,
    headerBytes: number,
    firstPacketNumber: number,
    bodies: TrainBodies,
  ): void
  /**
   * Opens `count` packets in place. `table` has four numbers a packet: where it begins in `buffer`, its bytes with header
   * and tag, its packet number, and the outcome, which is written: 1 where the tag matches, 0 where it does not and the
   * bytes are undefined. The packets do not overlap and lie inside of the buffer.
   */
  openPackets(buffer: Uint8Array, table: Uint32Array, count: number, headerBytes: number): void
}

/** Makes the protections of one lane and direction, epoch after epoch; old secrets are forgotten. */
export interface ProtectionSchedule {
  /** The protection of `epoch`; epochs are asked for in rising order, and the one before stays usable. */
  epoch(epoch: number): PacketProtection
}

/** What a connection needs for one lane. */
export interface ConnectionKeys {
  readonly send: ProtectionSchedule
  readonly receive: ProtectionSchedule
}
