/** Watching one transfer: its progress at most four times a second, who has paired, its offer, its end; nothing is missed. */

import { stateOfTransfer } from '@godwit/engine/domain/transfer/states'
import {
  foldTransfer,
  initialTransferProjection,
  type TransferProjection,
} from '@godwit/engine/projections/transferProjection'
import { progressOf } from '@godwit/engine/projections/transferView'
import { messageOf } from '@godwit/protocol/errors'
import { PROGRESS_PER_SECOND_MAX } from '@godwit/protocol/limits'
import type { TransferRecords } from '../records/transferRecord.js'
import type { WatchedLine } from '../service.js'
import { lastLineOf, offeredLineOf, pairedLinesOf } from './lines.js'
import type { TransferLog } from './transferLog.js'

const PROGRESS_EVERY_MS = 1000 / PROGRESS_PER_SECOND_MAX
/** Milliseconds between looks whether the log is still the one that is followed: one that was lost is built again. */
const LOOK_EVERY_MS = 1000

export async function* watchTransfer(
  log: TransferLog,
  records: TransferRecords,
  transferId: string,
  fromVersion: number,
  signal: AbortSignal,
): AsyncGenerator<WatchedLine, void, undefined> {
  let projection = (await log.read(transferId)) ?? initialTransferProjection
  if (projection.version === 0) {
    const failure = { code: 'ERR_TRANSFER_NOT_FOUND' } as const
    const line = { type: 'transfer.failed', transferId, code: failure.code, message: messageOf(failure) } as const
    yield { version: fromVersion, line }
    return
  }
  let stopping = new AbortController()
  const stop = (): void => stopping.abort()
  signal.addEventListener('abort', stop, { once: true })
  const follow = () => log.events.follow(transferId, projection.version + 1, stopping.signal)[Symbol.asyncIterator]()
  let events = follow()
  let lookAtMs = performance.now() + LOOK_EVERY_MS
  let shownVersion = 0
  let shownAtMs = Number.NEGATIVE_INFINITY
  let hasOffered = false
  const wordsTold = new Map<string, string>()
  let next = events.next()
  try {
    while (!signal.aborted) {
      const { version } = projection
      for (const line of pairedLinesOf(projection, records)) {
        if (wordsTold.get(line.receiver) === line.verification) continue
        wordsTold.set(line.receiver, line.verification)
        yield { version, line }
      }
      if (version > shownVersion && performance.now() - shownAtMs >= PROGRESS_EVERY_MS) {
        shownVersion = version
        shownAtMs = performance.now()
        yield { version, line: progressOf(projection) }
      }
      const isReceiver = projection.transfer.status !== 'none' && projection.transfer.run.role === 'receiver'
      if (!hasOffered && isReceiver && stateOfTransfer(projection.transfer) === 'awaitingAcceptance') {
        hasOffered = true
        yield { version, line: offeredLineOf(projection, records) }
      }
      const last = lastLineOf(projection, records)
      if (last !== undefined) {
        if (version > shownVersion) yield { version, line: progressOf(projection) }
        yield { version, line: last }
        return
      }
      // Either another event comes, or progress that was held back is due.
      const waitMs = version > shownVersion ? shownAtMs + PROGRESS_EVERY_MS - performance.now() : undefined
      const untilLookMs = lookAtMs - performance.now()
      const came = await orLater(next, waitMs === undefined ? untilLookMs : Math.min(waitMs, untilLookMs))
      if (performance.now() >= lookAtMs) {
        lookAtMs = performance.now() + LOOK_EVERY_MS
        const now = await log.read(transferId)
        if (now !== undefined && isAnother(projection, now)) {
          stopping.abort()
          await next.catch(() => undefined)
          stopping = new AbortController()
          projection = now
          shownVersion = 0
          events = follow()
          next = events.next()
          continue
        }
      }
      if (came === undefined) continue
      if (came.done === true) return
      projection = foldTransfer(projection, came.value)
      next = events.next()
    }
  } finally {
    signal.removeEventListener('abort', stop)
    stopping.abort()
    // What was asked for last ends with the follower.
    await next.catch(() => undefined)
  }
}

/** Whether the stream is not the one any more that was followed until now. */
const isAnother = (followed: TransferProjection, now: TransferProjection): boolean =>
  now.version < followed.version || now.createdAt !== followed.createdAt

/** What `promise` yields, or undefined after `waitMs`. */
const orLater = async <T>(promise: Promise<T>, waitMs: number | undefined): Promise<T | undefined> => {
  if (waitMs === undefined) return promise
  let timer: NodeJS.Timeout | undefined
  const later = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, waitMs))
  })
  try {
    return await Promise.race([promise, later])
  } finally {
    clearTimeout(timer)
  }
}
