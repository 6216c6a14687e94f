/**
 * ChaCha20-Poly1305-IETF (RFC 8439) of packets by sodium-native, one call a packet: what every platform has. About 3.5 µs
 * for 1,440 bytes on the machine of docs/performance.md.
 *
 * A forged packet costs an Error inside sodium-native: 8 µs, or 4 µs where `Error.stackTraceLimit` is 0, as the threads
 * of the data plane should set it.
 */
import { copyBodies, OPEN_FIELDS, type PacketProtection, type TrainBodies } from '@godwit/engine/ports/packetProtection'
import { assert } from '@godwit/protocol/assert'
import { PACKET_NUMBER_MAX, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import {
  crypto_aead_chacha20poly1305_ietf_decrypt as decrypt,
  crypto_aead_chacha20poly1305_ietf_encrypt as encrypt,
} from 'sodium-native'

/** Views of one packet's place in a buffer. */
interface PacketViews {
  readonly header: Uint8Array
  readonly plaintext: Uint8Array
  readonly sealed: Uint8Array
}

/** Places remembered in one sending buffer: a train has 64, of two lengths at most. */
const VIEWS_MAX = 256

export class SodiumProtection implements PacketProtection {
  readonly #key: Uint8Array
  readonly #iv: Uint8Array
  readonly #nonce: Uint8Array
  /** A sender fills the same few buffers again and again: making three views a packet would cost a tenth of the time. */
  #buffer: Uint8Array | null = null
  readonly #views = new Map<number, PacketViews>()

  /** @param key - 32 bytes, kept. @param iv - 12 bytes, kept. */
  constructor(key: Uint8Array, iv: Uint8Array) {
    this.#key = key
    this.#iv = iv
    this.#nonce = new Uint8Array(iv.length)
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
      const views = this.#viewsOf(buffer, at, headerBytes, Math.min(at + segmentBytes, end))
      this.#setNonce(packetNumber)
      encrypt(views.sealed, views.plaintext, views.header, null, this.#nonce, this.#key)
    }
  }

  openPackets(buffer: Uint8Array, table: Uint32Array, count: number, headerBytes: number): void {
    for (let entry = 0; entry < count * OPEN_FIELDS; entry += OPEN_FIELDS) {
      const start = table[entry] ?? 0
      const end = start + (table[entry + 1] ?? 0)
      table[entry + 3] = this.#open(buffer, start, start + headerBytes, end, table[entry + 2] ?? 0) ? 1 : 0
    }
  }

  #open(buffer: Uint8Array, start: number, body: number, end: number, packetNumber: number): boolean {
    assert(end <= buffer.length && end - body >= PACKET_TAG_BYTES, 'a packet lies inside of its buffer')
    this.#setNonce(packetNumber)
    const sealed = buffer.subarray(body, end)
    const plaintext = buffer.subarray(body, end - PACKET_TAG_BYTES)
    try {
      decrypt(plaintext, null, sealed, buffer.subarray(start, body), this.#nonce, this.#key)
      return true
    } catch {
      // All lengths are right, so that it can only be the tag.
      return false
    }
  }

  /** RFC 9001 §5.3: the packet number, padded on the left, XOR the iv. */
  #setNonce(packetNumber: number): void {
    assert(packetNumber >= 0 && packetNumber <= PACKET_NUMBER_MAX, 'a packet number has 32 bits')
    const nonce = this.#nonce
    nonce.set(this.#iv)
    nonce[8] = (nonce[8] ?? 0) ^ (packetNumber >>> 24)
    nonce[9] = (nonce[9] ?? 0) ^ (packetNumber >>> 16)
    nonce[10] = (nonce[10] ?? 0) ^ (packetNumber >>> 8)
    nonce[11] = (nonce[11] ?? 0) ^ packetNumber
  }

  #viewsOf(buffer: Uint8Array, start: number, headerBytes: number, end: number): PacketViews {
    if (buffer !== this.#buffer || this.#views.size >= VIEWS_MAX) {
      this.#views.clear()
      this.#buffer = buffer
    }
    // Positions in a buffer are below 2^26 each here, and headers of one kind of packet are of one length.
    const key = start * 2 ** 26 + end
    const known = this.#views.get(key)
    if (known !== undefined && known.header.length === headerBytes) return known
    const body = start + headerBytes
    assert(end <= buffer.length && end - body >= PACKET_TAG_BYTES, 'a sealed packet lies inside of its buffer')
    const views = {
      header: buffer.subarray(start, body),
      plaintext: buffer.subarray(body, end - PACKET_TAG_BYTES),
      sealed: buffer.subarray(body, end),
    }
    this.#views.set(key, views)
    return views
  }
}
