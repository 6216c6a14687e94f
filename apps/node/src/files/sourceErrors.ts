/** What the operating system says about a source, as failures of the error table. */

import { displayName } from '@godwit/protocol/displayName'
import type { Failure } from '@godwit/protocol/errors'
import { DiskRefusal, isSystemError } from './diskErrors.js'

/** A path as messages show it: whole, with everything escaped that is not visible. */
export const shownPath = (path: string): string => displayName(path, 4096)

/**
 * The failure that an error of a system call on the source `path` means; other errors are thrown on.
 *
 * @param whenGone - what a path that is not there means: a typing error while it is looked for, a change later.
 */
export const sourceFailure = (
  error: unknown,
  path: string,
  whenGone: 'ERR_PATH_NOT_FOUND' | 'ERR_SOURCE_CHANGED',
): Failure => {
  if (error instanceof DiskRefusal) return error.failure
  if (!isSystemError(error)) throw error
  const detail = shownPath(path)
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return { code: whenGone, detail }
    // A symbolic link stands where a file was.
    case 'ELOOP':
      return { code: whenGone === 'ERR_SOURCE_CHANGED' ? whenGone : 'ERR_PATH_UNREADABLE', detail }
    case 'EACCES':
    case 'EPERM':
      return { code: 'ERR_PATH_UNREADABLE', detail }
    case 'ENAMETOOLONG':
      return { code: 'ERR_PATH_NOT_FOUND', detail }
    default:
      return { code: 'ERR_DISK_IO', detail: `${detail} (${error.code})` }
  }
}
