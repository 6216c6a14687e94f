import { ROOM_MAX_LINE } from '@godwit/protocol/limits'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import { describe, expect, test } from 'vitest'
import { decideRoom, type RoomCommand, room } from './room.js'
import { evolveRoom, nextToAdmit, placeOf, type RoomState } from './roomState.js'

const open = (capacity = 1, guessesMax = 3): RoomEvent => ({
  type: 'RoomOpened',
  data: { nameplate: '4821', capacity, ownerTokenHash: 'owner', guessesMax, expiresAt: 1000 },
})
const joined = (receiver: string): RoomEvent => ({
  type: 'ReceiverJoined',
  data: { receiver, tokenHash: `t-${receiver}` },
})
const queued = (receiver: string, place: number): RoomEvent => ({ type: 'ReceiverQueued', data: { receiver, place } })
const admitted = (receiver: string): RoomEvent => ({ type: 'ReceiverAdmitted', data: { receiver } })
const left = (
  receiver: string,
  reason: Extract<RoomEvent, { type: 'ReceiverLeft' }>['data']['reason'] = 'left',
): RoomEvent => ({ type: 'ReceiverLeft', data: { receiver, reason } })
const guessFailed = (receiver: string, guessesLeft: number): RoomEvent => ({
  type: 'GuessFailed',
  data: { receiver, guessesLeft },
})
const locked: RoomEvent = { type: 'RoomLocked', data: {} }
const closed: RoomEvent = { type: 'RoomClosed', data: { reason: 'completed' } }
const join = (receiver: string): RoomCommand => ({ type: 'join', receiver, tokenHash: `t-${receiver}` })

const given = (...events: readonly RoomEvent[]) => {
  const state: RoomState = events.reduce(evolveRoom, room.initialState)
  return {
    state,
    when: (command: RoomCommand) => {
      const decision = decideRoom(command, state)
      return {
        // biome-ignore lint/suspicious/noThenProperty: given, when, then
        then: (...expected: readonly RoomEvent[]) => expect(decision).toEqual({ ok: true, events: expected }),
        thenRejected: (code: string) => expect(decision).toMatchObject({ ok: false, failure: { code } }),
      }
    },
  }
}

const openCommand: RoomCommand = {
  type: 'open',
  nameplate: '4821',
  capacity: 1,
  ownerTokenHash: 'owner',
  guessesMax: 3,
  expiresAt: 1000,
}

describe('opening and closing', () => {
  test('a room is opened once', () => {
    given().when(openCommand).then(open())
    given(open()).when(openCommand).then()
    given(open(), closed).when(openCommand).thenRejected('ERR_ROOM_CLOSED')
  })

  test('nothing happens in a room that was never opened', () => {
    given().when(join('a')).thenRejected('ERR_ROOM_NOT_FOUND')
    given().when({ type: 'close', reason: 'completed' }).thenRejected('ERR_ROOM_NOT_FOUND')
  })

  test('a room is closed once, by its owner or by time', () => {
    given(open())
      .when({ type: 'close', reason: 'cancelled' })
      .then({ type: 'RoomClosed', data: { reason: 'cancelled' } })
    given(open())
      .when({ type: 'expire' })
      .then({ type: 'RoomClosed', data: { reason: 'expired' } })
    given(open(), closed).when({ type: 'close', reason: 'cancelled' }).then()
    given(open(), closed).when({ type: 'expire' }).then()
  })

  test('a closed room refuses joiners and admissions, and nobody leaves it any more', () => {
    const history = [open(), joined('a'), closed]
    given(...history)
      .when(join('b'))
      .thenRejected('ERR_ROOM_CLOSED')
    given(...history)
      .when(join('a'))
      .thenRejected('ERR_ROOM_CLOSED')
    given(...history)
      .when({ type: 'admit', receiver: 'a' })
      .thenRejected('ERR_ROOM_CLOSED')
    given(...history)
      .when({ type: 'leave', receiver: 'a' })
      .then()
    given(...history)
      .when({ type: 'guessFailed', receiver: 'a' })
      .then()
  })
})

describe('joining', () => {
  test('the first joiner holds the slot and is not queued', () => {
    given(open()).when(join('a')).then(joined('a'))
  })

  test('who comes to a full room waits in line, first come first served', () => {
    given(open(), joined('a'), admitted('a')).when(join('b')).then(joined('b'), queued('b', 1))
    given(open(), joined('a'), admitted('a'), joined('b'), queued('b', 1))
      .when(join('c'))
      .then(joined('c'), queued('c', 2))
  })

  test('a joiner that is about to be admitted holds its slot', () => {
    given(open(), joined('a')).when(join('b')).then(joined('b'), queued('b', 1))
    given(open(2), joined('a')).when(join('b')).then(joined('b'))
  })

  test('nobody passes those who wait, even while a slot is free', () => {
    given(open(), joined('a'), admitted('a'), joined('b'), queued('b', 1), left('a'))
      .when(join('c'))
      .then(joined('c'), queued('c', 2))
  })

  test('joining again with the same token changes nothing, also after leaving', () => {
    given(open(), joined('a')).when(join('a')).then()
    given(open(), joined('a'), left('a')).when(join('a')).then()
    given(open(), joined('a'), locked).when(join('a')).then()
  })

  test('a line has an end', () => {
    const history: RoomEvent[] = [open(), joined('first'), admitted('first')]
    for (let place = 1; place <= ROOM_MAX_LINE; place += 1)
      history.push(joined(`r${place}`), queued(`r${place}`, place))
    given(...history)
      .when(join('last'))
      .thenRejected('ERR_ROOM_LINE_FULL')
  })

  test('a locked room refuses', () => {
    given(open(), locked).when(join('a')).thenRejected('ERR_ROOM_LOCKED')
  })
})

describe('admission', () => {
  test('the owner admits who joined, once', () => {
    given(open(), joined('a')).when({ type: 'admit', receiver: 'a' }).then(admitted('a'))
    given(open(), joined('a'), admitted('a')).when({ type: 'admit', receiver: 'a' }).then()
  })

  test('never more than the capacity', () => {
    given(open(), joined('a'), admitted('a'), joined('b'), queued('b', 1))
      .when({ type: 'admit', receiver: 'b' })
      .thenRejected('ERR_ROOM_LINE_FULL')
  })

  test('those behind the admitted one move up', () => {
    given(open(), joined('a'), admitted('a'), joined('b'), queued('b', 1), joined('c'), queued('c', 2), left('a'))
      .when({ type: 'admit', receiver: 'b' })
      .then(admitted('b'), queued('c', 1))
  })

  test('a receiver that is gone is not admitted', () => {
    given(open(), joined('a'), left('a')).when({ type: 'admit', receiver: 'a' }).then()
    given(open()).when({ type: 'admit', receiver: 'stranger' }).then()
  })

  test('a locked room admits nobody', () => {
    given(open(), joined('a'), locked).when({ type: 'admit', receiver: 'a' }).thenRejected('ERR_ROOM_LOCKED')
  })

  test('the next to admit is who holds a slot, else the first in line', () => {
    const full = [open(), joined('a'), admitted('a'), joined('b'), queued('b', 1), joined('c'), queued('c', 2)]
    const next = (...events: readonly RoomEvent[]) => {
      const { state } = given(...events)
      return state.status === 'none' ? undefined : nextToAdmit(state)
    }
    expect(next(open())).toBeUndefined()
    expect(next(open(), joined('a'))).toBe('a')
    expect(next(...full)).toBeUndefined()
    expect(next(...full, left('a', 'completed'))).toBe('b')
    expect(next(...full, left('b'), queued('c', 1), left('a'))).toBe('c')
    expect(next(...full, left('a'), locked)).toBeUndefined()
  })
})

describe('leaving', () => {
  test('those behind the one who left move up', () => {
    const history = [open(), joined('a'), admitted('a'), joined('b'), queued('b', 1), joined('c'), queued('c', 2)]
    given(...history)
      .when({ type: 'leave', receiver: 'b' })
      .then(left('b'), queued('c', 1))
    given(...history)
      .when({ type: 'leave', receiver: 'c' })
      .then(left('c'))
    given(...history)
      .when({ type: 'dismiss', receiver: 'a', reason: 'completed' })
      .then(left('a', 'completed'))
    const { state } = given(...history, left('b'), queued('c', 1))
    expect(state.status === 'none' ? undefined : placeOf(state, 'c')).toBe(1)
  })

  test('leaving twice, or without having joined, changes nothing', () => {
    given(open(), joined('a'), left('a')).when({ type: 'leave', receiver: 'a' }).then()
    given(open()).when({ type: 'dismiss', receiver: 'a', reason: 'timeout' }).then()
  })
})

describe('wrong guesses', () => {
  test('a wrong guess costs the receiver its place and the room one guess', () => {
    given(open(), joined('a'), admitted('a'))
      .when({ type: 'guessFailed', receiver: 'a' })
      .then(guessFailed('a', 2), left('a', 'wrongCode'))
  })

  test('the last guess locks the room', () => {
    const history = [
      open(1, 2),
      joined('a'),
      admitted('a'),
      guessFailed('a', 1),
      left('a', 'wrongCode'),
      joined('b'),
      admitted('b'),
    ]
    given(...history)
      .when({ type: 'guessFailed', receiver: 'b' })
      .then(guessFailed('b', 0), left('b', 'wrongCode'), locked)
  })

  test('a guess is counted once, and also when its receiver has left already', () => {
    given(open(), joined('a'), admitted('a'), left('a'))
      .when({ type: 'guessFailed', receiver: 'a' })
      .then(guessFailed('a', 2))
    given(open(), joined('a'), admitted('a'), left('a'), guessFailed('a', 2))
      .when({ type: 'guessFailed', receiver: 'a' })
      .then()
    given(open()).when({ type: 'guessFailed', receiver: 'stranger' }).then()
  })

  test('locking twice is locking once', () => {
    given(open()).when({ type: 'lock' }).then(locked)
    given(open(), locked).when({ type: 'lock' }).then()
  })
})
