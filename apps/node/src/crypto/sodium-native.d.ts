/** The part of sodium-native 5 that Godwit uses; the package has no types of its own. */
declare module 'sodium-native' {
  /** Returns the ciphertext's length. `c` is 16 bytes longer than `m`, and both may begin at the same byte. */
  export function crypto_aead_chacha20poly1305_ietf_encrypt(
    c: Uint8Array,
    m: Uint8Array,
    ad: Uint8Array | null,
    nsec: null,
    npub: Uint8Array,
    k: Uint8Array,
  ): number
  /** Throws when the tag does not match, and has then overwritten `m` with zeros. */
  export function crypto_aead_chacha20poly1305_ietf_decrypt(
    m: Uint8Array,
    nsec: null,
    c: Uint8Array,
    ad: Uint8Array | null,
    npub: Uint8Array,
    k: Uint8Array,
  ): number
  export function sodium_memzero(buffer: Uint8Array): void
}
