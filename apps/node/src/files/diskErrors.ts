/**
 * What the operating system says, as failures of the error table. Receiving side; reading sources has its own table in
 * `sourceErrors`. Errors that no system call made are bugs and pass through.
 */
import type { ErrorCode, Failure, Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'

/** Carries a failure out of nested callbacks; `attempt` turns it back into a value. Never leaves `files/`. */
export class DiskRefusal extends Error {
  override readonly name = 'DiskRefusal'
  readonly failure: Failure

  constructor(code: ErrorCode, detail?: string) {
    super(code)
    this.failure = detail === undefined ? { code } : { code, detail }
  }
}

interface SystemError extends Error {
  readonly code: string
  readonly syscall: string
}

/** Whether a system call failed (as opposed to an argument that Node refused: a bug). */
export const isSystemError = (error: unknown): error is SystemError =>
  error instanceof Error &&
  'syscall' in error &&
  'code' in error &&
  typeof error.code === 'string' &&
  typeof error.syscall === 'string'

/** Whether a system call failed with one of these codes ("ENOENT"). */
export const failedWith = (error: unknown, ...codes: readonly string[]): boolean =>
  isSystemError(error) && codes.includes(error.code)

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'ERR_DISK_FULL',
  EDQUOT: 'ERR_DISK_FULL',
  EROFS: 'ERR_OUTPUT_UNWRITABLE',
  EACCES: 'ERR_OUTPUT_UNWRITABLE',
  EPERM: 'ERR_OUTPUT_UNWRITABLE',
  // A symbolic link where we never make one, and a file larger than the file system holds (4 GiB on FAT).
  ELOOP: 'ERR_OUTPUT_UNWRITABLE',
  EFBIG: 'ERR_OUTPUT_UNWRITABLE',
  ENOENT: 'ERR_OUTPUT_MISSING',
  ENOTDIR: 'ERR_OUTPUT_MISSING',
}

/** The failure that an error of the receiving disk means; what is not a system call's error is thrown on. */
export const diskFailure = (error: unknown, doing: string): Failure => {
  if (error instanceof DiskRefusal) return error.failure
  if (!isSystemError(error)) throw error
  return { code: CODES[error.code] ?? 'ERR_DISK_IO', detail: `${doing} failed (${error.code})` }
}

/** Runs `action`; `doing` ("writing the received data") begins the detail of a failure. */
export const attempt = async <T>(doing: string, action: () => Promise<T>): Promise<Result<T>> => {
  try {
    return ok(await action())
  } catch (error) {
    return { ok: false, failure: diskFailure(error, doing) }
  }
}
