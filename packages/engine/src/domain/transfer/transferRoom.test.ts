import { ROOM_MAX_JOINS } from '@godwit/protocol/limits'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { describe, expect, test } from 'vitest'
import type { MirroredEvent } from './commands.js'
import { decide } from './decide.js'
import {
  acked,
  admitted,
  bytesOf,
  enqueuedReceive,
  enqueuedSend,
  entered,
  failed,
  given,
  inLine,
  joined,
  left,
  lost,
  paused,
  receiverCompleted,
  receiving,
  sending,
  stats,
} from './testHistory.js'

describe('the room', () => {
  const room = {
    roomId: 'room1',
    nameplate: '4821',
    rendezvousUrl: 'http://127.0.0.1:1',
    advertise: null,
    receiver: null,
  } as const
  const enter = { type: 'enterRoom', ...room } as const
  const mirror = (event: MirroredEvent) => ({ type: 'mirrorRoomEvent', event }) as const
  const queuedR2 = { type: 'ReceiverQueued', data: { receiver: 'r2', place: 1, roomVersion: 4 } } as const

  test('a room is entered once', () => {
    given(enqueuedSend()).when(enter).then(entered(null))
    given(enqueuedSend(), entered(null)).when(enter).thenNothing()
    given(enqueuedSend(), entered(null, 'room0')).when(enter).then(entered(null))
  })

  test('each event of the room is mirrored once', () => {
    const history = [enqueuedSend(), entered(null), joined('r1', 2), admitted('r1', 3)]
    given(...history)
      .when(mirror(queuedR2))
      .then(queuedR2)
    given(...history, queuedR2)
      .when(mirror(queuedR2))
      .thenNothing()
    given(enqueuedSend()).when(mirror(queuedR2)).thenRejected('ERR_TRANSFER_STATE')
  })

  test('in another room mirroring begins again', () => {
    given(enqueuedSend(), entered(null), inLine('r9', 1, 7), entered(null, 'room2'))
      .when(mirror(queuedR2))
      .then(queuedR2)
  })

  test('the nameplate of a room that was opened again is recorded', () => {
    given(enqueuedSend(), entered(null))
      .when({ ...enter, nameplate: '77' })
      .then({ type: 'RoomEntered', data: { ...room, nameplate: '77' } })
  })

  test('a room that the rendezvous lost is another one, in which nobody is yet', () => {
    const another: TransferEvent = { type: 'RoomEntered', data: { ...room, isAnother: true } }
    given(...sending)
      .when({ ...enter, isAnother: true })
      .then(another)
    const phases = (...events: readonly TransferEvent[]) => {
      const { transfer } = given(...events)
      return transfer.status === 'none' ? [] : transfer.run.receivers.map(({ phase }) => phase.is)
    }
    const waiting = [enqueuedSend(), entered(null), joined('r1', 2), admitted('r1', 3), inLine('r2', 1, 4)]
    expect(phases(...waiting, another)).toEqual(['left', 'left'])
    // A session that runs needs no room.
    expect(phases(...sending, another)).toEqual(['accepted'])
    given(...sending, another)
      .when({ type: 'ackChunks', receiver: 'r1', ranges: [[0, 2]], bytesOf, stats })
      .then(acked('r1', [0, 2]))
    expect(phases(...sending, another, lost('r1', 1))).toEqual(['left'])
    expect(phases(...sending, another, joined('r1', 2), lost('r1', 1))).toEqual(['accepted'])
    // Mirroring begins again.
    given(...sending, another)
      .when(mirror({ type: 'ReceiverJoined', data: { receiver: 'r2', roomVersion: 2 } }))
      .then(joined('r2', 2))
  })

  test('a receiver mirrors what concerns itself', () => {
    given(enqueuedReceive(), entered('r1')).when(mirror(queuedR2)).thenNothing()
    const closed = { type: 'RoomClosed', data: { reason: 'expired', roomVersion: 5 } } as const
    given(enqueuedReceive(), entered('r1')).when(mirror(closed)).then(closed)
  })

  const locked: TransferEvent = { type: 'RoomLocked', data: {} }
  const guessed = (guessesLeft: number): TransferEvent => ({
    type: 'GuessFailed',
    data: { receiver: 'r1', guessesLeft },
  })

  test('guesses are recorded, and the last one locks the room with it', () => {
    const guess = (guessesLeft: number) => ({ type: 'guessFailed', receiver: 'r1', guessesLeft }) as const
    given(...sending)
      .when(guess(3))
      .then(guessed(3))
    given(...sending)
      .when(guess(0))
      .then(guessed(0), locked)
    given(...sending, guessed(0), locked)
      .when(guess(0))
      .then(guessed(0))
  })

  test('a lock goes with the words into whatever room the rendezvous gives out next', () => {
    const { transfer } = given(...sending, guessed(0), locked, entered(null, 'room2'))
    expect(transfer).toMatchObject({ run: { room: { roomId: 'room2', isLocked: true } } })
  })

  test('a receiver that is said to have left goes with its session, not before', () => {
    const said = [...sending, acked('r1', [0, 4]), left('r1', 'left', 9)]
    given(...said)
      .when({ type: 'ackChunks', receiver: 'r1', ranges: [[4, 2]], bytesOf, stats })
      .then(acked('r1', [4, 2]))
    expect(given(...said).transfer).toMatchObject({ run: { receivers: [{ phase: { is: 'accepted' } }] } })
    for (const end of [lost('r1', 1), paused('user'), failed]) {
      expect(given(...said, end).transfer).toMatchObject({
        run: { receivers: [{ phase: { is: 'left', reason: 'left' }, acked: [[0, 4]] }] },
      })
    }
    // It is there again after all.
    expect(given(...said, admitted('r1', 10), lost('r1', 1)).transfer).toMatchObject({
      run: { receivers: [{ phase: { is: 'accepted' } }] },
    })
    expect(given(...said, acked('r1', [4, 6]), receiverCompleted('r1'), lost('r1', 1)).transfer).toMatchObject({
      run: { receivers: [{ phase: { is: 'completed' } }] },
    })
  })

  test('a rendezvous cannot make a transfer grow without end', () => {
    const { transfer } = given(enqueuedSend(), entered(null), joined('r0', 2))
    if (transfer.status !== 'active') throw new Error('an enqueued transfer is active')
    const receivers = transfer.run.receivers.flatMap((receiver) =>
      Array.from({ length: ROOM_MAX_JOINS }, (_, index) => ({ ...receiver, id: `r${index}` })),
    )
    const full = { ...transfer, run: { ...transfer.run, receivers } }
    const anotherOne = mirror({ type: 'ReceiverJoined', data: { receiver: 'another', roomVersion: 50_000 } })
    expect(decide(anotherOne, full)).toMatchObject({ ok: false, failure: { code: 'ERR_PEER_PROTOCOL' } })
    expect(decide(anotherOne, transfer)).toMatchObject({ ok: true })
    const known = mirror({ type: 'ReceiverAdmitted', data: { receiver: 'r7', roomVersion: 50_000 } })
    expect(decide(known, full)).toMatchObject({ ok: true })
  })

  test('a receiver that enters again under a new id keeps what it has', () => {
    const again = given(...receiving, acked('r1', [0, 4]), entered('r2')).transfer
    expect(again).toMatchObject({ run: { receivers: [{ id: 'r2', phase: { is: 'accepted' }, acked: [[0, 4]] }] } })
  })
})
