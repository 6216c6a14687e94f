/** BLAKE3 as the files need it: of one buffer, and of a stream of buffers. `b3sum` prints the same. */
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash'

/** Bytes of a hash. */
export const HASH_BYTES = 32

/** The 32-byte hash of `bytes`. */
export const hashOf = (bytes: Uint8Array): Uint8Array => blake3(bytes)

/** Hashes buffers one after the other; each is free again when `update` returns. */
export class StreamHash {
  readonly #hasher = new Blake3Hasher()

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes)
  }

  /** The 32-byte hash of everything so far. */
  digest(): Uint8Array {
    return this.#hasher.digestBuffer()
  }
}
