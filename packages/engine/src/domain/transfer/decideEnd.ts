/** The decisions about a transfer as a whole: pausing, failing, trying again, cancelling, completing. */
import { unreachable } from '@godwit/protocol/assert'
import { ERRORS, type ErrorCode } from '@godwit/protocol/errors'
import { countOf, RangeSet } from '@godwit/protocol/rangeSet'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { accept, type Decision, reject } from '../decider.js'
import type { TransferCommand } from './commands.js'
import { pauseReasonOf } from './pauses.js'
import type { KnownTransfer, MissingFiles, PauseReason, Receiver, Run } from './state.js'

type EndCommand = Extract<TransferCommand, { type: 'pause' | 'resume' | 'fail' | 'retry' | 'cancel' | 'complete' }>

/** Characters of a failure's detail that are kept. */
const DETAIL_MAX_LENGTH = 512

const refusal = (): Decision<TransferEvent> => reject('ERR_TRANSFER_STATE')

export const decideEnd = (command: EndCommand, transfer: KnownTransfer): Decision<TransferEvent> => {
  const { status } = transfer
  const isUnfinished = status === 'active' || status === 'paused'
  switch (command.type) {
    case 'pause': {
      if (!isUnfinished) return refusal()
      const { reason, by } = command
      // The user's pause goes over any other and is not lifted by what lifts the others.
      const isOver = status === 'paused' && (transfer.reason === reason || reason !== 'user')
      return isOver ? accept() : accept({ type: 'Paused', data: { reason, by } })
    }
    case 'resume': {
      if (!isUnfinished) return refusal()
      const isMeant = status === 'paused' && (command.reasons?.includes(transfer.reason) ?? true)
      return isMeant ? accept({ type: 'Resumed', data: { by: command.by } }) : accept()
    }
    case 'fail': {
      if (status === 'failed') return accept()
      if (!isUnfinished) return refusal()
      const detail = command.detail?.slice(0, DETAIL_MAX_LENGTH) ?? null
      const reason = pauseInstead(command.code, transfer.run)
      if (reason !== undefined) {
        // What the user or the clock holds meets nothing worse than that.
        if (status === 'paused') return accept()
        return accept({ type: 'Paused', data: { reason, by: 'node', failure: { code: command.code, detail } } })
      }
      return accept({ type: 'TransferFailed', data: { code: command.code, detail } })
    }
    case 'retry':
      if (status === 'completed' && transfer.missing !== undefined) {
        return reject('ERR_TRANSFER_STATE', 'all that could be sent has arrived; send the files that are missing anew')
      }
      if (status !== 'failed') return refusal()
      // The two sides have parted: the room is left or closed, and what was staged is gone.
      if (!ERRORS[transfer.code].isRetryable) return reject('ERR_TRANSFER_STATE', 'it has failed for good')
      return accept({ type: 'TransferRetried', data: { by: command.by } })
    case 'cancel':
      if (status === 'cancelled') return accept()
      return isUnfinished ? accept({ type: 'TransferCancelled', data: { by: command.by } }) : refusal()
    case 'complete': {
      if (status === 'completed') return accept()
      const { recordedBytes, recordedMissing: missing, seconds } = command
      if (!isUnfinished) return refusal()
      if (recordedBytes !== undefined)
        return accept({
          type: 'TransferCompleted',
          data: { bytes: recordedBytes, seconds, ...(missing === undefined ? {} : { missing }) },
        })
      if (!isComplete(transfer.run, transfer.run.receivers)) return refusal()
      return accept(completed(transfer.run, transfer.run.receivers, seconds))
    }
    default:
      return unreachable(command)
  }
}

/**
 * What is a pause and not an end: a disk that cannot take or give data now, and with a deadline everything that can be
 * mended. Past its deadline a transfer fails.
 */
const pauseInstead = (code: ErrorCode, run: Run): PauseReason | undefined => {
  if (code === 'ERR_DEADLINE') return undefined
  const reason = pauseReasonOf(code)
  if (reason !== undefined) return reason
  return run.schedule.deadline !== null && ERRORS[code].isRetryable ? 'retry' : undefined
}

/** Whether as many receivers have everything as were wanted; a receiver is done when it has everything itself. */
export const isComplete = (run: Run, receivers: readonly Receiver[]): boolean => {
  const wanted = run.role === 'sender' ? run.receiversWanted : 1
  return receivers.filter(({ phase }) => phase.is === 'completed').length >= wanted
}

/** The end of a transfer whose wanted receivers are done: with all of it, or with all that could be delivered. */
export const completed = (run: Run, receivers: readonly Receiver[], seconds: number): TransferEvent => {
  const total = run.contents?.totalBytes ?? 0
  const done = receivers.filter(({ phase }) => phase.is === 'completed')
  const missing = missingOf(done)
  if (missing === undefined) return { type: 'TransferCompleted', data: { bytes: total, seconds } }
  const { files, bytes, code } = missing
  return {
    type: 'TransferCompleted',
    data: { bytes: total - bytes, seconds, missing: { files: countOf(files), code } },
  }
}

/**
 * Files that at least one of the receivers does not get; undefined where there are none. `bytes` are those of the
 * receiver that misses most.
 */
export const missingOf = (receivers: readonly (Receiver | undefined)[]): Omit<MissingFiles, 'chunks'> | undefined => {
  const files = new RangeSet()
  let bytes = 0
  let code: ErrorCode | undefined
  for (const receiver of receivers) {
    const missing = receiver?.missing
    if (missing === undefined) continue
    files.addPairs(missing.files)
    bytes = Math.max(bytes, missing.bytes)
    code = missing.code
  }
  return code === undefined ? undefined : { files: files.toPairs(), bytes, code }
}
