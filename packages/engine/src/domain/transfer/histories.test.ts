import { transferEventSchema } from '@godwit/protocol/transferEvents'
import { upcastTransferEvent } from '@godwit/protocol/transferEventUpcasts'
import { expect, test } from 'vitest'
import { evolve } from './evolve.js'
import { receiverHistory1, senderHistory1 } from './history1.js'
import { senderHistory2 } from './history2.js'
import { senderHistory3 } from './history3.js'
import { initialTransfer } from './state.js'

/** Reads a history as a node does: each event is brought forward, then checked, then folded. */
const replay = (history: typeof senderHistory1, schema: number) =>
  history
    .map(([type, data]) => transferEventSchema.parse(upcastTransferEvent({ type, data: JSON.parse(data), schema })))
    .reduce(evolve, initialTransfer)

test("a sender's history of schema 1 leads where it led", () => {
  expect(replay(senderHistory1, 1)).toMatchObject({
    status: 'completed',
    bytes: 3_145_829,
    seconds: 12.75,
    run: {
      limit: 1_048_576,
      profile: null,
      room: { mirroredVersion: 8, isClosed: true },
      receivers: [
        { id: 'rc1', phase: { is: 'left', reason: 'wrongCode' }, acked: [] },
        {
          id: 'rc2',
          name: 'heron',
          phase: { is: 'completed' },
          sessionCount: 2,
          acked: [[0, 4]],
          ackedBytes: 3_145_829,
          files: [[0, 2]],
        },
      ],
    },
  })
})

test("a receiver's history of schema 1 leads where it led", () => {
  expect(replay(receiverHistory1, 1)).toMatchObject({
    status: 'cancelled',
    by: 'api',
    run: {
      contents: { fileCount: 2, totalBytes: 3_145_829, chunkCount: 4 },
      room: { isLocked: true, mirroredVersion: 6 },
      receivers: [{ id: 'rc9', phase: { is: 'accepted' }, acked: [[0, 1]], ackedBytes: 1_048_576 }],
    },
  })
})

test("a sender's history of schema 2 leads where it led", () => {
  expect(replay(senderHistory2, 2)).toMatchObject({
    status: 'completed',
    bytes: 1_048_581,
    run: {
      limit: 2_097_152,
      profile: 'background',
      receivers: [{ id: 'rc1', phase: { is: 'completed' }, acked: [[0, 2]], files: [[0, 1]] }],
    },
  })
})

test("a sender's history in which a file was left out leads where it led", () => {
  expect(replay(senderHistory3, 2)).toMatchObject({
    status: 'completed',
    bytes: 2_097_152,
    missing: { files: 1, code: 'ERR_SOURCE_CHANGED' },
    run: {
      receivers: [
        {
          phase: { is: 'completed' },
          acked: [
            [0, 1],
            [3, 1],
          ],
          files: [
            [0, 1],
            [2, 1],
          ],
          missing: { files: [[1, 1]], chunks: [[1, 2]], bytes: 1_048_577 },
        },
      ],
    },
  })
})
