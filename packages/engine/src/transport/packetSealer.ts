/** Headers and tags of the packets that leave: which number, which key epoch, how many there were. */
import { PACKET_HEADER_BYTES, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import { writePacketHeader } from '@godwit/protocol/packet'
import type { ProtectionSchedule, TrainBodies } from '../ports/packetProtection.js'
import { SendKeys } from './keyUpdate.js'
import type { Recovery } from './recovery.js'

export class PacketSealer {
  readonly #connectionId: Uint8Array
  readonly #lane: number
  readonly #keys: SendKeys
  readonly #recovery: Recovery
  #firstPacketNumber = 0

  packetsSent = 0
  bytesSent = 0

  constructor(
    connectionId: Uint8Array,
    lane: number,
    schedule: ProtectionSchedule,
    updatePackets: number,
    recovery: Recovery,
  ) {
    this.#connectionId = connectionId
    this.#lane = lane
    this.#keys = new SendKeys(schedule, updatePackets)
    this.#recovery = recovery
  }

  get epoch(): number {
    return this.#keys.epoch
  }

  /** A train begins: all its packets are of one key epoch. */
  startTrain(): void {
    this.#firstPacketNumber = this.#recovery.packets.next
    this.#keys.prepare(this.#firstPacketNumber, this.#recovery.detector.largestAcked)
  }

  /**
   * Gives the packet at `at`, whose frames end at `end`, the next packet number, and returns its size. The caller then
   * tells the ring of sent packets, which gives out that number.
   */
  writeHeader(out: Uint8Array, at: number, end: number): number {
    const size = end - at + PACKET_TAG_BYTES
    const packetNumber = this.#recovery.packets.next
    writePacketHeader(out, at, this.#keys.epoch, this.#lane, size, this.#connectionId, packetNumber)
    this.packetsSent += 1
    this.bytesSent += size
    return size
  }

  /** Seals the train `out[0, length)`, whose packets have `segmentBytes` each but the last. */
  seal(out: Uint8Array, length: number, segmentBytes: number, bodies: TrainBodies): void {
    this.#keys.protection.sealTrain(out, 0, length, segmentBytes, PACKET_HEADER_BYTES, this.#firstPacketNumber, bodies)
  }
}
