/**
 * Cursors of the API's event streams: ids of the log's own events, `<transferId>.<version>`. A cursor says that
 * everything up to and including this version has been delivered; version 0 says that nothing has.
 */

import type { WatchLine } from '@godwit/protocol/api'
import { eventIdOf, parseEventId } from '@godwit/protocol/events'

/** The version that a client has seen; undefined when the cursor is not one of this transfer's. */
export const versionOfCursor = (transferId: string, cursor: string | undefined): number | undefined => {
  if (cursor === undefined || cursor === eventIdOf(transferId, 0)) return 0
  const parsed = parseEventId(cursor)
  return parsed?.streamId === transferId ? parsed.version : undefined
}

/**
 * The cursor of a line of `watch`. Several lines may stem from one version and it is not known which is its last, so a
 * line confirms the version before its own only: after a reconnect the lines of one version may come again, and none is
 * lost. The line that ends a transfer is the last of all and confirms its own.
 */
export const cursorOfLine = (transferId: string, version: number, line: WatchLine): string => {
  const isLast = line.type === 'transfer.completed' || line.type === 'transfer.failed'
  return eventIdOf(transferId, isLast ? version : Math.max(0, version - 1))
}
