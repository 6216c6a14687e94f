/**
 * What a command leads to. A command that changes nothing (it was done before) gives no events; one that the state does
 * not allow is rejected with ERR_TRANSFER_STATE; what a peer may not say is rejected with ERR_PEER_PROTOCOL. After its
 * end a transfer takes no facts any more: late ones give no events.
 */
import { unreachable } from '@godwit/protocol/assert'
import { ROOM_MAX_JOINS } from '@godwit/protocol/limits'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { accept, type Decision, reject } from '../decider.js'
import type { TransferCommand } from './commands.js'
import { ackChunks, completeFiles, rejectChunks, requestRetransmit } from './decideChunks.js'
import { decideEnd } from './decideEnd.js'
import { decideReceiver } from './decideReceiver.js'
import type { KnownTransfer, Run, Transfer } from './state.js'
import { receiverOf } from './state.js'

export type TransferDecision = Decision<TransferEvent>

export const decide = (command: TransferCommand, transfer: Transfer): TransferDecision => {
  if (command.type === 'enqueue') return enqueue(command, transfer)
  if (transfer.status === 'none') return reject('ERR_TRANSFER_NOT_FOUND')
  switch (command.type) {
    case 'pause':
    case 'resume':
    case 'fail':
    case 'retry':
    case 'cancel':
    case 'complete':
      return decideEnd(command, transfer)
    case 'enterRoom':
    case 'mirrorRoomEvent':
    case 'guessFailed':
    case 'changeLimit':
      return hasEnded(transfer) ? accept() : decideRoom(command, transfer.run)
    case 'changeSession':
    case 'loseSession':
      return hasEnded(transfer) ? accept() : decideReceiver(command, transfer)
    case 'pair':
    case 'openSession':
    case 'offer':
    case 'accept':
    case 'decline':
    case 'completeReceiver':
      return decideReceiver(command, transfer)
    case 'ackChunks':
      return ackChunks(command, transfer)
    case 'rejectChunks':
      return rejectChunks(command, transfer)
    case 'requestRetransmit':
      return requestRetransmit(command, transfer)
    case 'completeFiles':
      return completeFiles(command, transfer)
    default:
      return unreachable(command)
  }
}

/** Whether nothing but a retry can follow. */
export const hasEnded = ({ status }: KnownTransfer): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled'

type CommandOf<T extends TransferCommand['type']> = Extract<TransferCommand, { type: T }>

const enqueue = ({ type: _, ...data }: CommandOf<'enqueue'>, transfer: Transfer): TransferDecision => {
  if (transfer.status === 'none') return accept({ type: 'TransferEnqueued', data })
  const isSame = transfer.run.submissionId === data.submissionId && transfer.run.role === data.role
  return isSame ? accept() : reject('ERR_SUBMISSION_CONFLICT')
}

const decideRoom = (
  command: CommandOf<'enterRoom' | 'mirrorRoomEvent' | 'guessFailed' | 'changeLimit'>,
  run: Run,
): TransferDecision => {
  switch (command.type) {
    case 'enterRoom': {
      const { type: _, ...data } = command
      const { room } = run
      const isSame =
        data.isAnother !== true &&
        room?.roomId === data.roomId &&
        room.nameplate === data.nameplate &&
        room.receiver === data.receiver &&
        room.rendezvousUrl === data.rendezvousUrl &&
        room.advertise === data.advertise
      return isSame ? accept() : accept({ type: 'RoomEntered', data })
    }
    case 'mirrorRoomEvent': {
      const { event } = command
      if (run.room === undefined) return reject('ERR_TRANSFER_STATE')
      if (event.data.roomVersion <= run.room.mirroredVersion) return accept()
      // A receiver sees others in its room, which do not concern it.
      const isOther =
        run.role === 'receiver' && event.type !== 'RoomClosed' && event.data.receiver !== run.room.receiver
      if (isOther) return accept()
      const isNew = event.type !== 'RoomClosed' && receiverOf(run, event.data.receiver) === undefined
      // A rendezvous that keeps to its own limits never gets there.
      return isNew && run.receivers.length >= ROOM_MAX_JOINS ? reject('ERR_PEER_PROTOCOL') : accept(event)
    }
    case 'guessFailed': {
      const { receiver, guessesLeft } = command
      const guess: TransferEvent = { type: 'GuessFailed', data: { receiver, guessesLeft } }
      // In one append: no crash leaves a room open whose guesses are used up.
      const isLast = guessesLeft === 0 && run.room?.isLocked === false
      return isLast ? accept<TransferEvent>(guess, { type: 'RoomLocked', data: {} }) : accept(guess)
    }
    case 'changeLimit': {
      const { limit, by } = command
      return limit === run.limit ? accept() : accept({ type: 'LimitChanged', data: { limit, by } })
    }
    default:
      return unreachable(command)
  }
}
