/** A transfer's progress in one line of text: what it is doing, how far, how fast, how long, and who. */
import type { ReceiverView, TransferProgress, TransferState } from '@godwit/protocol/api'
import { formatDuration } from '@godwit/protocol/duration'
import { formatBytes, formatRate } from '@godwit/protocol/rate'
import { printable } from './printable.js'

const STATE_TEXT: Readonly<Record<TransferState, string>> = {
  scheduled: 'scheduled',
  queued: 'queued',
  waitingForPeer: 'waiting for the other side',
  waitingInLine: 'waiting in line',
  awaitingAcceptance: 'waiting for the receiver to accept',
  connecting: 'connecting',
  transferring: 'transferring',
  verifying: 'verifying',
  paused: 'paused',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
}

export const stateText = (state: TransferState): string => STATE_TEXT[state]

/** Whole percent, never 100 before the last byte; of nothing, nothing is missing. */
export const percentOf = (bytesDone: number, bytesTotal: number): number =>
  bytesTotal === 0 ? 0 : Math.min(100, Math.floor((bytesDone / bytesTotal) * 100))

const BAR_WIDTH = 20

const bar = (bytesDone: number, bytesTotal: number): string => {
  const filled = bytesTotal === 0 ? 0 : Math.min(BAR_WIDTH, Math.floor((bytesDone / bytesTotal) * BAR_WIDTH))
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`
}

const RECEIVERS_SHOWN = 3

const receiverText = (receiver: ReceiverView, bytesTotal: number): string => {
  const name = receiver.name === '' ? 'a receiver' : printable(receiver.name)
  if (receiver.place !== null) return `${name}: place ${receiver.place} in line`
  if (receiver.state === 'transferring') return `${name}: ${percentOf(receiver.bytesDone, bytesTotal)} %`
  return `${name}: ${stateText(receiver.state)}`
}

/** Who, where it adds something: several receivers, or a place in line. Empty else. */
export const receiversText = (progress: TransferProgress): string => {
  const { receivers, bytesTotal } = progress
  if (receivers.length < 2 && receivers.every(({ place }) => place === null)) return ''
  const shown = receivers.slice(0, RECEIVERS_SHOWN).map((receiver) => receiverText(receiver, bytesTotal))
  const more = receivers.length - shown.length
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

/** The line itself. `hasBar` draws the bar for a terminal. */
export const progressText = (progress: TransferProgress, hasBar: boolean): string => {
  const { state, bytesDone, bytesTotal, rate, etaSeconds } = progress
  const parts = [stateText(state)]
  const isMoving = state === 'transferring' || state === 'verifying' || (state === 'paused' && bytesTotal > 0)
  if (isMoving) {
    if (hasBar) parts.push(bar(bytesDone, bytesTotal))
    parts.push(`${percentOf(bytesDone, bytesTotal)} %`, `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`)
    if (state === 'transferring' && rate > 0) parts.push(formatRate(rate))
    if (state === 'transferring' && etaSeconds !== null) parts.push(`${formatDuration(etaSeconds)} left`)
  }
  const missing = progress.filesMissing ?? 0
  if (missing > 0) parts.push(`${missing} ${missing === 1 ? 'file' : 'files'} missing`)
  // The end has a line of its own.
  const isHeld = state === 'paused' || state === 'scheduled' || state === 'queued'
  if (isHeld && progress.reason != null) parts.push(printable(progress.reason.message))
  const who = receiversText(progress)
  if (who !== '') parts.push(who)
  return parts.join('  ')
}
