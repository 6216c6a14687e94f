/**
 * The primitives that the handshake is made of. The engine composes them (`handshake/`) and knows no crypto library;
 * `apps/node` implements them with libsodium and Node's own crypto.
 *
 * Lengths are fixed by the algorithms: whoever calls with others has a bug. Nothing here logs or keeps its arguments.
 */

export interface KeyPair {
  readonly publicKey: Uint8Array
  /** Secret; the caller wipes it. */
  readonly secretKey: Uint8Array
}

/** What key derivation needs alone: also used away from the handshake, where packet keys are derived. */
export interface KeyDerivation {
  /** HMAC-SHA512 (RFC 2104): 64 bytes. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array
  /** Overwrites a secret that is no longer needed. */
  wipe(secret: Uint8Array): void
}

export interface HandshakeCrypto extends KeyDerivation {
  randomBytes(count: number): Uint8Array
  /** SHA-512: 64 bytes. */
  hash(data: Uint8Array): Uint8Array
  /** scrypt (RFC 7914) with N = 2^15, r = 8, p = 1: 32 bytes, off the main thread, about 0.1 s. */
  stretch(passphrase: Uint8Array, salt: Uint8Array): Promise<Uint8Array>
  /** The one-way map of RFC 9496 §4.3.4 from 64 uniform bytes to an encoded element. */
  ristrettoFromHash(uniform: Uint8Array): Uint8Array
  /** A uniform scalar of the group's order: 32 bytes. */
  ristrettoRandomScalar(): Uint8Array
  /** Undefined when `point` is not an encoded element or the product is the identity. */
  ristrettoMultiply(scalar: Uint8Array, point: Uint8Array): Uint8Array | undefined
  x25519KeyPair(): KeyPair
  /** RFC 7748 §6.1. Undefined when the shared secret is all zero. */
  x25519(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined
  /** Ed25519 (RFC 8032): public key 32, secret key 64 bytes. */
  ed25519KeyPair(): KeyPair
  ed25519Sign(secretKey: Uint8Array, data: Uint8Array): Uint8Array
  ed25519Verify(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean
  /** ChaCha20-Poly1305 (RFC 8439) under a key used once, nonce zero: ciphertext and tag. */
  sealOnce(key: Uint8Array, associated: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Undefined when the tag does not match. */
  openOnce(key: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
  /** Comparison in time that depends on the lengths only. */
  isEqual(left: Uint8Array, right: Uint8Array): boolean
}
