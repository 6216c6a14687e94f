/** What users see as the state of a transfer and of a receiver: derived from the events, never recorded. */
import type { TransferState } from '@godwit/protocol/api'
import { unreachable } from '@godwit/protocol/assert'
import { countOf } from '@godwit/protocol/rangeSet'
import type { Receiver, Run, Transfer } from './state.js'

/** Whether every chunk that can be delivered is durably at the receiver. */
export const hasAllChunks = (receiver: Receiver, run: Run): boolean =>
  run.contents !== undefined &&
  countOf(receiver.acked) + countOf(receiver.missing?.chunks ?? []) === run.contents.chunkCount

export const countFiles = (receiver: Receiver): number => countOf(receiver.files)

/**
 * The state of one receiver. A lost session brings one that accepted back to `connecting`; one that was offered
 * something and has not answered stays `awaitingAcceptance`, since the answer can be given without a session.
 */
export const stateOfReceiver = (receiver: Receiver, run: Run): TransferState => {
  const { phase } = receiver
  switch (phase.is) {
    case 'joined':
      return 'waitingForPeer'
    case 'inLine':
      return 'waitingInLine'
    case 'admitted':
      return 'connecting'
    case 'offered':
      return 'awaitingAcceptance'
    case 'accepted':
      if (hasAllChunks(receiver, run)) return receiver.waitsFor === undefined ? 'verifying' : 'paused'
      if (receiver.session !== undefined) return 'transferring'
      return receiver.waitsFor === undefined ? 'connecting' : 'paused'
    case 'completed':
      return receiver.missing === undefined ? 'completed' : 'failed'
    case 'declined':
      return 'failed'
    case 'left':
      return phase.reason === 'left' ? 'cancelled' : 'failed'
    default:
      return unreachable(phase)
  }
}

/** A sender does what the furthest of its receivers that are not done does, in this order. */
const FURTHEST_FIRST: readonly TransferState[] = [
  'transferring',
  'verifying',
  'awaitingAcceptance',
  'connecting',
  'paused',
]

/** The state of the whole transfer. */
export const stateOfTransfer = (transfer: Transfer): TransferState => {
  if (transfer.status === 'none') return 'queued'
  if (transfer.status === 'paused' && transfer.reason === 'scheduled') return 'scheduled'
  if (transfer.status === 'paused' && transfer.reason === 'queue') return 'queued'
  // It has ended and will do nothing more, but not as its user wanted.
  if (transfer.status === 'completed' && transfer.missing !== undefined) return 'failed'
  if (transfer.status !== 'active') return transfer.status
  const { run } = transfer
  if (run.room === undefined) return 'queued'
  const states = run.receivers.map((receiver) => stateOfReceiver(receiver, run))
  if (run.role === 'receiver') {
    const own = states[0] ?? 'waitingForPeer'
    if (run.receivers[0]?.phase.is === 'completed') return 'verifying'
    // The events that end a transfer are its own; one that was put out of the room waits to get in again.
    return own === 'failed' || own === 'cancelled' ? 'waitingForPeer' : own
  }
  return FURTHEST_FIRST.find((state) => states.includes(state)) ?? 'waitingForPeer'
}
