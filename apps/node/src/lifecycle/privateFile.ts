/** Small files that only this user may read, replaced at once and never half written. */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes `content` to `path` with mode 0600: a new file beside it, fsync, rename, fsync of the folder. When it returns,
 * the file survives a crash of the machine; when it throws the system's error, what was there before still is.
 */
export const writePrivateFile = (path: string, content: string | Uint8Array): void => {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    const fd = openSync(draft, 'wx', 0o600)
    try {
      // Not writeSync: on a disk that is nearly full it writes a part and calls that a success.
      writeFileSync(fd, content)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/**
 * Makes the entries of a folder durable: a file or folder that was made in it is there after a power cut. Not every system
 * can fsync a folder (Windows: EPERM): then they are as durable as it gets.
 */
export const syncFolder = (folder: string): void => {
  try {
    const fd = openSync(folder, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EPERM' && code !== 'EISDIR' && code !== 'EINVAL' && code !== 'EACCES') throw error
  }
}
