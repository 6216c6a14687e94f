/**
 * The engine's crypto port on libsodium (ristretto255, X25519, Ed25519, ChaCha20-Poly1305) and Node's own crypto
 * (SHA-512, HMAC, scrypt, random bytes). Packets are sealed elsewhere: `packetProtection.ts`.
 */
import { createHash, randomFillSync, scrypt, timingSafeEqual } from 'node:crypto'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { assert } from '@godwit/protocol/assert'
import sodium from 'libsodium-wrappers-sumo'
import { bytesOf, keyDerivation } from './keyDerivation.js'

/** RFC 7914 parameters: 32 MiB and about 0.1 s, once a room on the sender and once a run on a receiver. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const STRETCHED_BYTES = 32
/** A key that is used once needs no nonce. */
const NO_NONCE = new Uint8Array(12)

/** Resolves when libsodium has been compiled; one object serves the whole process. */
export const createHandshakeCrypto = async (): Promise<HandshakeCrypto> => {
  await sodium.ready
  return {
    ...keyDerivation,
    randomBytes: (count) => randomFillSync(new Uint8Array(count)),
    hash: (data) => bytesOf(createHash('sha512').update(data).digest()),
    stretch,
    ristrettoFromHash: (uniform) => sodium.crypto_core_ristretto255_from_hash(uniform),
    ristrettoRandomScalar: () => sodium.crypto_core_ristretto255_scalar_random(),
    ristrettoMultiply: (scalar, point) => orUndefined(() => sodium.crypto_scalarmult_ristretto255(scalar, point)),
    x25519KeyPair: () => {
      const secretKey = randomFillSync(new Uint8Array(32))
      return { secretKey, publicKey: sodium.crypto_scalarmult_base(secretKey) }
    },
    x25519: (secretKey, publicKey) => {
      const shared = orUndefined(() => sodium.crypto_scalarmult(secretKey, publicKey))
      return shared?.some((byte) => byte !== 0) ? shared : undefined
    },
    ed25519KeyPair: () => {
      const { publicKey, privateKey } = sodium.crypto_sign_keypair()
      return { publicKey, secretKey: privateKey }
    },
    ed25519Sign: (secretKey, data) => sodium.crypto_sign_detached(data, secretKey),
    ed25519Verify: (publicKey, data, signature) => {
      assert(publicKey.length === 32 && signature.length === 64, 'an Ed25519 key has 32 bytes, a signature 64')
      return orUndefined(() => sodium.crypto_sign_verify_detached(signature, data, publicKey)) ?? false
    },
    sealOnce: (key, associated, plaintext) =>
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, associated, null, NO_NONCE, key),
    openOnce: (key, associated, sealed) =>
      sealed.length < 16
        ? undefined
        : orUndefined(() => sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, sealed, associated, NO_NONCE, key)),
    isEqual: (left, right) => left.length === right.length && timingSafeEqual(left, right),
  }
}

/** libsodium's wrappers throw when a point, a tag or a signature is not acceptable: here that is a value. */
const orUndefined = <T>(compute: () => T): T | undefined => {
  try {
    return compute()
  } catch (reason) {
    // A TypeError tells of an argument of the wrong length: ours, so a bug.
    if (reason instanceof TypeError) throw reason
    return undefined
  }
}

const stretch = (passphrase: Uint8Array, salt: Uint8Array): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    scrypt(passphrase, salt, STRETCHED_BYTES, SCRYPT, (error, key) => {
      if (error === null) resolve(bytesOf(key))
      else reject(error)
    })
  })
