/**
 * The AEAD of packets as the transport needs it: in place, synchronous, without allocation, a whole train or read at a
 * time, since a call per packet is what crypto costs most in. The engine knows no crypto library; `apps/node` implements
 * this with OpenSSL or libsodium, tests with a checksum.
 */

/** Numbers of one packet in the table of `openPackets`. */
export const OPEN_FIELDS = 4

/** Keys of one direction, lane and key epoch. Not shared between threads. */
export interface PacketProtection {
  /**
   * Seals the packets of `buffer[start, end)` in place. Each has `segmentBytes` but the last, which may be shorter. A
   * packet begins with `headerBytes` of header (associated data), its plaintext follows, and the last 16 bytes are room
   * for the tag. Packet numbers run on from `firstPacketNumber`; nonces are made of them, so none is used twice.
   */
  sealTrain(
    buffer: Uint8Array,
    start: number,
    end: number,
    segmentBytes: number,
    headerBytes: number,
    firstPacketNumber: number,
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
