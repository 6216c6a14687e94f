/**
 * The reliable ordered byte stream of a session, one half for each direction: the manifest and control messages.
 *
 * Both halves hold at most a window of bytes in a ring. The sender keeps what is not yet acknowledged; the receiver
 * keeps what was not yet read, and grants more (MAX_CONTROL) as it is read. What the bytes mean is left to others.
 */
import { assert } from '@godwit/protocol/assert'
import { RangeSet } from '@godwit/protocol/rangeSet'

/** A stretch of the stream. */
export interface ControlSegment {
  offset: number
  length: number
}

const INITIAL_RING_BYTES = 16 * 1024
/** Separate stretches that a receiver holds; losses alone make far fewer in one window. */
const RECEIVED_RANGES_MAX = 4096

/** Bytes of a stream at running offsets, of which a window is held. Grows up to the window. */
class ByteRing {
  readonly #maxBytes: number
  #bytes: Uint8Array

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#bytes = new Uint8Array(Math.min(INITIAL_RING_BYTES, maxBytes))
  }

  /** Makes room for [from, to), of which [from, held) is filled and kept. */
  reserve(from: number, held: number, to: number): void {
    if (to - from <= this.#bytes.length) return
    assert(to - from <= this.#maxBytes, 'the window bounds what is held')
    let size = this.#bytes.length
    while (size < to - from) size = Math.min(2 * size, this.#maxBytes)
    const grown = new Uint8Array(size)
    for (let at = from; at < held; ) {
      const view = this.view(at, held)
      const target = at % size
      const length = Math.min(view.length, size - target)
      grown.set(view.subarray(0, length), target)
      at += length
    }
    this.#bytes = grown
  }

  write(offset: number, source: Uint8Array, start: number, length: number): void {
    const at = offset % this.#bytes.length
    const first = Math.min(length, this.#bytes.length - at)
    this.#bytes.set(source.subarray(start, start + first), at)
    if (first < length) this.#bytes.set(source.subarray(start + first, start + length), 0)
  }

  /** The bytes from `from` on, up to `to` or the ring's seam. */
  view(from: number, to: number): Uint8Array {
    const at = from % this.#bytes.length
    return this.#bytes.subarray(at, Math.min(at + to - from, this.#bytes.length))
  }
}

export class ControlSender {
  readonly #windowBytes: number
  readonly #ring: ByteRing
  readonly #acked = new RangeSet()
  readonly #lost = new RangeSet()
  #ackedTo = 0
  #next = 0
  #written = 0
  /** What the peer allows in total. */
  #maxTotal: number

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
    this.#ring = new ByteRing(windowBytes)
    this.#maxTotal = windowBytes
  }

  /** Bytes that `write` takes now. */
  get room(): number {
    return this.#windowBytes - (this.#written - this.#ackedTo)
  }

  /** Whether everything that was written was acknowledged. */
  get isDrained(): boolean {
    return this.#ackedTo === this.#written
  }

  /** Copies as much of `bytes` as there is room for and returns how much that was. */
  write(bytes: Uint8Array): number {
    const length = Math.min(bytes.length, this.room)
    if (length === 0) return 0
    this.#ring.reserve(this.#ackedTo, this.#written, this.#written + length)
    this.#ring.write(this.#written, bytes, 0, length)
    this.#written += length
    return length
  }

  /** MAX_CONTROL. */
  onMaxTotal(total: number): void {
    this.#maxTotal = Math.max(this.#maxTotal, total)
  }

  get hasSegment(): boolean {
    return !this.#lost.isEmpty || this.#next < Math.min(this.#written, this.#maxTotal)
  }

  /** Takes the next stretch to send, lost ones first, at most `maxBytes`; `hasSegment` was asked. */
  take(maxBytes: number, out: ControlSegment): void {
    const lost = this.#lost.first
    out.offset = lost ?? this.#next
    const end = lost === undefined ? Math.min(this.#written, this.#maxTotal) : this.#lost.firstMissing(lost)
    out.length = Math.min(maxBytes, end - out.offset)
    if (lost === undefined) this.#next += out.length
    else this.#lost.remove(lost, lost + out.length)
  }

  copy(segment: ControlSegment, target: Uint8Array, at: number): void {
    const end = segment.offset + segment.length
    const first = this.#ring.view(segment.offset, end)
    target.set(first, at)
    if (first.length < segment.length)
      target.set(this.#ring.view(segment.offset + first.length, end), at + first.length)
  }

  onAcked(offset: number, length: number): void {
    this.#acked.add(offset, offset + length)
    this.#lost.remove(offset, offset + length)
    this.#ackedTo = this.#acked.firstMissing(this.#ackedTo)
    // One range [0, ackedTo) stays at the front, so the set remains small.
  }

  onLost(offset: number, length: number): void {
    for (const [start, end] of this.#acked.missing(offset, offset + length)) this.#lost.add(start, end)
  }
}

export class ControlReceiver {
  readonly #windowBytes: number
  readonly #ring: ByteRing
  readonly #received = new RangeSet()
  #read = 0
  /** What we allow in total, as the peer was told. */
  #granted: number

  /** Whether MAX_CONTROL is to be sent. */
  isGrantPending = false

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
    this.#ring = new ByteRing(windowBytes)
    this.#granted = windowBytes
  }

  /** Total bytes that the peer may send. */
  get granted(): number {
    return this.#granted
  }

  /** Takes bytes in any order, perhaps again. False when they pass what was granted: the peer broke the protocol. */
  onData(offset: number, source: Uint8Array, start: number, length: number): boolean {
    const end = offset + length
    if (end > this.#granted) return false
    const skipped = Math.max(0, this.#read - offset)
    if (skipped >= length) return true
    if (this.#received.rangeCount >= RECEIVED_RANGES_MAX) return false
    const held = Math.max(this.#received.end ?? 0, this.#read)
    this.#ring.reserve(this.#read, held, Math.max(held, end))
    this.#ring.write(offset + skipped, source, start + skipped, length - skipped)
    this.#received.add(offset + skipped, end)
    return true
  }

  /** The next bytes in order; undefined when there are none. The view is valid until the next datagram is handled. */
  read(): Uint8Array | undefined {
    const end = this.#received.firstMissing(this.#read)
    if (end === this.#read) return undefined
    const view = this.#ring.view(this.#read, end)
    this.#read += view.length
    assert(this.#read <= this.#granted, 'nothing is read that was not granted')
    if (this.#read + this.#windowBytes - this.#granted >= this.#windowBytes / 2) {
      this.#granted = this.#read + this.#windowBytes
      this.isGrantPending = true
    }
    return view
  }

  /** A MAX_CONTROL of this total was lost; it is sent again unless a later one said more. */
  onGrantLost(total: number): void {
    if (total === this.#granted) this.isGrantPending = true
  }
}
