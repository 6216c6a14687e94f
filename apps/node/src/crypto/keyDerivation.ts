/** What key derivation needs, on Node's own crypto: usable at once in any thread, without libsodium. */
import { createHmac } from 'node:crypto'
import type { KeyDerivation } from '@godwit/engine/ports/handshakeCrypto'

/** The bytes of a digest without Buffer's methods, whose toString and toJSON would print what they hold. */
export const bytesOf = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)

export const keyDerivation: KeyDerivation = {
  hmac: (key, data) => bytesOf(createHmac('sha512', key).update(data).digest()),
  wipe: (secret) => {
    secret.fill(0)
  },
}
