/** Whether a folder can take a transfer: it is there, it may be written, and there is room. */
import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { FREE_SPACE_MARGIN_BYTES } from '@godwit/protocol/limits'
import { attempt, failedWith } from './diskErrors.js'
import { shownPath } from './sourceErrors.js'

/** ERR_OUTPUT_MISSING where `outputDir` is no folder, ERR_OUTPUT_UNWRITABLE where this user cannot write into it. */
export const checkOutputDir = async (outputDir: string): Promise<Result<void>> => {
  try {
    const stats = await stat(outputDir)
    if (!stats.isDirectory()) return fail('ERR_OUTPUT_MISSING', shownPath(outputDir))
    await access(outputDir, constants.W_OK | constants.X_OK)
    return ok(undefined)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) {
      return fail('ERR_OUTPUT_MISSING', shownPath(outputDir))
    }
    if (failedWith(error, 'EACCES', 'EPERM', 'EROFS')) return fail('ERR_OUTPUT_UNWRITABLE', shownPath(outputDir))
    return attempt(`looking at ${shownPath(outputDir)}`, () => Promise.reject(error))
  }
}

export interface SpaceNeed {
  /** Bytes still to be written. */
  readonly bytes: number
  /** Files still to be made: each may waste most of a block. */
  readonly files: number
}

/**
 * ERR_DISK_FULL, saying how many bytes are missing, unless the file system of `outputDir` has room for the bytes, 5 %
 * more for its own records, a block a file and FREE_SPACE_MARGIN_BYTES.
 */
export const checkDiskSpace = async (outputDir: string, need: SpaceNeed): Promise<Result<void>> => {
  const result = await attempt(`looking at the free space of ${shownPath(outputDir)}`, () => statfs(outputDir))
  if (!result.ok) return result
  const { bavail, blocks, bsize } = result.value
  // File systems without a size of their own (some in user space) say 0; then only writing will tell.
  if (blocks === 0) return ok(undefined)
  const missing = Math.ceil(need.bytes * 1.05) + need.files * bsize + FREE_SPACE_MARGIN_BYTES - bavail * bsize
  if (missing <= 0) return ok(undefined)
  return fail('ERR_DISK_FULL', `${missing} bytes are missing in ${shownPath(outputDir)}`)
}
