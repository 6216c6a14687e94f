/**
 * What is in flight: a ring of typed arrays indexed by packet number, and a second ring of records, which say what
 * each packet carried. No object is made for a packet.
 *
 * The rings double until `maxPackets`; a full ring stops the sending of ack-eliciting packets, it never loses an entry.
 * Whether a packet is lost is decided by `lossDetector.ts`; what a lost record means, by `packetFiller.ts`.
 */
import { assert } from '@godwit/protocol/assert'

/** Not ack-eliciting, or never sent. */
export const PACKET_UNTRACKED = 0
export const PACKET_IN_FLIGHT = 1
export const PACKET_ACKED = 2
export const PACKET_LOST = 3

export const RECORD_CHUNK_DATA = 1
export const RECORD_CONTROL = 2
export const RECORD_MAX_CREDIT = 3
export const RECORD_MAX_CONTROL = 4
export const RECORD_ACK_FREQUENCY = 5

/** Hears what became of each record. */
export interface RecordListener {
  onRecordAcked(kind: number, chunk: number, offset: number, length: number): void
  onRecordLost(kind: number, chunk: number, offset: number, length: number): void
}

const INITIAL_PACKETS = 1024
/** Records that one packet may carry. */
export const RECORDS_PER_PACKET_MAX = 32

export class SentPackets {
  readonly #maxPackets: number
  #capacity: number
  #mask: number
  #state: Uint8Array
  #size: Uint32Array
  #sentTimeUs: Float64Array
  /** Delivery-rate state at the time of sending: see `deliveryRate.ts`. */
  #delivered: Float64Array
  #deliveredTimeUs: Float64Array
  #firstSentTimeUs: Float64Array
  #isAppLimited: Uint8Array
  /** Bytes in flight with it, and bytes lost in total, at the time of sending. */
  #inFlightBytes: Float64Array
  #lostBytes: Float64Array
  #recordsEnd: Float64Array

  #recordCapacity: number
  #recordMask: number
  #recordKind: Uint8Array
  #recordChunk: Float64Array
  #recordOffset: Float64Array
  #recordLength: Uint32Array
  /** Running numbers of the oldest record held and of the next one. */
  #recordTail = 0
  #recordHead = 0

  /** The next packet number. */
  next = 0
  /** No packet below is in flight. */
  lowest = 0
  /** Packets in flight. */
  inFlight = 0

  constructor(maxPackets: number) {
    assert((maxPackets & (maxPackets - 1)) === 0 && maxPackets >= 64, 'the ring is a power of two')
    this.#maxPackets = maxPackets
    const capacity = Math.min(INITIAL_PACKETS, maxPackets)
    this.#capacity = capacity
    this.#mask = capacity - 1
    this.#state = new Uint8Array(capacity)
    this.#size = new Uint32Array(capacity)
    this.#sentTimeUs = new Float64Array(capacity)
    this.#delivered = new Float64Array(capacity)
    this.#deliveredTimeUs = new Float64Array(capacity)
    this.#firstSentTimeUs = new Float64Array(capacity)
    this.#isAppLimited = new Uint8Array(capacity)
    this.#inFlightBytes = new Float64Array(capacity)
    this.#lostBytes = new Float64Array(capacity)
    this.#recordsEnd = new Float64Array(capacity)
    this.#recordCapacity = 2 * capacity
    this.#recordMask = this.#recordCapacity - 1
    this.#recordKind = new Uint8Array(this.#recordCapacity)
    this.#recordChunk = new Float64Array(this.#recordCapacity)
    this.#recordOffset = new Float64Array(this.#recordCapacity)
    this.#recordLength = new Uint32Array(this.#recordCapacity)
  }

  /** Entries of the packet ring: for the bound on memory. */
  get capacity(): number {
    return this.#capacity
  }

  /**
   * Whether one more ack-eliciting packet with its records finds room, after growing if necessary. Of the largest ring an
   * eighth is kept for probes and another for packets that only acknowledge.
   */
  hasRoom(isProbe = false): boolean {
    const part = this.#capacity < this.#maxPackets ? 1 : isProbe ? 7 / 8 : 6 / 8
    if (this.next - this.lowest >= this.#capacity * part && !this.#growPackets()) return false
    return this.#recordHead - this.#recordTail + RECORDS_PER_PACKET_MAX <= this.#recordCapacity || this.#growRecords()
  }

  /** Whether one more packet that is not ack-eliciting finds room. Only a peer that never acknowledges uses it up. */
  hasUntrackedRoom(): boolean {
    return this.next - this.lowest < this.#capacity || this.#growPackets()
  }

  /** Notes what the packet that is being built carries; `onSent` closes it. At most `RECORDS_PER_PACKET_MAX` a packet. */
  addRecord(kind: number, chunk: number, offset: number, length: number): void {
    const at = this.#recordHead & this.#recordMask
    this.#recordKind[at] = kind
    this.#recordChunk[at] = chunk
    this.#recordOffset[at] = offset
    this.#recordLength[at] = length
    this.#recordHead += 1
  }

  /** Gives the next packet number to an ack-eliciting packet that `hasRoom` was asked for. */
  onSent(
    nowUs: number,
    sizeBytes: number,
    delivered: number,
    deliveredTimeUs: number,
    firstSentTimeUs: number,
    isAppLimited: boolean,
    inFlightBytes = sizeBytes,
    lostBytes = 0,
  ): void {
    const at = this.next & this.#mask
    this.#state[at] = PACKET_IN_FLIGHT
    this.#size[at] = sizeBytes
    this.#sentTimeUs[at] = nowUs
    this.#delivered[at] = delivered
    this.#deliveredTimeUs[at] = deliveredTimeUs
    this.#firstSentTimeUs[at] = firstSentTimeUs
    this.#isAppLimited[at] = isAppLimited ? 1 : 0
    this.#inFlightBytes[at] = inFlightBytes
    this.#lostBytes[at] = lostBytes
    this.#recordsEnd[at] = this.#recordHead
    this.next += 1
    this.inFlight += 1
  }

  /** Uses up the next packet number for a packet that is not ack-eliciting; `hasUntrackedRoom` was asked. */
  onSentUntracked(): void {
    if (this.lowest === this.next) {
      this.lowest += 1
    } else {
      const at = this.next & this.#mask
      this.#state[at] = PACKET_UNTRACKED
      this.#recordsEnd[at] = this.#recordHead
    }
    this.next += 1
  }

  /** The state of a packet number in [lowest, next). */
  stateOf(packetNumber: number): number {
    return this.#state[packetNumber & this.#mask] ?? PACKET_UNTRACKED
  }

  sizeOf(packetNumber: number): number {
    return this.#size[packetNumber & this.#mask] ?? 0
  }

  sentTimeOf(packetNumber: number): number {
    return this.#sentTimeUs[packetNumber & this.#mask] ?? 0
  }

  deliveredOf(packetNumber: number): number {
    return this.#delivered[packetNumber & this.#mask] ?? 0
  }

  deliveredTimeOf(packetNumber: number): number {
    return this.#deliveredTimeUs[packetNumber & this.#mask] ?? 0
  }

  firstSentTimeOf(packetNumber: number): number {
    return this.#firstSentTimeUs[packetNumber & this.#mask] ?? 0
  }

  wasAppLimited(packetNumber: number): boolean {
    return this.#isAppLimited[packetNumber & this.#mask] === 1
  }

  /** Bytes in flight when the packet was sent, itself included. */
  inFlightOf(packetNumber: number): number {
    return this.#inFlightBytes[packetNumber & this.#mask] ?? 0
  }

  /** Bytes that had been lost in total when the packet was sent. */
  lostOf(packetNumber: number): number {
    return this.#lostBytes[packetNumber & this.#mask] ?? 0
  }

  /** Takes a packet out of flight as acknowledged and tells what it carried. */
  markAcked(packetNumber: number, listener: RecordListener): void {
    this.#take(packetNumber, PACKET_ACKED)
    const end = this.#recordsEnd[packetNumber & this.#mask] ?? 0
    for (let record = this.#recordsStart(packetNumber); record < end; record++) {
      const at = record & this.#recordMask
      listener.onRecordAcked(
        this.#recordKind[at] ?? 0,
        this.#recordChunk[at] ?? 0,
        this.#recordOffset[at] ?? 0,
        this.#recordLength[at] ?? 0,
      )
    }
  }

  /** Takes a packet out of flight as lost and tells what it carried. */
  markLost(packetNumber: number, listener: RecordListener): void {
    this.#take(packetNumber, PACKET_LOST)
    const end = this.#recordsEnd[packetNumber & this.#mask] ?? 0
    for (let record = this.#recordsStart(packetNumber); record < end; record++) {
      const at = record & this.#recordMask
      listener.onRecordLost(
        this.#recordKind[at] ?? 0,
        this.#recordChunk[at] ?? 0,
        this.#recordOffset[at] ?? 0,
        this.#recordLength[at] ?? 0,
      )
    }
  }

  /** Moves `lowest` over everything that is no longer in flight and frees its records. Amortized constant. */
  advance(): void {
    while (this.lowest < this.next && this.stateOf(this.lowest) !== PACKET_IN_FLIGHT) {
      this.#recordTail = this.#recordsEnd[this.lowest & this.#mask] ?? 0
      this.lowest += 1
    }
  }

  #take(packetNumber: number, state: number): void {
    assert(this.stateOf(packetNumber) === PACKET_IN_FLIGHT, 'only a packet in flight is acknowledged or lost')
    this.#state[packetNumber & this.#mask] = state
    this.inFlight -= 1
  }

  #recordsStart(packetNumber: number): number {
    // The packet before ends where this one starts, unless it is no longer held.
    return packetNumber === this.lowest ? this.#recordTail : (this.#recordsEnd[(packetNumber - 1) & this.#mask] ?? 0)
  }

  #growPackets(): boolean {
    if (this.#capacity >= this.#maxPackets) return false
    const from = this.#mask
    this.#capacity *= 2
    this.#mask = this.#capacity - 1
    const grow = <A extends Uint8Array | Uint32Array | Float64Array>(old: A, grown: A): A => {
      for (let packet = this.lowest; packet < this.next; packet++) grown[packet & this.#mask] = old[packet & from] ?? 0
      return grown
    }
    this.#state = grow(this.#state, new Uint8Array(this.#capacity))
    this.#size = grow(this.#size, new Uint32Array(this.#capacity))
    this.#sentTimeUs = grow(this.#sentTimeUs, new Float64Array(this.#capacity))
    this.#delivered = grow(this.#delivered, new Float64Array(this.#capacity))
    this.#deliveredTimeUs = grow(this.#deliveredTimeUs, new Float64Array(this.#capacity))
    this.#firstSentTimeUs = grow(this.#firstSentTimeUs, new Float64Array(this.#capacity))
    this.#isAppLimited = grow(this.#isAppLimited, new Uint8Array(this.#capacity))
    this.#inFlightBytes = grow(this.#inFlightBytes, new Float64Array(this.#capacity))
    this.#lostBytes = grow(this.#lostBytes, new Float64Array(this.#capacity))
    this.#recordsEnd = grow(this.#recordsEnd, new Float64Array(this.#capacity))
    return true
  }

  #growRecords(): boolean {
    if (this.#recordCapacity >= 2 * this.#maxPackets) return false
    const from = this.#recordMask
    this.#recordCapacity *= 2
    this.#recordMask = this.#recordCapacity - 1
    const grow = <A extends Uint8Array | Uint32Array | Float64Array>(old: A, grown: A): A => {
      for (let record = this.#recordTail; record < this.#recordHead; record++) {
        grown[record & this.#recordMask] = old[record & from] ?? 0
      }
      return grown
    }
    this.#recordKind = grow(this.#recordKind, new Uint8Array(this.#recordCapacity))
    this.#recordChunk = grow(this.#recordChunk, new Float64Array(this.#recordCapacity))
    this.#recordOffset = grow(this.#recordOffset, new Float64Array(this.#recordCapacity))
    this.#recordLength = grow(this.#recordLength, new Uint32Array(this.#recordCapacity))
    return true
  }
}
