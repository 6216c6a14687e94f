/** Which AEADs this machine can seal packets with, the fastest first: measured, since processors differ. */
import { randomBytes } from 'node:crypto'
import { NO_BODIES } from '@godwit/engine/ports/packetProtection'
import { TRAIN_MAX_PACKETS } from '@godwit/protocol/limits'
import type { PacketCipher } from '@godwit/protocol/packetCipher'
import { hasNativePackets, nativeProtection } from './nativePackets.js'

/** A train as it is sent over Ethernet, sealed a few times: 2 ms or less on anything of today. */
const PACKET_BYTES = 1440
const ROUNDS = 8

const sealingMs = (cipher: PacketCipher): number => {
  const protection = nativeProtection(cipher, randomBytes(32), randomBytes(12))
  if (protection === undefined) return Number.POSITIVE_INFINITY
  const train = new Uint8Array(TRAIN_MAX_PACKETS * PACKET_BYTES)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now()
    protection.sealTrain(train, 0, train.length, PACKET_BYTES, 16, round * TRAIN_MAX_PACKETS, NO_BODIES)
    best = Math.min(best, performance.now() - startedAt)
  }
  return best
}

let measured: readonly PacketCipher[] | undefined

/** What this node offers and chooses from, in this order; never empty. */
export const ownPacketCiphers = (): readonly PacketCipher[] => {
  measured ??= !hasNativePackets
    ? ['chacha20Poly1305']
    : sealingMs('aes256Gcm') <= sealingMs('chacha20Poly1305')
      ? ['aes256Gcm', 'chacha20Poly1305']
      : ['chacha20Poly1305', 'aes256Gcm']
  return measured
}
