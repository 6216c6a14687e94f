/**
 * Which key a packet is sealed or opened with. A header carries one bit of the key epoch (RFC 9001 §6).
 *
 * The sender moves on after a number of packets, but never before one packet of the present epoch was acknowledged, so
 * the two sides are at most one epoch apart. Packet numbers run on across epochs: a packet whose bit differs from the
 * present epoch's belongs to the one before when its number is below the present epoch's first, else to the next one.
 */
import type { PacketProtection, ProtectionSchedule } from '../ports/packetProtection.js'

/** How long the keys of the epoch before are kept for packets that come late. */
const PREVIOUS_EPOCH_US = 3_000_000

export class SendKeys {
  readonly #schedule: ProtectionSchedule
  readonly #updatePackets: number
  #firstPacket = 0
  epoch = 0
  protection: PacketProtection

  constructor(schedule: ProtectionSchedule, updatePackets: number) {
    this.#schedule = schedule
    this.#updatePackets = updatePackets
    this.protection = schedule.epoch(0)
  }

  /** Moves to the next epoch where it is time; call before the packet with this number is built. */
  prepare(packetNumber: number, largestAcked: number): void {
    if (packetNumber - this.#firstPacket < this.#updatePackets || largestAcked < this.#firstPacket) return
    this.epoch += 1
    this.#firstPacket = packetNumber
    this.protection = this.#schedule.epoch(this.epoch)
  }
}

export class ReceiveKeys {
  readonly #schedule: ProtectionSchedule
  #current: PacketProtection
  #firstPacket = 0
  #previous: PacketProtection | undefined
  #previousUntilUs = 0
  #next: PacketProtection | undefined
  epoch = 0

  constructor(schedule: ProtectionSchedule) {
    this.#schedule = schedule
    this.#current = schedule.epoch(0)
  }

  /** The protection to open a packet with; undefined where its keys are gone. */
  select(nowUs: number, epochBit: number, packetNumber: number): PacketProtection | undefined {
    if ((this.epoch & 1) === epochBit) return this.#current
    if (packetNumber < this.#firstPacket) {
      if (nowUs > this.#previousUntilUs) this.#previous = undefined
      return this.#previous
    }
    this.#next ??= this.#schedule.epoch(this.epoch + 1)
    return this.#next
  }

  /** A packet was authentic under a protection that `select` gave. */
  onAuthentic(nowUs: number, packetNumber: number, protection: PacketProtection): void {
    if (protection === this.#current) {
      this.#firstPacket = Math.min(this.#firstPacket, packetNumber)
    } else if (protection === this.#next) {
      this.#previous = this.#current
      this.#previousUntilUs = nowUs + PREVIOUS_EPOCH_US
      this.#current = this.#next
      this.#next = undefined
      this.#firstPacket = packetNumber
      this.epoch += 1
    }
  }
}
