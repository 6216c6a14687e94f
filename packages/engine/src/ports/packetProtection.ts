/**
 * The AEAD of packets as the transport needs it: in place, synchronous, without allocation. The engine knows no crypto
 * library; `apps/node` implements this with ChaCha20-Poly1305-IETF, tests with a checksum.
 */

/** Keys of one direction and lane; each key epoch has its own. Not shared between threads. */
export interface PacketProtection {
  /**
   * Seals in place. `buffer[start, start + headerBytes)` is the header (associated data), the plaintext follows it, and
   * the 16-byte tag is written behind the plaintext. The nonce is made of `packetNumber`, which is never used twice.
   */
  seal(buffer: Uint8Array, start: number, headerBytes: number, plaintextBytes: number, packetNumber: number): void
  /**
   * Opens in place. `sealedBytes` is ciphertext and tag. False when the tag does not match; the bytes are then undefined.
   */
  open(buffer: Uint8Array, start: number, headerBytes: number, sealedBytes: number, packetNumber: number): boolean
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
