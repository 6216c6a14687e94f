import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { describe, expect, test } from 'vitest'
import { decide } from './decide.js'
import { stateOfReceiver, stateOfTransfer } from './states.js'
import {
  accepted,
  acked,
  admitted,
  bytesOf,
  cancelled,
  contents,
  declined,
  enqueuedReceive,
  enqueuedSend,
  entered,
  failed,
  filesCompleted,
  given,
  inLine,
  joined,
  left,
  lost,
  offered,
  opened,
  paired,
  path,
  paused,
  receiverCompleted,
  receiving,
  resumed,
  retried,
  sending,
  stats,
  transferCompleted,
} from './testHistory.js'

const by = 'test'
const ack = (...ranges: [number, number][]) => ({ type: 'ackChunks', receiver: 'r1', ranges, bytesOf, stats }) as const
const completeR1 = { type: 'completeReceiver', receiver: 'r1', bytes: 1000, seconds: 2.5 } as const
const statesOf = (...events: readonly TransferEvent[]) => {
  const { transfer } = given(...events)
  if (transfer.status === 'none') return ['none']
  return [
    stateOfTransfer(transfer),
    ...transfer.run.receivers.map((receiver) => stateOfReceiver(receiver, transfer.run)),
  ]
}

describe('enqueueing', () => {
  test('nothing can be asked of a transfer that was never enqueued', () => {
    given().when({ type: 'cancel', by }).thenRejected('ERR_TRANSFER_NOT_FOUND')
  })

  test('the same submission is one transfer, another one is a conflict', () => {
    const submit = {
      type: 'enqueue',
      role: 'sender',
      submissionId: 'submission-1',
      capacity: 1,
      receiversWanted: 1,
      limit: null,
      profile: null,
      acceptsAtOnce: false,
      ...contents,
    } as const
    given().when(submit).then(enqueuedSend())
    given(enqueuedSend()).when(submit).thenNothing()
    given(enqueuedSend())
      .when({ ...submit, submissionId: 'another' })
      .thenRejected('ERR_SUBMISSION_CONFLICT')
  })
})

describe('the shape of a session', () => {
  const shape = { path: 'host', mtu: 8952, trains: true, lanes: 4 } as const
  const changed: TransferEvent = { type: 'SessionChanged', data: { receiver: 'r1', session: 1, ...shape } }

  test('is recorded when it changes, while the session runs', () => {
    const command = { type: 'changeSession', receiver: 'r1', session: 1, ...shape } as const
    given(...sending)
      .when(command)
      .then(changed)
    given(...sending, changed)
      .when(command)
      .thenNothing()
    given(...sending, lost('r1', 1))
      .when(command)
      .thenNothing()
    given(...sending, lost('r1', 1), opened('r1', 2))
      .when(command)
      .thenNothing()
    expect(given(...sending, changed).transfer).toMatchObject({ run: { receivers: [{ session: shape }] } })
  })

  test('as it was opened is no change', () => {
    given(...sending)
      .when({ type: 'changeSession', receiver: 'r1', session: 1, path: 'host', mtu: 1472, trains: true, lanes: 1 })
      .thenNothing()
  })
})

describe('pairing, sessions and the offer', () => {
  const pair = { type: 'pair', receiver: 'r1', name: 'heron' } as const
  const open = { type: 'openSession', receiver: 'r1', ...path } as const
  const offer = { type: 'offer', receiver: 'r1', ...contents } as const

  test('a known receiver pairs, a stranger does not', () => {
    const history = [enqueuedSend(), entered(null), admitted('r1', 3)]
    given(...history)
      .when(pair)
      .then(paired('r1'))
    given(...history, paired('r1'))
      .when(pair)
      .thenNothing()
    given(...history)
      .when({ ...pair, receiver: 'r2' })
      .thenRejected('ERR_TRANSFER_STATE')
    given(...history, left('r1', 'wrongCode', 4))
      .when(pair)
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('sessions are numbered, and only the one that runs can be lost', () => {
    const history = sending.slice(0, 5)
    given(...history)
      .when(open)
      .then(opened('r1', 1))
    given(...history, opened('r1', 1), lost('r1', 1))
      .when(open)
      .then(opened('r1', 2))
    const lose = { type: 'loseSession', receiver: 'r1', session: 1, reason: 'ERR_SESSION_LOST' } as const
    given(...history, opened('r1', 1))
      .when(lose)
      .then(lost('r1', 1))
    given(...history, opened('r1', 1), lost('r1', 1))
      .when(lose)
      .thenNothing()
    given(...history, opened('r1', 1), opened('r1', 2))
      .when(lose)
      .thenNothing()
    given(enqueuedSend(), entered(null), inLine('r1', 1, 3))
      .when(open)
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('an offer is made once and does not change', () => {
    const history = receiving.slice(0, 5)
    given(...history)
      .when(offer)
      .then(offered('r1'))
    given(...history, offered('r1'))
      .when(offer)
      .thenNothing()
    given(...receiving, lost('r1', 1), opened('r1', 2))
      .when(offer)
      .thenNothing()
    given(...history, offered('r1'))
      .when({ ...offer, totalBytes: 1001 })
      .thenRejected('ERR_PEER_PROTOCOL')
    given(...history)
      .when({ ...offer, totalBytes: 2 ** 52 })
      .thenRejected('ERR_PEER_PROTOCOL')
  })

  test('an offer is accepted once, with or without a session', () => {
    const history = [...receiving.slice(0, 6), lost('r1', 1)]
    const accept = { type: 'accept', receiver: 'r1' } as const
    given(...history)
      .when(accept)
      .then(accepted('r1'))
    given(...receiving)
      .when(accept)
      .thenNothing()
    given(...receiving.slice(0, 5))
      .when(accept)
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('declining ends a receiver, and leaves a sender waiting', () => {
    const decline = { type: 'decline', receiver: 'r1' } as const
    given(...receiving.slice(0, 6))
      .when(decline)
      .then(declined('r1'), { type: 'TransferFailed', data: { code: 'ERR_DECLINED', detail: null } })
    given(...sending.slice(0, 7))
      .when(decline)
      .then(declined('r1'))
    given(...sending.slice(0, 7), declined('r1'))
      .when(decline)
      .thenNothing()
    given(...sending)
      .when(decline)
      .thenRejected('ERR_TRANSFER_STATE')
  })
})

describe('chunks', () => {
  test('only new chunks count', () => {
    given(...sending)
      .when(ack([0, 3]))
      .then(acked('r1', [0, 3]))
    given(...sending, acked('r1', [0, 3]))
      .when(ack([0, 2]))
      .thenNothing()
    given(...sending, acked('r1', [0, 3]))
      .when(ack([1, 4], [7, 1]))
      .then(acked('r1', [3, 2], [7, 1]))
  })

  test('chunks that do not exist, or ranges out of order, break the protocol', () => {
    for (const ranges of [
      [[9, 2]],
      [
        [3, 1],
        [0, 1],
      ],
      [
        [0, 2],
        [1, 1],
      ],
      [[0, 0]],
      [[-1, 1]],
      [[0.5, 1]],
    ]) {
      const pairs = ranges.map(([first = 0, count = 0]): [number, number] => [first, count])
      given(...sending)
        .when(ack(...pairs))
        .thenRejected('ERR_PEER_PROTOCOL')
    }
  })

  test('nothing is acked before acceptance, everything that the disk holds while paused', () => {
    given(...sending.slice(0, 7))
      .when(ack([0, 1]))
      .thenRejected('ERR_TRANSFER_STATE')
    given(...sending, paused('user'))
      .when(ack([0, 1]))
      .then(acked('r1', [0, 1]))
    given(...sending, cancelled)
      .when(ack([0, 1]))
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('damaged chunks count as missing again', () => {
    const ranges: [number, number][] = [[2, 3]]
    const reject = { type: 'rejectChunks', receiver: 'r1', ranges, bytesOf, reason: 'stagingDamaged' } as const
    const rejected: TransferEvent = {
      type: 'ChunksRejected',
      data: { receiver: 'r1', ranges, reason: 'stagingDamaged', bytesTakenBack: 200 },
    }
    const history = [...receiving, acked('r1', [0, 4])]
    given(...history)
      .when(reject)
      .then(rejected)
    given(...history, rejected)
      .when({ ...reject, type: 'requestRetransmit' })
      .then({ type: 'RetransmitRequested', data: { ...rejected.data, bytesTakenBack: 0 } } as TransferEvent)
    expect(given(...history, rejected).transfer).toMatchObject({
      run: { receivers: [{ acked: [[0, 2]], ackedBytes: 200 }] },
    })
    given(...history, rejected)
      .when(ack([0, 10]))
      .then(acked('r1', [2, 8]))
  })

  test('only files that are new count', () => {
    const complete = { type: 'completeFiles', receiver: 'r1', first: 0, count: 3 } as const
    const history = [...receiving, acked('r1', [0, 10])]
    given(...history)
      .when(complete)
      .then(filesCompleted('r1', 0, 3))
    given(...history, filesCompleted('r1', 1, 1))
      .when(complete)
      .then(filesCompleted('r1', 0, 1), filesCompleted('r1', 2, 1))
    given(...history, filesCompleted('r1', 0, 3))
      .when(complete)
      .thenNothing()
    given(...history)
      .when({ ...complete, first: 1 })
      .thenRejected('ERR_PEER_PROTOCOL')
  })
})

describe('completion', () => {
  const two = [enqueuedSend({ capacity: 2, receiversWanted: 2 }), ...sending.slice(1), acked('r1', [0, 10])]
  const r2: readonly TransferEvent[] = [
    admitted('r2', 4),
    paired('r2'),
    opened('r2', 1),
    offered('r2'),
    accepted('r2'),
    acked('r2', [0, 10]),
  ]

  test('a receiver is complete when it has every chunk, and with it a transfer to one', () => {
    given(...sending, acked('r1', [0, 9]))
      .when(completeR1)
      .thenRejected('ERR_TRANSFER_STATE')
    given(...sending, acked('r1', [0, 10]))
      .when(completeR1)
      .then(receiverCompleted('r1'), transferCompleted)
    given(...receiving, acked('r1', [0, 10]), paused('peer'))
      .when(completeR1)
      .then(receiverCompleted('r1'), transferCompleted)
    given(...sending, acked('r1', [0, 10]), receiverCompleted('r1'), transferCompleted)
      .when(completeR1)
      .thenNothing()
  })

  test('a transfer to two is complete with the second', () => {
    given(...two)
      .when(completeR1)
      .then(receiverCompleted('r1'))
    given(...two, receiverCompleted('r1'))
      .when({ type: 'complete', seconds: 2.5 })
      .thenRejected('ERR_TRANSFER_STATE')
    given(...two, ...r2, receiverCompleted('r1'))
      .when({ ...completeR1, receiver: 'r2' })
      .then(receiverCompleted('r2'), transferCompleted)
  })

  test('after the end facts that come late give no events, and commands are refused', () => {
    const history = [...sending, acked('r1', [0, 10]), receiverCompleted('r1'), transferCompleted]
    const late = given(...history)
    late.when({ type: 'loseSession', receiver: 'r1', session: 1, reason: 'ERR_SESSION_LOST' }).thenNothing()
    late.when(ack([0, 10])).thenNothing()
    late.when({ type: 'complete', seconds: 9 }).thenNothing()
    late.when({ type: 'changeLimit', limit: 5000, by }).thenNothing()
    late.when({ type: 'pause', reason: 'user', by }).thenRejected('ERR_TRANSFER_STATE')
    for (const type of ['resume', 'cancel', 'retry'] as const)
      late.when({ type, by }).thenRejected('ERR_TRANSFER_STATE')
    late.when({ type: 'fail', code: 'ERR_NO_PATH', detail: null }).thenRejected('ERR_TRANSFER_STATE')
  })
})

describe('more ranges than one event takes', () => {
  const holes = Array.from({ length: 5000 }, (_, index): [number, number] => [index * 2, 1])
  const counts = (decision: ReturnType<typeof decide>) =>
    decision.ok && decision.events.map(({ type, data }) => [type, 'ranges' in data ? data.ranges.length : 0])
  const large = { fileCount: 1, totalBytes: 1_000_000, chunkCount: 10_000 }
  const { transfer } = given(
    enqueuedSend(large),
    ...sending.slice(1, 6),
    { type: 'Offered', data: { receiver: 'r1', ...large } },
    accepted('r1'),
  )

  test('are acknowledged in several events, of which the first carries the measurements', () => {
    const decision = decide(ack(...holes), transfer)
    expect(counts(decision)).toEqual([
      ['ChunksAcked', 4096],
      ['ChunksAcked', 904],
    ])
    expect(decision).toMatchObject({ events: [{ data: { sinceMs: 500 } }, { data: { sinceMs: 0, lost: 0 } }] })
  })

  test('are asked for again in several events', () => {
    const again = {
      type: 'requestRetransmit',
      receiver: 'r1',
      ranges: holes,
      bytesOf,
      reason: 'sessionBroken',
    } as const
    expect(counts(decide(again, transfer))).toEqual([
      ['RetransmitRequested', 4096],
      ['RetransmitRequested', 904],
    ])
  })
})

describe('pausing, failing, cancelling', () => {
  test("a pause is recorded once, and the user's goes over the others", () => {
    const pause = (reason: 'user' | 'peer' | 'disk') => ({ type: 'pause', reason, by }) as const
    given(...sending)
      .when(pause('peer'))
      .then(paused('peer'))
    given(...sending, paused('peer'))
      .when(pause('disk'))
      .thenNothing()
    given(...sending, paused('peer'))
      .when(pause('user'))
      .then(paused('user'))
    given(...sending, paused('user'))
      .when(pause('peer'))
      .thenNothing()
  })

  test('what lifts one kind of pause leaves the others', () => {
    given(...sending, paused('user'))
      .when({ type: 'resume', by, reasons: ['peer'] })
      .thenNothing()
    given(...sending, paused('peer'))
      .when({ type: 'resume', by, reasons: ['peer'] })
      .then(resumed)
    given(...sending, paused('disk'))
      .when({ type: 'resume', by })
      .then(resumed)
    given(...sending)
      .when({ type: 'resume', by })
      .thenNothing()
  })

  test('a pause ends the session, and a resumed transfer goes on where it was', () => {
    const history = [...sending, acked('r1', [0, 4]), paused('user'), resumed]
    expect(statesOf(...history)).toEqual(['connecting', 'connecting'])
    given(...history)
      .when({ type: 'openSession', receiver: 'r1', ...path })
      .then(opened('r1', 2))
    expect(statesOf(...history, opened('r1', 2))).toEqual(['transferring', 'transferring'])
  })

  test('a failed transfer can be tried again, and nothing else', () => {
    given(...sending)
      .when({ type: 'fail', code: 'ERR_NO_PATH', detail: null })
      .then(failed)
    given(...sending, failed)
      .when({ type: 'fail', code: 'ERR_DISK_IO', detail: 'x' })
      .thenNothing()
    given(...sending, failed)
      .when({ type: 'cancel', by })
      .thenRejected('ERR_TRANSFER_STATE')
    given(...sending, failed)
      .when({ type: 'retry', by })
      .then(retried)
    expect(statesOf(...sending, failed, retried)).toEqual(['connecting', 'connecting'])
    given(...sending)
      .when({ type: 'retry', by })
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('what has failed for good cannot be tried again: the two sides have parted', () => {
    for (const code of ['ERR_DECLINED', 'ERR_CANCELLED_BY_PEER', 'ERR_ROOM_CLOSED'] as const) {
      given(...sending, { type: 'TransferFailed', data: { code, detail: null } })
        .when({ type: 'retry', by })
        .thenRejected('ERR_TRANSFER_STATE')
    }
  })

  test('on a sender one who declined has lost its place, also after a retry', () => {
    given(...sending.slice(0, 7), declined('r1'), failed, retried)
      .when({ type: 'accept', receiver: 'r1' })
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('one who declined is asked again after a retry', () => {
    const history = [...receiving.slice(0, 6), declined('r1'), failed, retried]
    given(...history)
      .when({ type: 'accept', receiver: 'r1' })
      .then(accepted('r1'))
  })

  test('cancelling is final', () => {
    given(...sending)
      .when({ type: 'cancel', by })
      .then(cancelled)
    given(...sending, cancelled)
      .when({ type: 'cancel', by })
      .thenNothing()
    given(...sending, cancelled)
      .when({ type: 'retry', by })
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('a limit changes when it is another one', () => {
    const change = { type: 'changeLimit', limit: 5000, by } as const
    given(...sending)
      .when(change)
      .then({ type: 'LimitChanged', data: { limit: 5000, by } })
    given(...sending)
      .when({ ...change, limit: null })
      .thenNothing()
  })
})

describe('what users see', () => {
  test('a sender goes through its states', () => {
    const history: readonly [TransferEvent, string][] = [
      [enqueuedSend(), 'queued'],
      [entered(null), 'waitingForPeer'],
      [joined('r1', 2), 'waitingForPeer'],
      [admitted('r1', 3), 'connecting'],
      [paired('r1'), 'connecting'],
      [opened('r1', 1), 'connecting'],
      [offered('r1'), 'awaitingAcceptance'],
      [accepted('r1'), 'transferring'],
      [acked('r1', [0, 9]), 'transferring'],
      [lost('r1', 1), 'connecting'],
      [opened('r1', 2), 'transferring'],
      [paused('peer'), 'paused'],
      [resumed, 'connecting'],
      [opened('r1', 3), 'transferring'],
      [acked('r1', [9, 1]), 'verifying'],
      [receiverCompleted('r1'), 'waitingForPeer'],
      [transferCompleted, 'completed'],
    ]
    for (const [index, [, state]] of history.entries()) {
      expect(statesOf(...history.slice(0, index + 1).map(([event]) => event))[0]).toBe(state)
    }
  })

  test('a receiver waits in line and is told its place', () => {
    const history = [enqueuedReceive(), entered('r1'), inLine('r1', 2, 5)]
    expect(statesOf(enqueuedReceive())).toEqual(['queued'])
    expect(statesOf(...history)).toEqual(['waitingInLine', 'waitingInLine'])
    expect(statesOf(...history, inLine('r1', 1, 6), admitted('r1', 7))).toEqual(['connecting', 'connecting'])
  })

  test('a sender with several receivers does what the furthest does', () => {
    const history = [...sending, admitted('r2', 4), inLine('r3', 1, 5), joined('r4', 6), left('r4', 'left', 7)]
    expect(statesOf(...history)).toEqual(['transferring', 'transferring', 'connecting', 'waitingInLine', 'cancelled'])
  })

  test('one that accepted and fell silent may come back, one that left is gone', () => {
    const silent = [...sending, lost('r1', 1)]
    expect(statesOf(...silent, left('r1', 'timeout', 9))).toEqual(['connecting', 'connecting'])
    expect(statesOf(...silent, left('r1', 'left', 9))).toEqual(['waitingForPeer', 'cancelled'])
  })
})
