/**
 * The chunk-hash file of a staging folder: 32 bytes per chunk at chunk number × 32. A hash is written only when its
 * chunk's data is durable, so what stands here is there; an aligned 32-byte entry is never torn by a crash.
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import type { RangeSet } from '@godwit/protocol/rangeSet'
import { BLAKE3_BYTES } from '../crypto/blake3.js'

/** Hashes written or read by one call: 256 KiB. */
const BATCH = 8_192

export class ChunkHashes {
  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  static async open(path: string): Promise<ChunkHashes> {
    return new ChunkHashes(await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600))
  }

  /** Records hashes of 32 bytes each for the chunks in `chunks` and makes them durable. */
  async record(chunks: RangeSet, hashOfChunk: (chunk: number) => Uint8Array): Promise<void> {
    for (const [start, end] of chunks.ranges()) {
      for (let first = start; first < end; first += BATCH) {
        const count = Math.min(BATCH, end - first)
        const bytes = new Uint8Array(count * BLAKE3_BYTES)
        for (let i = 0; i < count; i += 1) bytes.set(hashOfChunk(first + i), i * BLAKE3_BYTES)
        await writeWhole(this.#handle, bytes, first * BLAKE3_BYTES)
      }
    }
    await this.sync()
  }

  /** Makes durable what stands in the file, whoever wrote it. */
  async sync(): Promise<void> {
    await this.#handle.datasync()
  }

  /** The hashes of `count` chunks from `first`, one behind the other; zeros where there is none. */
  async read(first: number, count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count * BLAKE3_BYTES)
    await readUpTo(this.#handle, bytes, bytes.length, first * BLAKE3_BYTES)
    return bytes
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** Whether a hash that was read is none: all zeros. */
export const isNoHash = (hash: Uint8Array): boolean => hash.every((byte) => byte === 0)

/** Writes all of `bytes` at `position`. */
export const writeWhole = async (handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** Reads `length` bytes at `position`, fewer only where the file ends; returns how many. */
export const readUpTo = async (
  handle: FileHandle,
  bytes: Uint8Array,
  length: number,
  position: number,
): Promise<number> => {
  let done = 0
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
