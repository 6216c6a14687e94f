/**
 * The AEADs that packets may be sealed with: 32-byte key, 12-byte nonce, 16-byte tag each (RFC 5116, RFC 8439). A receiver
 * offers what it can do, the one that it does fastest first; the sender chooses. Both are said sealed inside of the
 * handshake's confirmations, so nobody on the way can ask for the other one.
 */

export type PacketCipher = 'chacha20Poly1305' | 'aes256Gcm'

/** The number of each on the wire. Every node can do ChaCha20-Poly1305. */
export const PACKET_CIPHER_NUMBERS = { chacha20Poly1305: 1, aes256Gcm: 2 } as const satisfies Record<
  PacketCipher,
  number
>

/** Ciphers that one side may name. */
export const PACKET_CIPHERS_MAX = 8

/** The cipher of a number; undefined for one that this version does not know. */
export const packetCipherOf = (number: number): PacketCipher | undefined =>
  number === PACKET_CIPHER_NUMBERS.chacha20Poly1305
    ? 'chacha20Poly1305'
    : number === PACKET_CIPHER_NUMBERS.aes256Gcm
      ? 'aes256Gcm'
      : undefined
