/** HKDF on HMAC-SHA512 (RFC 5869). */
import { assert } from '@godwit/protocol/assert'
import { concatBytes } from '@godwit/protocol/bytes'
import type { KeyDerivation } from '../ports/handshakeCrypto.js'

const HASH_BYTES = 64

/** RFC 5869 §2.2: 64 bytes. */
export const hkdfExtract = (crypto: KeyDerivation, salt: Uint8Array, keyMaterial: Uint8Array): Uint8Array =>
  crypto.hmac(salt, keyMaterial)

/** RFC 5869 §2.3: `lengthBytes` of at most 255 × 64. */
export const hkdfExpand = (
  crypto: KeyDerivation,
  key: Uint8Array,
  info: Uint8Array,
  lengthBytes: number,
): Uint8Array => {
  assert(lengthBytes > 0 && lengthBytes <= 255 * HASH_BYTES, 'HKDF yields at most 255 hashes')
  const output = new Uint8Array(lengthBytes)
  let previous: Uint8Array = new Uint8Array(0)
  for (let block = 1, at = 0; at < lengthBytes; block++, at += HASH_BYTES) {
    const next = crypto.hmac(key, concatBytes(previous, info, Uint8Array.of(block)))
    crypto.wipe(previous)
    output.set(next.subarray(0, Math.min(HASH_BYTES, lengthBytes - at)), at)
    previous = next
  }
  crypto.wipe(previous)
  return output
}

/** ASCII of a label: what sets one use of a key apart from another. */
export const label = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))
