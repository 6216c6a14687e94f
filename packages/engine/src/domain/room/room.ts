/**
 * The room's decider: who may join, who waits, who is admitted. The sender's node owns the room and is the authority on
 * admission and guesses; the rendezvous runs this decider over the room's stream. A repeated command gives no events.
 *
 * A joiner takes a slot while one is free and nobody waits; otherwise it stands in line. Slots are held by receivers
 * that were admitted and by those who joined and are about to be, so a second joiner is told its place at once.
 */
import { assert } from '@godwit/protocol/assert'
import { ROOM_MAX_JOINS, ROOM_MAX_LINE } from '@godwit/protocol/limits'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import { accept, type Decider, type Decision, reject } from '../decider.js'
import {
  admittedCount,
  type ClosedReason,
  evolveRoom,
  initialRoomState,
  type KnownRoom,
  placeOf,
  type RoomState,
  receiverOfToken,
  slotsTaken,
} from './roomState.js'

export type RoomCommand =
  | {
      readonly type: 'open'
      readonly nameplate: string
      readonly capacity: number
      readonly ownerTokenHash: string
      readonly guessesMax: number
      /** Wall clock, milliseconds. */
      readonly expiresAt: number
    }
  | { readonly type: 'join'; readonly receiver: string; readonly tokenHash: string }
  | { readonly type: 'admit'; readonly receiver: string }
  | { readonly type: 'leave'; readonly receiver: string }
  | { readonly type: 'dismiss'; readonly receiver: string; readonly reason: 'completed' | 'failed' | 'timeout' }
  | { readonly type: 'guessFailed'; readonly receiver: string }
  | { readonly type: 'lock' }
  | { readonly type: 'close'; readonly reason: Exclude<ClosedReason, 'expired'> }
  | { readonly type: 'expire' }

type RoomDecision = Decision<RoomEvent>

const nothing: RoomDecision = accept()

/**
 * What `command` leads to. Rejections: ERR_ROOM_NOT_FOUND (never opened), ERR_ROOM_CLOSED, ERR_ROOM_LOCKED (join,
 * admit), ERR_ROOM_LINE_FULL (join past the line; admit without a free slot). A command about a receiver that is not
 * in the room gives no events: it may have left while the command was under way.
 */
export const decideRoom = (command: RoomCommand, state: RoomState): RoomDecision => {
  if (command.type === 'open') return open(command, state)
  if (state.status === 'none') return reject('ERR_ROOM_NOT_FOUND')
  switch (command.type) {
    case 'join':
      return join(state, command.receiver, command.tokenHash)
    case 'admit':
      return admit(state, command.receiver)
    case 'leave':
      return leave(state, command.receiver, 'left')
    case 'dismiss':
      return leave(state, command.receiver, command.reason)
    case 'guessFailed':
      return guessFailed(state, command.receiver)
    case 'lock':
      return state.status === 'open' ? accept({ type: 'RoomLocked', data: {} }) : nothing
    case 'close':
      return close(state, command.reason)
    case 'expire':
      return close(state, 'expired')
  }
}

export const room: Decider<RoomState, RoomCommand, RoomEvent> = {
  initialState: initialRoomState,
  decide: decideRoom,
  evolve: evolveRoom,
}

const open = (command: Extract<RoomCommand, { type: 'open' }>, state: RoomState): RoomDecision => {
  if (state.status !== 'none') {
    assert(state.ownerTokenHash === command.ownerTokenHash, 'a room id belongs to one owner')
    return state.status === 'closed' ? reject('ERR_ROOM_CLOSED') : nothing
  }
  const { type: _type, ...data } = command
  return accept({ type: 'RoomOpened', data })
}

const join = (state: KnownRoom, receiver: string, tokenHash: string): RoomDecision => {
  if (state.status === 'closed') return reject('ERR_ROOM_CLOSED')
  if (receiverOfToken(state, tokenHash) !== undefined) return nothing
  if (state.status === 'locked') return reject('ERR_ROOM_LOCKED')
  if (state.joins >= ROOM_MAX_JOINS) return reject('ERR_ROOM_LINE_FULL')
  const joined: RoomEvent = { type: 'ReceiverJoined', data: { receiver, tokenHash } }
  if (state.line.length === 0 && slotsTaken(state) < state.capacity) return accept(joined)
  if (state.line.length >= ROOM_MAX_LINE) return reject('ERR_ROOM_LINE_FULL')
  return accept<RoomEvent>(joined, { type: 'ReceiverQueued', data: { receiver, place: state.line.length + 1 } })
}

const admit = (state: KnownRoom, receiver: string): RoomDecision => {
  if (state.status === 'closed') return reject('ERR_ROOM_CLOSED')
  const member = state.members.get(receiver)
  if (member === undefined || member.stage === 'admitted') return nothing
  if (state.status === 'locked') return reject('ERR_ROOM_LOCKED')
  if (admittedCount(state) >= state.capacity) return reject('ERR_ROOM_LINE_FULL', 'every slot is taken')
  return accept<RoomEvent>({ type: 'ReceiverAdmitted', data: { receiver } }, ...movesUpBehind(state, receiver))
}

const leave = (
  state: KnownRoom,
  receiver: string,
  reason: Extract<RoomEvent, { type: 'ReceiverLeft' }>['data']['reason'],
): RoomDecision => {
  if (state.status === 'closed' || !state.members.has(receiver)) return nothing
  return accept<RoomEvent>({ type: 'ReceiverLeft', data: { receiver, reason } }, ...movesUpBehind(state, receiver))
}

/** A guess counts also when its receiver has left already: leaving fast must not make guessing free. */
const guessFailed = (state: KnownRoom, receiver: string): RoomDecision => {
  if (state.status === 'closed' || state.guessers.has(receiver)) return nothing
  const isHere = state.members.has(receiver)
  if (!isHere && !state.departed.some((one) => one.receiver === receiver)) return nothing
  const guessesLeft = Math.max(0, state.guessesMax - state.guessesFailed - 1)
  const events: RoomEvent[] = [{ type: 'GuessFailed', data: { receiver, guessesLeft } }]
  if (isHere) {
    events.push({ type: 'ReceiverLeft', data: { receiver, reason: 'wrongCode' } }, ...movesUpBehind(state, receiver))
  }
  if (guessesLeft === 0 && state.status === 'open') events.push({ type: 'RoomLocked', data: {} })
  return accept(...events)
}

const close = (state: KnownRoom, reason: ClosedReason): RoomDecision =>
  state.status === 'closed' ? nothing : accept({ type: 'RoomClosed', data: { reason } })

/** The new places of those who stand behind `receiver`. */
const movesUpBehind = (state: KnownRoom, receiver: string): readonly RoomEvent[] => {
  const place = placeOf(state, receiver)
  if (place === undefined) return []
  return state.line
    .slice(place)
    .map((waiting, index) => ({ type: 'ReceiverQueued', data: { receiver: waiting, place: place + index } }))
}
