/** Small durable steps on a directory: what they wrote survives a crash of the machine when they resolve. */
import { constants } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { failedWith } from './diskErrors.js'

/** Makes a directory's entries durable. Where a file system knows no such thing it orders them itself. */
export const syncDir = async (path: string): Promise<void> => {
  // A link is followed: the user's output folder may be one, and in the staging folder there are none.
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } catch (error) {
    if (!failedWith(error, 'EINVAL', 'ENOTSUP', 'EISDIR', 'EBADF')) throw error
  } finally {
    await handle.close()
  }
}

/**
 * Runs what sets a mode or a time of something of ours. File systems without such things (FAT) refuse it even to the
 * owner; a file is not worth less for that.
 */
export const whereKnown = async (set: () => Promise<void>): Promise<void> => {
  try {
    await set()
  } catch (error) {
    if (!failedWith(error, 'EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
  }
}

/** Makes a directory for this user only, unless it is there; what contains it must be there. */
export const makeDir = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
}

/** Writes `dir/name` whole or not at all: a temporary file, fsync, rename, fsync of the directory. */
export const writeRecord = async (dir: string, name: string, bytes: Uint8Array): Promise<void> => {
  const temporary = join(dir, `${name}.new`)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
  const handle = await open(temporary, flags, 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, join(dir, name))
  await syncDir(dir)
}
