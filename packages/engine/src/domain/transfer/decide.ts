/**
 * What a command leads to. A command that changes nothing (it was done before) gives no events; one that the state does
 * not allow is rejected with ERR_TRANSFER_STATE; what a peer may not say is rejected with ERR_PEER_PROTOCOL. After its
 * end a transfer takes no facts any more: late ones give no events.
 */
import { unreachable } from '@godwit/protocol/assert'
import { ROOM_MAX_JOINS } from '@godwit/protocol/limits'
import { PRIORITY_DEFAULT, type Schedule, UNSCHEDULED } from '@godwit/protocol/schedule'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { accept, type Decision, reject } from '../decider.js'
import type { TransferCommand } from './commands.js'
import { ackChunks, completeFiles, failFiles, rejectChunks, requestRetransmit } from './decideChunks.js'
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
    case 'changePriority':
      return hasEnded(transfer) ? accept() : decideRoom(command, transfer.run)
    case 'changeSchedule':
      // Also of one that failed: a retry then has another deadline.
      return changeSchedule(command, transfer)
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
    case 'failFiles':
      return failFiles(command, transfer)
    default:
      return unreachable(command)
  }
}

/** Whether nothing but a retry can follow. */
export const hasEnded = ({ status }: KnownTransfer): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled'

type CommandOf<T extends TransferCommand['type']> = Extract<TransferCommand, { type: T }>

const enqueue = (command: CommandOf<'enqueue'>, transfer: Transfer): TransferDecision => {
  const { type: _, priority = PRIORITY_DEFAULT, schedule = UNSCHEDULED, by = 'user', ...data } = command
  if (transfer.status === 'none') {
    // In one append: no crash leaves it to run before its time.
    const events: TransferEvent[] = [{ type: 'TransferEnqueued', data }]
    if (priority !== PRIORITY_DEFAULT) events.push({ type: 'PriorityChanged', data: { priority, by } })
    if (!isSameSchedule(schedule, UNSCHEDULED)) events.push({ type: 'ScheduleChanged', data: { schedule, by } })
    return accept(...events)
  }
  const isSame = transfer.run.submissionId === data.submissionId && transfer.run.role === data.role
  return isSame ? accept() : reject('ERR_SUBMISSION_CONFLICT')
}

const isSameSchedule = (one: Schedule, other: Schedule): boolean =>
  one.startAt === other.startAt &&
  one.deadline === other.deadline &&
  one.window?.fromMinute === other.window?.fromMinute &&
  one.window?.toMinute === other.window?.toMinute

const changeSchedule = (
  { schedule, by }: CommandOf<'changeSchedule'>,
  { status, run }: KnownTransfer,
): TransferDecision => {
  if (run.role === 'receiver' || status === 'completed' || status === 'cancelled') return reject('ERR_TRANSFER_STATE')
  if (isSameSchedule(schedule, run.schedule)) return accept()
  return accept({ type: 'ScheduleChanged', data: { schedule, by } })
}

const decideRoom = (
  command: CommandOf<'enterRoom' | 'mirrorRoomEvent' | 'guessFailed' | 'changeLimit' | 'changePriority'>,
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
    case 'changePriority': {
      const { priority, by } = command
      return priority === run.priority ? accept() : accept({ type: 'PriorityChanged', data: { priority, by } })
    }
    default:
      return unreachable(command)
  }
}
