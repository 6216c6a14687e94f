/**
 * What a room is, folded from its events: who joined, who waits in which place, who was admitted. Deciding is left to
 * `room.ts`; tokens, nameplates and clocks to the rendezvous.
 */
import { assert } from '@godwit/protocol/assert'
import { ROOM_MAX_DEPARTED } from '@godwit/protocol/limits'
import type { RoomEvent } from '@godwit/protocol/roomEvents'

/** A receiver that is in the room: it holds a slot (joined, admitted) or waits in line (queued). */
export interface RoomMember {
  readonly tokenHash: string
  readonly stage: 'joined' | 'queued' | 'admitted'
}

/** A receiver that left; remembered for a repeated join with the same token and for a guess that is reported late. */
export interface DepartedReceiver {
  readonly receiver: string
  readonly tokenHash: string
}

export type ClosedReason = Extract<RoomEvent, { type: 'RoomClosed' }>['data']['reason']

interface RoomBody {
  readonly nameplate: string
  readonly capacity: number
  readonly ownerTokenHash: string
  readonly guessesMax: number
  readonly guessesFailed: number
  /** Wall clock, milliseconds. */
  readonly expiresAt: number
  /** Joins over the room's whole life. */
  readonly joins: number
  /** By receiver id, in the order of joining. */
  readonly members: ReadonlyMap<string, RoomMember>
  /** Receivers who wait, first come first; the place of one is its index and 1. */
  readonly line: readonly string[]
  /** The latest to leave, oldest first. */
  readonly departed: readonly DepartedReceiver[]
  /** Receivers whose wrong guess was counted, so that none is counted twice; as many as `departed` and `members`. */
  readonly guessers: ReadonlySet<string>
}

export type RoomState =
  | { readonly status: 'none' }
  | ({ readonly status: 'open' | 'locked' } & RoomBody)
  | ({ readonly status: 'closed'; readonly reason: ClosedReason } & RoomBody)

/** A room that was opened, whatever became of it. */
export type KnownRoom = Exclude<RoomState, { status: 'none' }>

export const initialRoomState: RoomState = { status: 'none' }

/** The state after `event`. A history that no room could have had is a bug. */
export const evolveRoom = (state: RoomState, event: RoomEvent): RoomState => {
  if (event.type === 'RoomOpened') {
    assert(state.status === 'none', 'a room is opened once')
    return {
      status: 'open',
      ...event.data,
      guessesFailed: 0,
      joins: 0,
      members: new Map(),
      line: [],
      departed: [],
      guessers: new Set(),
    }
  }
  assert(state.status !== 'none', `${event.type} before RoomOpened`)
  switch (event.type) {
    case 'ReceiverJoined':
      return {
        ...state,
        joins: state.joins + 1,
        members: withMember(state, event.data.receiver, { tokenHash: event.data.tokenHash, stage: 'joined' }),
      }
    case 'ReceiverQueued':
      return queued(state, event.data.receiver, event.data.place)
    case 'ReceiverAdmitted': {
      const { receiver } = event.data
      return {
        ...state,
        members: withMember(state, receiver, { ...memberOf(state, receiver), stage: 'admitted' }),
        line: state.line.filter((waiting) => waiting !== receiver),
      }
    }
    case 'ReceiverLeft':
      return left(state, event.data.receiver)
    case 'GuessFailed':
      return {
        ...state,
        guessesFailed: state.guessesFailed + 1,
        guessers: new Set([...state.guessers, event.data.receiver]),
      }
    case 'RoomLocked':
      return state.status === 'open' ? { ...state, status: 'locked' } : state
    case 'RoomClosed':
      return { ...state, status: 'closed', reason: event.data.reason }
  }
}

/** The place in line of a receiver, from 1; undefined for one that does not wait. */
export const placeOf = (state: KnownRoom, receiver: string): number | undefined => {
  const index = state.line.indexOf(receiver)
  return index < 0 ? undefined : index + 1
}

/** Receivers that were admitted and have not left. */
export const admittedCount = (state: KnownRoom): number => countOf(state, 'admitted')

/** Receivers that hold a slot: admitted, or joined and about to be. */
export const slotsTaken = (state: KnownRoom): number => countOf(state, 'admitted') + countOf(state, 'joined')

/**
 * The receiver that the owner should admit now: the first who joined into a free slot, else the first in line;
 * undefined when nobody waits or no slot is free.
 */
export const nextToAdmit = (state: KnownRoom): string | undefined => {
  if (state.status !== 'open' || admittedCount(state) >= state.capacity) return undefined
  for (const [receiver, member] of state.members) if (member.stage === 'joined') return receiver
  return state.line[0]
}

/** The receiver that a token belongs to, also after it left; undefined for a token that the room does not know. */
export const receiverOfToken = (state: KnownRoom, tokenHash: string): string | undefined => {
  for (const [receiver, member] of state.members) if (member.tokenHash === tokenHash) return receiver
  return state.departed.findLast((departed) => departed.tokenHash === tokenHash)?.receiver
}

const countOf = (state: KnownRoom, stage: RoomMember['stage']): number => {
  let count = 0
  for (const member of state.members.values()) if (member.stage === stage) count += 1
  return count
}

const memberOf = (state: KnownRoom, receiver: string): RoomMember => {
  const member = state.members.get(receiver)
  assert(member !== undefined, 'an event about a receiver that is not in the room')
  return member
}

const withMember = (state: KnownRoom, receiver: string, member: RoomMember): ReadonlyMap<string, RoomMember> =>
  new Map([...state.members, [receiver, member]])

const queued = (state: KnownRoom, receiver: string, place: number): RoomState => {
  const line = state.line.includes(receiver) ? state.line : [...state.line, receiver]
  assert(line[place - 1] === receiver, 'a place in line is counted from 1 in the order of joining')
  return { ...state, members: withMember(state, receiver, { ...memberOf(state, receiver), stage: 'queued' }), line }
}

const left = (state: KnownRoom, receiver: string): RoomState => {
  const { tokenHash } = memberOf(state, receiver)
  const members = new Map(state.members)
  members.delete(receiver)
  const departed = [...state.departed, { receiver, tokenHash }].slice(-ROOM_MAX_DEPARTED)
  const known = new Set([...members.keys(), ...departed.map((one) => one.receiver)])
  return {
    ...state,
    members,
    line: state.line.filter((waiting) => waiting !== receiver),
    departed,
    guessers: new Set([...state.guessers].filter((guesser) => known.has(guesser))),
  }
}
