/** The decisions about one receiver: pairing, sessions, the offer and its answer, its completion. */
import { unreachable } from '@godwit/protocol/assert'
import { MANIFEST_MAX_ENTRIES, TRANSFER_MAX_BYTES } from '@godwit/protocol/limits'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { accept, type Decision, reject } from '../decider.js'
import type { TransferCommand } from './commands.js'
import { completed, isComplete } from './decideEnd.js'
import type { KnownTransfer, Receiver, ReceiverPhase, Run } from './state.js'
import { receiverOf } from './state.js'
import { hasAllChunks } from './states.js'

type ReceiverCommand = Extract<
  TransferCommand,
  {
    type: 'pair' | 'openSession' | 'changeSession' | 'loseSession' | 'offer' | 'accept' | 'decline' | 'completeReceiver'
  }
>
type CommandOf<T extends ReceiverCommand['type']> = Extract<ReceiverCommand, { type: T }>
type TransferDecision = Decision<TransferEvent>

const refusal = (): TransferDecision => reject('ERR_TRANSFER_STATE')

export const decideReceiver = (command: ReceiverCommand, transfer: KnownTransfer): TransferDecision => {
  const { run, status } = transfer
  const receiver = receiverOf(run, command.receiver)
  if (receiver === undefined) return refusal()
  const isActive = status === 'active'
  switch (command.type) {
    case 'pair': {
      // What was under way when the user paused is still a fact.
      if (!isActive && status !== 'paused') return refusal()
      return pair(command, receiver)
    }
    case 'openSession':
      return isActive ? openSession(command, receiver) : refusal()
    case 'changeSession':
      return changeSession(command, receiver)
    case 'loseSession': {
      const { receiver: id, session, reason } = command
      const isRunning = receiver.session?.number === session
      return isRunning ? accept({ type: 'SessionLost', data: { receiver: id, session, reason } }) : accept()
    }
    case 'offer':
      return isActive ? offer(command, run, receiver) : refusal()
    case 'accept':
      if (hasAccepted(receiver.phase)) return accept()
      if (!isActive || receiver.phase.is !== 'offered') return refusal()
      return accept({ type: 'Accepted', data: { receiver: receiver.id } })
    case 'decline':
      return decline(receiver, transfer)
    case 'completeReceiver':
      return completeReceiver(command, receiver, transfer)
    default:
      return unreachable(command)
  }
}

const isGone = ({ is }: ReceiverPhase): boolean => is === 'left' || is === 'declined'

const hasAccepted = ({ is }: ReceiverPhase): boolean => is === 'accepted' || is === 'completed'

const pair = ({ receiver: id, name }: CommandOf<'pair'>, { name: known, phase }: Receiver): TransferDecision => {
  if (isGone(phase)) return refusal()
  const isPaired = phase.is !== 'joined' && phase.is !== 'inLine' && known === name && name !== ''
  return isPaired ? accept() : accept({ type: 'PeerPaired', data: { receiver: id, name } })
}

const openSession = (command: CommandOf<'openSession'>, { phase, sessionCount }: Receiver): TransferDecision => {
  if (isGone(phase) || phase.is === 'joined' || phase.is === 'inLine') return refusal()
  const { type: _, ...data } = command
  return accept({ type: 'SessionOpened', data: { ...data, session: sessionCount + 1 } })
}

/** Only the session that runs has a shape. */
const changeSession = ({ type: _, ...data }: CommandOf<'changeSession'>, { session }: Receiver): TransferDecision => {
  if (session?.number !== data.session) return accept()
  const isSame =
    session.path === data.path &&
    session.mtu === data.mtu &&
    session.trains === data.trains &&
    session.lanes === data.lanes
  return isSame ? accept() : accept({ type: 'SessionChanged', data })
}

const offer = ({ type: _, ...data }: CommandOf<'offer'>, run: Run, { phase }: Receiver): TransferDecision => {
  const { fileCount, totalBytes, chunkCount } = data
  if (fileCount > MANIFEST_MAX_ENTRIES || totalBytes > TRANSFER_MAX_BYTES || chunkCount > totalBytes) {
    return reject('ERR_PEER_PROTOCOL')
  }
  const { contents } = run
  const isKnown = contents !== undefined
  const isSame =
    isKnown &&
    contents.fileCount === fileCount &&
    contents.totalBytes === totalBytes &&
    contents.chunkCount === chunkCount
  // What was offered once does not change under a receiver that answered, or under the chunks that it has.
  if (isKnown && !isSame) return reject(run.role === 'receiver' ? 'ERR_PEER_PROTOCOL' : 'ERR_TRANSFER_STATE')
  if (phase.is === 'offered' || hasAccepted(phase)) return accept()
  return phase.is === 'admitted' ? accept({ type: 'Offered', data }) : refusal()
}

/** A receiver that declines has ended its transfer; a sender goes on waiting for others. */
const decline = (receiver: Receiver, { run, status }: KnownTransfer): TransferDecision => {
  if (receiver.phase.is === 'declined') return accept()
  const isUnfinished = status === 'active' || status === 'paused'
  if (!isUnfinished || receiver.phase.is !== 'offered') return refusal()
  const declined: TransferEvent = { type: 'Declined', data: { receiver: receiver.id } }
  if (run.role === 'sender') return accept(declined)
  return accept<TransferEvent>(declined, { type: 'TransferFailed', data: { code: 'ERR_DECLINED', detail: null } })
}

const completeReceiver = (
  { receiver: id, bytes, seconds }: CommandOf<'completeReceiver'>,
  receiver: Receiver,
  { run, status }: KnownTransfer,
): TransferDecision => {
  if (receiver.phase.is === 'completed') return accept()
  // A pause may come while the last file is being given its name: what is done is done.
  const isUnfinished = status === 'active' || status === 'paused'
  if (!isUnfinished || receiver.phase.is !== 'accepted' || !hasAllChunks(receiver, run)) return refusal()
  const events: TransferEvent[] = [{ type: 'ReceiverCompleted', data: { receiver: id, bytes, seconds } }]
  const done: Receiver = { ...receiver, phase: { is: 'completed', bytes, seconds } }
  const receivers = run.receivers.map((other) => (other.id === id ? done : other))
  if (isComplete(run, receivers)) events.push(completed(run, receivers, seconds))
  return accept(...events)
}
