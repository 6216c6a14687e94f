import { ROOM_MAX_DEPARTED, ROOM_MAX_LINE } from '@godwit/protocol/limits'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type RoomCommand, room } from './room.js'
import { admittedCount, type RoomState } from './roomState.js'

const receiver = fc.integer({ min: 0, max: 12 }).map((number) => `r${number}`)
const command: fc.Arbitrary<RoomCommand> = fc.oneof(
  { weight: 6, arbitrary: receiver.map((id): RoomCommand => ({ type: 'join', receiver: id, tokenHash: `t-${id}` })) },
  { weight: 5, arbitrary: receiver.map((id): RoomCommand => ({ type: 'admit', receiver: id })) },
  { weight: 2, arbitrary: receiver.map((id): RoomCommand => ({ type: 'leave', receiver: id })) },
  {
    weight: 2,
    arbitrary: receiver.map((id): RoomCommand => ({ type: 'dismiss', receiver: id, reason: 'completed' })),
  },
  { weight: 1, arbitrary: receiver.map((id): RoomCommand => ({ type: 'guessFailed', receiver: id })) },
)
const rareEnd: fc.Arbitrary<RoomCommand> = fc.constantFrom<RoomCommand>(
  { type: 'lock' },
  { type: 'close', reason: 'completed' },
  { type: 'expire' },
)

const checkInvariants = (state: RoomState, places: ReadonlyMap<string, number>): void => {
  if (state.status === 'none') return
  expect(admittedCount(state)).toBeLessThanOrEqual(state.capacity)
  expect(state.line.length).toBeLessThanOrEqual(ROOM_MAX_LINE)
  expect(state.departed.length).toBeLessThanOrEqual(ROOM_MAX_DEPARTED)
  expect(state.guessesFailed).toBeLessThanOrEqual(state.joins)
  // What the receivers were last told is where they stand: 1 … n without a gap.
  expect([...places.entries()].sort((a, b) => a[1] - b[1])).toEqual(state.line.map((id, index) => [id, index + 1]))
  for (const id of state.line) expect(state.members.get(id)?.stage).toBe('queued')
}

const track = (places: Map<string, number>, event: RoomEvent): void => {
  if (event.type === 'ReceiverQueued') places.set(event.data.receiver, event.data.place)
  if (event.type === 'ReceiverAdmitted' || event.type === 'ReceiverLeft') places.delete(event.data.receiver)
}

test('places are always 1 … n, the capacity holds, and a repeated command gives no events', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.oneof({ weight: 60, arbitrary: command }, { weight: 1, arbitrary: rareEnd }), { maxLength: 80 }),
      (capacity, guessesMax, commands) => {
        let state: RoomState = room.initialState
        const places = new Map<string, number>()
        const opening: RoomCommand = {
          type: 'open',
          nameplate: '1',
          capacity,
          ownerTokenHash: 'owner',
          guessesMax,
          expiresAt: 1,
        }
        for (const next of [opening, ...commands]) {
          const decision = room.decide(next, state)
          if (!decision.ok) continue
          for (const event of decision.events) {
            track(places, event)
            state = room.evolve(state, event)
          }
          checkInvariants(state, places)
          const again = room.decide(next, state)
          if (again.ok) expect(again.events).toEqual([])
          else expect(again.failure.code).toMatch(/ERR_ROOM_(CLOSED|LOCKED)/)
        }
      },
    ),
    { numRuns: 300 },
  )
})
