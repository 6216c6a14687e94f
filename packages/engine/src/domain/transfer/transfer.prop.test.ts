import { type TransferEvent, transferEventSchema } from '@godwit/protocol/transferEvents'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TransferCommand } from './commands.js'
import { transferDecider } from './decider.js'
import type { Transfer } from './state.js'
import { stateOfTransfer } from './states.js'
import { bytesOf, contents, path, stats } from './testHistory.js'

const receiver = fc.constantFrom('r1', 'r1', 'r2', 'r3')
const by = fc.constant('test')
const ranges = fc
  .tuple(fc.constantFrom(0, 0, 0, 3, 7, 9), fc.constantFrom(1, 2, 4, 10, 10))
  .map(([first, count]): readonly [number, number][] => [[first, count]])
const roomVersion = fc.nat({ max: 30 })
const mirrored = fc.oneof(
  fc.record({ type: fc.constant('ReceiverJoined' as const), data: fc.record({ receiver, roomVersion }) }),
  fc.record({ type: fc.constant('ReceiverAdmitted' as const), data: fc.record({ receiver, roomVersion }) }),
  fc.record({
    type: fc.constant('ReceiverQueued' as const),
    data: fc.record({ receiver, roomVersion, place: fc.integer({ min: 1, max: 3 }) }),
  }),
  fc.record({
    type: fc.constant('ReceiverLeft' as const),
    data: fc.record({ receiver, roomVersion, reason: fc.constantFrom('left', 'timeout') }),
  }),
)

const enterRoom = (roomId: string, own: string | null): TransferCommand => ({
  type: 'enterRoom',
  roomId,
  nameplate: '1',
  rendezvousUrl: 'http://127.0.0.1:1',
  advertise: null,
  receiver: own,
})
const weighted = (weight: number, arbitrary: fc.Arbitrary<TransferCommand>) => ({ weight, arbitrary })

/** What moves data comes often, what ends a transfer seldom. */
const command: fc.Arbitrary<TransferCommand> = fc.oneof(
  weighted(1, fc.constantFrom(enterRoom('room1', 'r1'), enterRoom('room2', 'r1'), enterRoom('room2', null))),
  weighted(3, fc.record({ type: fc.constant('mirrorRoomEvent' as const), event: mirrored })),
  weighted(1, fc.record({ type: fc.constant('pair' as const), receiver, name: fc.constantFrom('heron', 'stork') })),
  weighted(
    2,
    receiver.map((id) => ({ type: 'openSession', receiver: id, ...path }) as const),
  ),
  weighted(
    1,
    receiver.map((id) => ({ type: 'offer', receiver: id, ...contents }) as const),
  ),
  weighted(2, fc.record({ type: fc.constant('accept' as const), receiver })),
  weighted(1, fc.record({ type: fc.constant('decline' as const), receiver })),
  weighted(
    12,
    fc.record({ receiver, ranges }).map((ack) => ({ type: 'ackChunks', bytesOf, stats, ...ack }) as const),
  ),
  weighted(
    3,
    fc
      .record({ receiver, ranges, type: fc.constantFrom('rejectChunks' as const, 'requestRetransmit' as const) })
      .map((bad) => ({ bytesOf, reason: 'hashMismatch', ...bad }) as const),
  ),
  weighted(
    2,
    fc
      .record({ receiver, session: fc.integer({ min: 1, max: 3 }) })
      .map((session) => ({ type: 'loseSession', reason: 'ERR_SESSION_LOST', ...session }) as const),
  ),
  weighted(
    1,
    fc.record({ type: fc.constant('pause' as const), reason: fc.constantFrom('user' as const, 'peer' as const), by }),
  ),
  weighted(3, fc.record({ type: fc.constantFrom('resume' as const, 'retry' as const), by })),
  weighted(
    2,
    fc.record({
      type: fc.constant('completeFiles' as const),
      receiver,
      first: fc.nat({ max: 2 }),
      count: fc.constant(1),
    }),
  ),
  weighted(
    6,
    receiver.map((id) => ({ type: 'completeReceiver', receiver: id, bytes: 1000, seconds: 1 }) as const),
  ),
  weighted(1, fc.constant({ type: 'fail', code: 'ERR_NO_PATH', detail: null } as const)),
)

const enqueue = fc
  .record({
    role: fc.constantFrom('sender' as const, 'receiver' as const),
    receiversWanted: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ role, receiversWanted }): TransferCommand => {
    const what = role === 'sender' ? contents : { fileCount: 0, totalBytes: 0, chunkCount: 0 }
    const rest = { submissionId: 's', capacity: 2, limit: null, profile: null, acceptsAtOnce: false }
    return { type: 'enqueue', role, receiversWanted, ...rest, ...what }
  })

/** Commands in the order in which they usually come, so that most histories get as far as chunks. */
const usual = (id: string, roomVersion: number): readonly TransferCommand[] => [
  { type: 'mirrorRoomEvent', event: { type: 'ReceiverAdmitted', data: { receiver: id, roomVersion } } },
  { type: 'pair', receiver: id, name: 'heron' },
  { type: 'openSession', receiver: id, ...path },
  { type: 'offer', receiver: id, ...contents },
  { type: 'accept', receiver: id },
]

const commands = fc
  .tuple(enqueue, fc.constantFrom(0, 1, 2, 3), fc.array(command, { maxLength: 60, size: 'max' }))
  .map(([first, usuals, rest]): readonly TransferCommand[] => [
    first,
    enterRoom('room1', first.type === 'enqueue' && first.role === 'receiver' ? 'r1' : null),
    ...(usuals > 0 ? usual('r1', 1) : []),
    ...(usuals > 1 ? usual('r2', 2).slice(0, 2 + usuals) : []),
    ...rest,
  ])

const run = (
  list: readonly TransferCommand[],
  onStep: (before: Transfer, events: readonly TransferEvent[]) => void,
) => {
  let transfer = transferDecider.initialState
  for (const step of list) {
    const decision = transferDecider.decide(step, transfer)
    if (!decision.ok) continue
    onStep(transfer, decision.events)
    transfer = decision.events.reduce(transferDecider.evolve, transfer)
  }
  return transfer
}

test('whatever is asked, the events have their shape and the state stays true', () => {
  fc.assert(
    fc.property(commands, (list) => {
      const end = run(list, (before, events) => {
        for (const event of events) expect(transferEventSchema.safeParse(event).success).toBe(true)
        // Ends are final, but for a retry after a failure.
        const { status } = before
        if (status === 'completed' || status === 'cancelled') expect(events).toEqual([])
        if (status === 'failed') expect(['TransferRetried', undefined]).toContain(events[0]?.type)
      })
      if (end.status === 'none') return
      stateOfTransfer(end)
      for (const { acked, ackedBytes, files, phase } of end.run.receivers) {
        expect(ackedBytes).toBe(bytesOf(acked))
        expect(bytesOf(acked)).toBeLessThanOrEqual(1000)
        for (const [index, [first]] of acked.entries()) {
          const [before, count] = acked[index - 1] ?? [-2, 1]
          expect(first).toBeGreaterThan(before + count)
        }
        expect(bytesOf(files)).toBeLessThanOrEqual(300)
        if (phase.is === 'completed') expect(ackedBytes).toBe(1000)
      }
      const done = end.run.receivers.filter(({ phase }) => phase.is === 'completed').length
      const wanted = end.run.role === 'sender' ? end.run.receiversWanted : 1
      expect(end.status === 'completed').toBe(done >= wanted)
    }),
  )
})

test('the state is its JSON, and is the same however the history is cut', () => {
  fc.assert(
    fc.property(commands, fc.nat(), (list, cut) => {
      const history: TransferEvent[] = []
      const end = run(list, (_, events) => history.push(...events))
      const at = cut % (history.length + 1)
      const snapshot: Transfer = JSON.parse(
        JSON.stringify(history.slice(0, at).reduce(transferDecider.evolve, transferDecider.initialState)),
      )
      expect(history.slice(at).reduce(transferDecider.evolve, snapshot)).toEqual(end)
    }),
  )
})

test('a command that is given twice in a row changes nothing the second time', () => {
  const counts = new Set<TransferCommand['type']>(['openSession', 'rejectChunks', 'requestRetransmit', 'retry'])
  fc.assert(
    fc.property(commands, (list) => {
      let transfer = transferDecider.initialState
      for (const step of list) {
        const decision = transferDecider.decide(step, transfer)
        if (!decision.ok) continue
        transfer = decision.events.reduce(transferDecider.evolve, transfer)
        const again = transferDecider.decide(step, transfer)
        if (!counts.has(step.type)) expect(again.ok ? again.events : []).toEqual([])
      }
    }),
  )
})

test('these histories get to their ends, and over every kind of event on the way', () => {
  const seen = new Set<TransferEvent['type']>()
  fc.assert(
    fc.property(commands, (list) => {
      run(list, (_, events) => {
        for (const { type } of events) seen.add(type)
      })
    }),
    { numRuns: 500, seed: 1 },
  )
  for (const type of ['TransferCompleted', 'ChunksRejected', 'SessionLost', 'Declined', 'TransferRetried'] as const) {
    expect(seen).toContain(type)
  }
})
