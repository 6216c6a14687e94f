/**
 * Reads the files of a sending transfer. A file is what it was when it was scanned, or the read fails: its identity is
 * compared when it is opened and after every read, so that a file that grows, shrinks or is replaced while it is sent
 * never arrives as a mixture. Hashing and read-ahead are left to the caller.
 */
import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { assert } from '@godwit/protocol/assert'
import type { Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
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

  async #open(file: number): Promise<FileHandle> {
    const source = this.#source(file)
    // NONBLOCK: a pipe put in the file's place must not hang the open.
    const handle = await open(source.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      await checkIdentity(handle, source)
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
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
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, offset + done)
    if (bytesRead === 0) throw new DiskRefusal('ERR_SOURCE_CHANGED', shownPath(source.path))
    done += bytesRead
  }
  // After the read: what was read is the scanned file only if nobody has written until now.
  await checkIdentity(handle, source)
  return done
}

const checkIdentity = async (handle: FileHandle, source: SourceFile): Promise<void> => {
  const stats = await handle.stat({ bigint: true })
  if (identityOf(stats) !== source.identity) throw new DiskRefusal('ERR_SOURCE_CHANGED', shownPath(source.path))
}
