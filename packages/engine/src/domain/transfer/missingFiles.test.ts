/** Files that changed while they were sent: left out for one receiver, and the others count. */
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { describe, expect, test } from 'vitest'
import { evolve } from './evolve.js'
import { stateOfReceiver, stateOfTransfer } from './states.js'
import { acked, bytesOf, filesCompleted, given, receiving, sending, stats } from './testHistory.js'

/** File 0 has the chunks 0 to 3, file 1 those from 4 to 7, file 2 the rest. */
const chunksOf = (files: readonly (readonly [number, number])[]): [number, number][] =>
  files.map(([first, count]) => [first * 4, Math.min(10, (first + count) * 4) - first * 4])
const failFiles = (first: number, count: number, receiver = 'r1') =>
  ({ type: 'failFiles', receiver, files: [[first, count]], code: 'ERR_SOURCE_CHANGED', chunksOf, bytesOf }) as const
const filesFailed = (first: number, count: number, bytesTakenBack = 0): TransferEvent => ({
  type: 'FilesFailed',
  data: {
    receiver: 'r1',
    files: [[first, count]],
    chunks: chunksOf([[first, count]]),
    bytes: bytesOf(chunksOf([[first, count]])),
    bytesTakenBack,
    code: 'ERR_SOURCE_CHANGED',
  },
})
const completeReceiver = { type: 'completeReceiver', receiver: 'r1', bytes: 600, seconds: 2 } as const
const completedBut = (bytes: number, files: number): TransferEvent => ({
  type: 'TransferCompleted',
  data: { bytes, seconds: 2, missing: { files, code: 'ERR_SOURCE_CHANGED' } },
})

describe.each([
  ['a sender', sending],
  ['a receiver', receiving],
])('on %s', (_name, history) => {
  test('a file that changed takes back what had come of it, once', () => {
    const before = given(...history, acked('r1', [3, 3]))
    before.when(failFiles(1, 1)).then(filesFailed(1, 1, 200))
    given(...history, acked('r1', [3, 3]), filesFailed(1, 1, 200))
      .when(failFiles(1, 1))
      .thenNothing()
  })

  test('its chunks and its name count for nothing afterwards', () => {
    const after = given(...history, filesFailed(1, 1))
    after.when({ type: 'ackChunks', receiver: 'r1', ranges: [[4, 4]], bytesOf, stats }).thenNothing()
    after
      .when({ type: 'ackChunks', receiver: 'r1', ranges: [[0, 10]], bytesOf, stats })
      .then(acked('r1', [0, 4], [8, 2]))
    after
      .when({ type: 'completeFiles', receiver: 'r1', first: 0, count: 3 })
      .then(filesCompleted('r1', 0, 1), filesCompleted('r1', 2, 1))
    const again = {
      type: 'requestRetransmit',
      receiver: 'r1',
      ranges: [[4, 2]],
      bytesOf,
      reason: 'sessionBroken',
    } as const
    after.when(again).thenNothing()
  })

  test('the transfer ends when the others are there, and says what is missing', () => {
    const rest = given(...history, filesFailed(1, 1), acked('r1', [0, 4], [8, 2]))
    rest
      .when(completeReceiver)
      .then({ type: 'ReceiverCompleted', data: { receiver: 'r1', bytes: 600, seconds: 2 } }, completedBut(600, 1))
    given(...history, filesFailed(1, 1), acked('r1', [0, 4]))
      .when(completeReceiver)
      .thenRejected('ERR_TRANSFER_STATE')
  })

  test('a transfer of which nothing could be delivered ends too', () => {
    given(...history, filesFailed(0, 3))
      .when({ ...completeReceiver, bytes: 0 })
      .then({ type: 'ReceiverCompleted', data: { receiver: 'r1', bytes: 0, seconds: 2 } }, completedBut(0, 3))
  })

  test('its user sees that as a failure, which a retry does not mend', () => {
    const ended = given(
      ...history,
      filesFailed(1, 1),
      acked('r1', [0, 4], [8, 2]),
      { type: 'ReceiverCompleted', data: { receiver: 'r1', bytes: 600, seconds: 2 } },
      completedBut(600, 1),
    )
    expect(stateOfTransfer(ended.transfer)).toBe('failed')
    if (ended.transfer.status === 'none') throw new Error('it was enqueued')
    const { run } = ended.transfer
    expect(run.receivers.map((receiver) => stateOfReceiver(receiver, run))).toEqual(['failed'])
    ended.when({ type: 'retry', by: 'user' }).thenRejected('ERR_TRANSFER_STATE')
  })

  test('files beyond the list of files are refused', () => {
    given(...history)
      .when(failFiles(2, 2))
      .thenRejected('ERR_PEER_PROTOCOL')
    given(...history)
      .when(failFiles(0, 1, 'nobody'))
      .thenRejected('ERR_TRANSFER_STATE')
  })
})

test('what is recorded comes out of JSON as it went in', () => {
  const { transfer } = given(...sending, filesFailed(0, 1), filesFailed(2, 1))
  expect(JSON.parse(JSON.stringify(transfer))).toEqual(transfer)
  expect(transfer).toMatchObject({
    run: {
      receivers: [
        {
          missing: {
            files: [
              [0, 1],
              [2, 1],
            ],
            bytes: 600,
          },
        },
      ],
    },
  })
  expect(evolve(transfer, acked('r1', [4, 4]))).toMatchObject({ run: { receivers: [{ ackedBytes: 400 }] } })
})
