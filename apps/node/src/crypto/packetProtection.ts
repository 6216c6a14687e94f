/**
 * The packets' AEAD, ChaCha20-Poly1305-IETF (RFC 8439) by sodium-native: in place, in the sending or receiving buffer,
 * in whichever thread owns the lane. About 3.5 µs for 1,440 bytes on the machine of docs/performance.md.
 *
 * A forged packet costs an Error inside sodium-native: 8 µs, or 4 µs where `Error.stackTraceLimit` is 0, as the threads
 * of the data plane should set it.
 */

import type { TrafficSecrets } from '@godwit/engine/handshake/keySchedule'
import { nextTrafficSecret, PACKET_IV_BYTES, packetKey } from '@godwit/engine/handshake/keySchedule'
import type { KeyDerivation } from '@godwit/engine/ports/handshakeCrypto'
import type { ConnectionKeys, PacketProtection, ProtectionSchedule } from '@godwit/engine/ports/packetProtection'
import { assert } from '@godwit/protocol/assert'
import { PACKET_NUMBER_MAX, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import {
  crypto_aead_chacha20poly1305_ietf_decrypt as decrypt,
  crypto_aead_chacha20poly1305_ietf_encrypt as encrypt,
} from 'sodium-native'
import { keyDerivation } from './keyDerivation.js'

/** Views of one packet's place in a buffer. */
interface PacketViews {
  readonly header: Uint8Array
  readonly plaintext: Uint8Array
  readonly sealed: Uint8Array
}

/** Places remembered in one sending buffer: a train has 64, of two lengths at most. */
const VIEWS_MAX = 256

class ChaChaProtection implements PacketProtection {
  readonly #key: Uint8Array
  readonly #iv: Uint8Array
  readonly #nonce = new Uint8Array(PACKET_IV_BYTES)
  /** A sender fills the same few buffers again and again: making three views a packet would cost a tenth of the time. */
  #buffer: Uint8Array | null = null
  readonly #views = new Map<number, PacketViews>()

  constructor(key: Uint8Array, iv: Uint8Array) {
    this.#key = key
    this.#iv = iv
  }

  seal(buffer: Uint8Array, start: number, headerBytes: number, plaintextBytes: number, packetNumber: number): void {
    const views = this.#viewsOf(buffer, start, headerBytes, plaintextBytes)
    this.#setNonce(packetNumber)
    encrypt(views.sealed, views.plaintext, views.header, null, this.#nonce, this.#key)
  }

  open(buffer: Uint8Array, start: number, headerBytes: number, sealedBytes: number, packetNumber: number): boolean {
    const body = start + headerBytes
    assert(body + sealedBytes <= buffer.length, 'a packet lies inside of its buffer')
    if (sealedBytes < PACKET_TAG_BYTES) return false
    this.#setNonce(packetNumber)
    const sealed = buffer.subarray(body, body + sealedBytes)
    const plaintext = buffer.subarray(body, body + sealedBytes - PACKET_TAG_BYTES)
    const header = buffer.subarray(start, body)
    try {
      decrypt(plaintext, null, sealed, header, this.#nonce, this.#key)
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

  #viewsOf(buffer: Uint8Array, start: number, headerBytes: number, plaintextBytes: number): PacketViews {
    if (buffer !== this.#buffer || this.#views.size >= VIEWS_MAX) {
      this.#views.clear()
      this.#buffer = buffer
    }
    const body = start + headerBytes
    const end = body + plaintextBytes
    // Offsets and lengths in a buffer are below 2^26 each here, and headers of one kind of packet are of one length.
    const key = start * 2 ** 26 + plaintextBytes
    const known = this.#views.get(key)
    if (known !== undefined && known.header.length === headerBytes) return known
    assert(end + PACKET_TAG_BYTES <= buffer.length, 'a sealed packet lies inside of its buffer')
    const views = {
      header: buffer.subarray(start, body),
      plaintext: buffer.subarray(body, end),
      sealed: buffer.subarray(body, end + PACKET_TAG_BYTES),
    }
    this.#views.set(key, views)
    return views
  }
}

class LaneSchedule implements ProtectionSchedule {
  readonly #derivation: KeyDerivation
  readonly #lane: number
  #secret: Uint8Array
  #epoch = 0
  #current: PacketProtection
  #previous: PacketProtection | null = null

  constructor(derivation: KeyDerivation, trafficSecret: Uint8Array, lane: number) {
    this.#derivation = derivation
    this.#lane = lane
    this.#secret = trafficSecret.slice()
    this.#current = this.#protection()
  }

  epoch(epoch: number): PacketProtection {
    assert(Number.isInteger(epoch) && epoch >= this.#epoch - 1, 'epochs are asked for in rising order')
    while (this.#epoch < epoch) {
      const next = nextTrafficSecret(this.#derivation, this.#secret)
      this.#derivation.wipe(this.#secret)
      this.#secret = next
      this.#epoch += 1
      this.#previous = this.#current
      this.#current = this.#protection()
    }
    if (epoch === this.#epoch) return this.#current
    assert(this.#previous !== null, 'there is an epoch before this one')
    return this.#previous
  }

  #protection(): PacketProtection {
    const { key, iv } = packetKey(this.#derivation, this.#secret, this.#lane)
    return new ChaChaProtection(key, iv)
  }
}

/** The packet keys of one direction and lane, from that direction's traffic secret, which is copied. */
export const protectionSchedule = (trafficSecret: Uint8Array, lane: number): ProtectionSchedule =>
  new LaneSchedule(keyDerivation, trafficSecret, lane)

/** Both directions of one lane, as the receiver or the sender of a transfer uses them. */
export const connectionKeys = (role: 'receiver' | 'sender', secrets: TrafficSecrets, lane: number): ConnectionKeys => {
  const fromReceiver = protectionSchedule(secrets.receiverToSender, lane)
  const fromSender = protectionSchedule(secrets.senderToReceiver, lane)
  return role === 'receiver' ? { send: fromReceiver, receive: fromSender } : { send: fromSender, receive: fromReceiver }
}
