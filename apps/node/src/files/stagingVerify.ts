/** Reading a staging folder back: which chunks are really there, and what whole files hash to. */
import type { FileHandle } from 'node:fs/promises'
import { equalBytes } from '@godwit/protocol/bytes'
import type { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { CHUNK_SIZE_BYTES } from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { BLAKE3_BYTES, type Blake3Stream, blake3Of } from '../crypto/blake3.js'
import type { ChunkHashes } from './chunkHashes.js'
import { isNoHash, readUpTo } from './chunkHashes.js'
import { forEachIndex } from './concurrently.js'

/** `cheap` believes the log where nothing speaks against it; `full` reads and hashes everything. */
export type VerifyMode = 'cheap' | 'full'

export interface Held {
  /** Chunks that are there and durable. */
  readonly held: RangeSet
  /** Chunks that the log claims and that are not there. */
  readonly missing: RangeSet
}

/** The files of a staging folder as they are read back. */
export interface StagedParts {
  readonly plan: ChunkPlan
  readonly hashes: ChunkHashes
  /** Bytes of a part as it stands on the disk; 0 where there is none. */
  sizeOf(file: number): Promise<number>
  use<T>(file: number, action: (handle: FileHandle) => Promise<T>): Promise<T>
}

/** Chunks read back at the same time. */
const READ_CONCURRENCY = 4
/** Bytes read at once for a file's hash, twice: one buffer is read into while the other is hashed. */
const READ_BYTES = 2 * CHUNK_SIZE_BYTES
/** Recorded hashes held at once: 128 KiB. */
const HASHES_AT_ONCE = 4_096

export const findHeldChunks = async (
  parts: StagedParts,
  claimed: RangeSet,
  mode: VerifyMode,
  signal?: AbortSignal,
): Promise<Held> => {
  const { plan } = parts
  const held = new RangeSet()
  await forEachBlock(parts, 0, plan.chunkCount, async (start, hashes) => {
    const sizes = new Map<number, Promise<number>>()
    const isLongEnough = async (chunk: number): Promise<boolean> => {
      const { file, offset, length } = plan.locate(chunk)
      const size = sizes.get(file) ?? parts.sizeOf(file)
      sizes.set(file, size)
      return (await size) >= offset + length
    }
    return findThose(hashes, start, held, async (chunk, hash) => {
      if (signal?.aborted === true || !(await isLongEnough(chunk))) return false
      return (mode === 'cheap' && claimed.has(chunk)) || hasHash(parts, chunk, hash)
    })
  })
  const missing = claimed.clone()
  missing.removeAll(held)
  return { held, missing }
}

export const findDamagedChunks = async (parts: StagedParts, file: number): Promise<RangeSet> => {
  const { first, count } = parts.plan.chunksOfFile(file)
  const sound = new RangeSet()
  await forEachBlock(parts, first, count, (start, hashes) =>
    findThose(hashes, start, sound, (chunk, hash) => hasHash(parts, chunk, hash)),
  )
  const damaged = new RangeSet()
  for (const [start, end] of sound.missing(first, first + count)) damaged.add(start, end)
  return damaged
}

/** Hands out the recorded hashes of `count` chunks from `first`, block by block. */
const forEachBlock = async (
  parts: StagedParts,
  first: number,
  count: number,
  action: (start: number, hashes: Uint8Array) => Promise<void>,
): Promise<void> => {
  for (let start = first; start < first + count; start += HASHES_AT_ONCE) {
    await action(start, await parts.hashes.read(start, Math.min(HASHES_AT_ONCE, first + count - start)))
  }
}

/** Adds to `found` the chunks of a block whose hash is recorded and for which `holds` says yes. */
const findThose = async (
  hashes: Uint8Array,
  start: number,
  found: RangeSet,
  holds: (chunk: number, hash: Uint8Array) => Promise<boolean>,
): Promise<void> => {
  const count = hashes.length / BLAKE3_BYTES
  const answers = new Uint8Array(count)
  await forEachIndex(
    count,
    async (i) => {
      const hash = hashes.subarray(i * BLAKE3_BYTES, (i + 1) * BLAKE3_BYTES)
      if (!isNoHash(hash) && (await holds(start + i, hash))) answers[i] = 1
    },
    READ_CONCURRENCY,
  )
  answers.forEach((answer, i) => {
    if (answer === 1) found.add(start + i, start + i + 1)
  })
}

const hasHash = async (parts: StagedParts, chunk: number, hash: Uint8Array): Promise<boolean> => {
  const { file, offset, length } = parts.plan.locate(chunk)
  const bytes = Buffer.allocUnsafe(length)
  const read = await parts.use(file, (handle) => readUpTo(handle, bytes, length, offset))
  return read === length && equalBytes(blake3Of(bytes), hash)
}

/**
 * BLAKE3 of what a part holds, where `hash` has everything before `offset`; a part that is too short hashes to something
 * else than the sender announced.
 */
export const hashFrom = async (
  parts: StagedParts,
  file: number,
  hash: Blake3Stream,
  offset: number,
): Promise<Uint8Array> => {
  const size = parts.plan.sizeOf(file)
  if (offset === size) return hash.digest()
  return parts.use(file, async (handle) => {
    const step = Math.min(size - offset, READ_BYTES)
    let [front, back] = [Buffer.allocUnsafe(step), Buffer.allocUnsafe(size - offset > step ? step : 0)]
    let position = offset
    let read = readUpTo(handle, front, step, offset)
    while (position < size) {
      const length = await read
      if (length === 0) break
      position += length
      const full = front.subarray(0, length)
      ;[front, back] = [back, front]
      // The next read runs in the thread pool while this thread hashes.
      if (position < size) read = readUpTo(handle, front, Math.min(step, size - position), position)
      hash.update(full)
    }
    return hash.digest()
  })
}
