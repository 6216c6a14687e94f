/** Histories as earlier versions wrote them. None is ever changed or removed: a log may hold them for ever. */
import { type RoomEvent, roomEventSchema } from '@godwit/protocol/roomEvents'
import { expect, test } from 'vitest'
import { evolveRoom, initialRoomState, type RoomState } from './roomState.js'

const fold = (history: readonly unknown[]): RoomState =>
  history.map((event): RoomEvent => roomEventSchema.parse(event)).reduce(evolveRoom, initialRoomState)

test('schema 1: two receivers, a line, a wrong guess, the lock and the end', () => {
  const state = fold([
    {
      type: 'RoomOpened',
      data: { nameplate: '482100', capacity: 1, ownerTokenHash: 'aa', guessesMax: 1, expiresAt: 1_795_000_000_000 },
    },
    { type: 'ReceiverJoined', data: { receiver: 'rcaaaaaaaaaaaaaaaa', tokenHash: 'bb' } },
    { type: 'ReceiverAdmitted', data: { receiver: 'rcaaaaaaaaaaaaaaaa' } },
    { type: 'ReceiverJoined', data: { receiver: 'rcbbbbbbbbbbbbbbbb', tokenHash: 'cc' } },
    { type: 'ReceiverQueued', data: { receiver: 'rcbbbbbbbbbbbbbbbb', place: 1 } },
    { type: 'ReceiverJoined', data: { receiver: 'rccccccccccccccccc', tokenHash: 'dd' } },
    { type: 'ReceiverQueued', data: { receiver: 'rccccccccccccccccc', place: 2 } },
    { type: 'ReceiverLeft', data: { receiver: 'rcaaaaaaaaaaaaaaaa', reason: 'completed' } },
    { type: 'ReceiverAdmitted', data: { receiver: 'rcbbbbbbbbbbbbbbbb' } },
    { type: 'ReceiverQueued', data: { receiver: 'rccccccccccccccccc', place: 1 } },
    { type: 'GuessFailed', data: { receiver: 'rcbbbbbbbbbbbbbbbb', guessesLeft: 0 } },
    { type: 'ReceiverLeft', data: { receiver: 'rcbbbbbbbbbbbbbbbb', reason: 'wrongCode' } },
    { type: 'RoomLocked', data: {} },
    { type: 'RoomClosed', data: { reason: 'failed' } },
  ])
  expect(state).toEqual({
    status: 'closed',
    reason: 'failed',
    nameplate: '482100',
    capacity: 1,
    ownerTokenHash: 'aa',
    guessesMax: 1,
    guessesFailed: 1,
    expiresAt: 1_795_000_000_000,
    joins: 3,
    members: new Map([['rccccccccccccccccc', { tokenHash: 'dd', stage: 'queued' }]]),
    line: ['rccccccccccccccccc'],
    departed: [
      { receiver: 'rcaaaaaaaaaaaaaaaa', tokenHash: 'bb' },
      { receiver: 'rcbbbbbbbbbbbbbbbb', tokenHash: 'cc' },
    ],
    guessers: new Set(['rcbbbbbbbbbbbbbbbb']),
  })
})
