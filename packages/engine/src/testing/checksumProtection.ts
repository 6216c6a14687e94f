/**
 * A stand-in for the AEAD: a keyed 32-bit checksum over header and plaintext as the tag, and a masked plaintext. It
 * notices corruption and wrong keys, epochs and packet numbers as a real tag does; it is no protection.
 */
import {
  type ConnectionKeys,
  copyBodies,
  OPEN_FIELDS,
  type PacketProtection,
  type ProtectionSchedule,
  type TrainBodies,
} from '../ports/packetProtection.js'

const TAG_BYTES = 16

class ChecksumProtection implements PacketProtection {
  readonly #key: number

  constructor(key: number) {
    this.#key = key
  }

  sealTrain(
    buffer: Uint8Array,
    start: number,
    end: number,
    segmentBytes: number,
    headerBytes: number,
    firstPacketNumber: number,
    bodies: TrainBodies,
  ): void {
    copyBodies(buffer, Math.ceil((end - start) / segmentBytes), bodies)
    for (let at = start, packetNumber = firstPacketNumber; at < end; at += segmentBytes, packetNumber++) {
      this.#seal(buffer, at, Math.min(at + segmentBytes, end) - TAG_BYTES, headerBytes, packetNumber)
    }
  }

  openPackets(buffer: Uint8Array, table: Uint32Array, count: number, headerBytes: number): void {
    for (let entry = 0; entry < count * OPEN_FIELDS; entry += OPEN_FIELDS) {
      const start = table[entry] ?? 0
      const end = start + (table[entry + 1] ?? 0) - TAG_BYTES
      table[entry + 3] = this.#open(buffer, start, end, headerBytes, table[entry + 2] ?? 0) ? 1 : 0
    }
  }

  #seal(buffer: Uint8Array, start: number, end: number, headerBytes: number, packetNumber: number): void {
    const sum = this.#sum(buffer, start, end, packetNumber)
    this.#mask(buffer, start + headerBytes, end, packetNumber)
    for (let i = 0; i < TAG_BYTES; i++) buffer[end + i] = sum >>> (8 * (i & 3))
  }

  #open(buffer: Uint8Array, start: number, end: number, headerBytes: number, packetNumber: number): boolean {
    this.#mask(buffer, start + headerBytes, end, packetNumber)
    const sum = this.#sum(buffer, start, end, packetNumber)
    for (let i = 0; i < TAG_BYTES; i++) if (buffer[end + i] !== ((sum >>> (8 * (i & 3))) & 0xff)) return false
    return true
  }

  #sum(buffer: Uint8Array, start: number, end: number, packetNumber: number): number {
    let sum = Math.imul(this.#key ^ packetNumber, 0x85eb_ca6b) | 0
    for (let i = start; i < end; i++) sum = (Math.imul(sum, 31) + (buffer[i] ?? 0) + 1) | 0
    return sum
  }

  #mask(buffer: Uint8Array, start: number, end: number, packetNumber: number): void {
    const mask = (this.#key + packetNumber) | 1
    for (let i = start; i < end; i++) buffer[i] = (buffer[i] ?? 0) ^ mask
  }
}

class ChecksumSchedule implements ProtectionSchedule {
  readonly #secret: number

  constructor(secret: number) {
    this.#secret = secret
  }

  epoch(epoch: number): PacketProtection {
    return new ChecksumProtection(Math.imul(this.#secret + 1, 0x9e37_79b1) + Math.imul(epoch + 1, 0x27d4_eb2f))
  }
}

/** Keys of the two ends of a lane: what one seals the other opens. */
export const checksumKeys = (secret: number): readonly [ConnectionKeys, ConnectionKeys] => {
  const forth = () => new ChecksumSchedule(2 * secret)
  const back = () => new ChecksumSchedule(2 * secret + 1)
  return [
    { send: forth(), receive: back() },
    { send: back(), receive: forth() },
  ]
}
