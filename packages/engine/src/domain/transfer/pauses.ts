/** Failures that are no end: the transfer pauses, and goes on by itself when what failed works again. */
import type { ErrorCode } from '@godwit/protocol/errors'
import type { PauseReason } from './state.js'

/** The pause that a failure means; undefined for one that ends the transfer. */
export const pauseReasonOf = (code: ErrorCode): PauseReason | undefined => {
  switch (code) {
    case 'ERR_DISK_FULL':
      return 'diskFull'
    case 'ERR_DISK_IO':
    case 'ERR_OUTPUT_MISSING':
    case 'ERR_OUTPUT_UNWRITABLE':
      return 'disk'
    default:
      return undefined
  }
}
