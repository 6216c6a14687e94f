/**
 * BLAKE3 with 32 bytes of output, as `b3sum` prints it: of a chunk at once, of a file piece by piece.
 */
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash'

/** Bytes of a hash. */
export const BLAKE3_BYTES = 32

/** The hash of `data`, in an array of its own. */
export const blake3Of = (data: Uint8Array): Uint8Array => new Uint8Array(blake3(data))

/** A hash in the making: of everything that was given to `update`, in order. */
export class Blake3Stream {
  readonly #hasher = new Blake3Hasher()

  /** `data` is read during the call only. */
  update(data: Uint8Array): this {
    this.#hasher.update(data)
    return this
  }

  /** The hash so far; more may follow. */
  digest(): Uint8Array {
    return new Uint8Array(this.#hasher.digestBuffer())
  }
}
