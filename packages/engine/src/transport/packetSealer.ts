/** Headers and tags of the packets that leave: which number, which key epoch, how many there were. */
import { PACKET_HEADER_BYTES, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import { writePacketHeader } from '@godwit/protocol/packet'
import type { ProtectionSchedule } from '../ports/packetProtection.js'
import { SendKeys } from './keyUpdate.js'
import type { Recovery } from './recovery.js'

export class PacketSealer {
  readonly #connectionId: Uint8Array
  readonly #lane: number
  readonly #keys: SendKeys
  readonly #recovery: Recovery

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

  /**
   * Seals the packet at `at` whose frames end at `end` under the next packet number, and returns its size. The caller
   * then tells the ring of sent packets, which gives out that number.
   */
  seal(out: Uint8Array, at: number, end: number): number {
    const packetNumber = this.#recovery.packets.next
    this.#keys.prepare(packetNumber, this.#recovery.detector.largestAcked)
    const size = end - at + PACKET_TAG_BYTES
    writePacketHeader(out, at, this.#keys.epoch, this.#lane, size, this.#connectionId, packetNumber)
    this.#keys.protection.seal(out, at, PACKET_HEADER_BYTES, end - at - PACKET_HEADER_BYTES, packetNumber)
    this.packetsSent += 1
    this.bytesSent += size
    return size
  }
}
