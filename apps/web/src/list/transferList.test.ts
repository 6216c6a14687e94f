/** How the live list takes in what the node tells. */
import type { ListChange, TransferView } from '@godwit/protocol/api'
import { expect, test } from 'vitest'
import { applyChange, EMPTY_LIST, sortedList } from './transferList'

const view = (transferId: string, version: number, changes: Partial<TransferView> = {}): TransferView => ({
  type: 'transfer',
  transferId,
  state: 'transferring',
  bytesDone: 0,
  bytesTotal: 100,
  rate: 0,
  etaSeconds: null,
  receivers: [],
  role: 'sender',
  createdAt: '2026-01-02T03:04:05.000Z',
  updatedAt: '2026-01-02T03:04:05.000Z',
  names: [],
  fileCount: 1,
  filesDone: 0,
  output: null,
  capacity: 1,
  receiversWanted: 1,
  limit: null,
  profile: null,
  priority: 5,
  schedule: { startAt: null, window: null, deadline: null },
  rendezvous: null,
  session: null,
  chunkCount: 1,
  retransmittedBytes: 0,
  lostPackets: 0,
  corruptedPackets: 0,
  reason: null,
  seconds: null,
  version,
  ...changes,
})

const change = (changed: readonly TransferView[], more: Partial<ListChange> = {}): ListChange => ({
  type: 'list.change',
  isFresh: false,
  isCaughtUp: true,
  changed: [...changed],
  removed: [],
  ...more,
})

test('a list that begins anew forgets what is gone and keeps the objects of what is the same', () => {
  const before = applyChange(EMPTY_LIST, change([view('a', 1), view('b', 1)], { isFresh: true }))
  const after = applyChange(before, change([view('b', 1), view('c', 1)], { isFresh: true }))
  expect([...after.views.keys()]).toEqual(['b', 'c'])
  expect(after.views.get('b')).toBe(before.views.get('b'))
})

test('changes and removals are taken in', () => {
  const before = applyChange(EMPTY_LIST, change([view('a', 1), view('b', 1)]))
  const after = applyChange(before, change([view('b', 2)], { removed: ['a'] }))
  expect([...after.views.values()].map(({ transferId, version }) => `${transferId}@${version}`)).toEqual(['b@2'])
})

test('those under way come first, each group the newest first', () => {
  const list = applyChange(
    EMPTY_LIST,
    change([
      view('old', 1, { createdAt: '2026-01-01T00:00:00.000Z' }),
      view('new', 1, { createdAt: '2026-01-03T00:00:00.000Z' }),
      view('done', 1, { state: 'completed' }),
      view('failed', 1, { state: 'failed', createdAt: '2026-01-04T00:00:00.000Z' }),
    ]),
  )
  const { active, over } = sortedList(list)
  expect(active.map(({ transferId }) => transferId)).toEqual(['new', 'old'])
  expect(over.map(({ transferId }) => transferId)).toEqual(['failed', 'done'])
})
