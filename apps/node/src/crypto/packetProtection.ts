/**
 * The packet keys of a lane, epoch after epoch, and the implementation that seals with them: the native addon where it is
 * there, else libsodium. In place, in the sending or receiving buffer, in whichever thread owns the lane.
 */

import type { TrafficSecrets } from '@godwit/engine/handshake/keySchedule'
import { nextTrafficSecret, packetKey } from '@godwit/engine/handshake/keySchedule'
import type { KeyDerivation } from '@godwit/engine/ports/handshakeCrypto'
import type { ConnectionKeys, PacketProtection, ProtectionSchedule } from '@godwit/engine/ports/packetProtection'
import { assert } from '@godwit/protocol/assert'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import { keyDerivation } from './keyDerivation.js'
import { nativeProtection } from './nativePackets.js'
import { SodiumProtection } from './sodiumPackets.js'

class LaneSchedule implements ProtectionSchedule {
  readonly #derivation: KeyDerivation
  readonly #cipher: PacketCipher
  readonly #lane: number
  #secret: Uint8Array
  #epoch = 0
  #current: PacketProtection
  #previous: PacketProtection | null = null

  constructor(derivation: KeyDerivation, cipher: PacketCipher, trafficSecret: Uint8Array, lane: number) {
    this.#derivation = derivation
    this.#cipher = cipher
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
    const native = nativeProtection(this.#cipher, key, iv)
    if (native !== undefined) {
      this.#derivation.wipe(key)
      return native
    }
    assert(this.#cipher === 'chacha20Poly1305', 'only the addon has AES-256-GCM, and only with it that is offered')
    return new SodiumProtection(key, iv)
  }
}

/** The packet keys of one direction and lane, from that direction's traffic secret, which is copied. */
export const protectionSchedule = (cipher: PacketCipher, trafficSecret: Uint8Array, lane: number): ProtectionSchedule =>
  new LaneSchedule(keyDerivation, cipher, trafficSecret, lane)

/** Both directions of one lane, as the receiver or the sender of a transfer uses them. */
export const connectionKeys = (
  role: 'receiver' | 'sender',
  cipher: PacketCipher,
  secrets: TrafficSecrets,
  lane: number,
): ConnectionKeys => {
  const fromReceiver = protectionSchedule(cipher, secrets.receiverToSender, lane)
  const fromSender = protectionSchedule(cipher, secrets.senderToReceiver, lane)
  return role === 'receiver' ? { send: fromReceiver, receive: fromSender } : { send: fromSender, receive: fromReceiver }
}
