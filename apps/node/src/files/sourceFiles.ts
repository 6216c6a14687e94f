/**
 * Reads the files of a sending transfer. A file is what it was when it was scanned, or the read fails: its identity is
 * compared after every read, so that a file that grows, shrinks or is replaced while it is sent
 * never arrives as a mixture. Hashing and read-ahead are left to the caller.
 */
import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { assert } from '@godwit/protocol/assert'
import type { Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import { readUpTo } from './chunkHashes.js'
import { DiskRefusal } from './diskErrors.js'
import { HandlePool } from './handlePool.js'
import { shownPath, sourceFailure } from './sourceErrors.js'

/** Source files open at a time. */
const MAX_OPEN_SOURCES = 64

/** A file to send as it was scanned; plain data, may cross threads and be stored. */
export interface SourceFile {
  /** Absolute. */
  readonly path: string
  readonly sizeBytes: number
  /** See `identityOf`. */
  readonly identity: string
}

/**
 * Device, inode, size, and modification and change time in nanoseconds: equal as long as nobody has touched the file.
 * The change time catches what rewrites a file and sets its modification time back.
 */
export const identityOf = (stats: BigIntStats): string =>
  [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':')

export class SourceFiles {
  readonly #sources: readonly SourceFile[]
  readonly #pool: HandlePool

  /** @param sources - by file number, as `scanSources` made them. */
  constructor(sources: readonly SourceFile[]) {
    this.#sources = sources
    this.#pool = new HandlePool({ max: MAX_OPEN_SOURCES, open: (file) => this.#open(file) })
  }

  /**
   * Reads `length` bytes from byte `offset` of file number `file` to the start of `buffer`, which the caller leaves
   * alone until then. Reads may run at the same time.
   *
   * @returns `length`; or ERR_SOURCE_CHANGED, ERR_PATH_UNREADABLE, ERR_DISK_IO: the buffer then holds nothing of use.
   */
  async read(file: number, offset: number, buffer: Uint8Array, length: number): Promise<Result<number>> {
    const source = this.#source(file)
    assert(offset >= 0 && offset + length <= source.sizeBytes, 'a read stays within the file')
    assert(length <= buffer.length, 'a read fits its buffer')
    try {
      return ok(await this.#pool.use(file, (handle) => readWhole(handle, source, offset, buffer, length)))
    } catch (error) {
      return { ok: false, failure: sourceFailure(error, source.path, 'ERR_SOURCE_CHANGED') }
    }
  }

  /** Closes all files. No read may be under way. */
  async closeAll(): Promise<void> {
    await this.#pool.closeAll()
  }

  #open(file: number): Promise<FileHandle> {
    // NONBLOCK: a pipe put in the file's place must not hang the open.
    return open(this.#source(file).path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  }

  #source(file: number): SourceFile {
    const source = this.#sources[file]
    assert(source !== undefined, 'the file is one of the transfer')
    return source
  }
}

const readWhole = async (
  handle: FileHandle,
  source: SourceFile,
  offset: number,
  buffer: Uint8Array,
  length: number,
): Promise<number> => {
  let done = 0
  let readError: { readonly error: unknown } | undefined
  try {
    done = await readUpTo(handle, buffer, length, offset)
  } catch (error) {
    readError = { error }
  }
  // After the read: what was read is the scanned file only if nobody has written until now. Before its error: a pipe or
  // a folder in the file's place fails to be read, and that is a change.
  const isUnchanged = identityOf(await handle.stat({ bigint: true })) === source.identity
  if (isUnchanged && readError !== undefined) throw readError.error
  if (!isUnchanged || done < length) throw new DiskRefusal('ERR_SOURCE_CHANGED', shownPath(source.path))
  return done
}
