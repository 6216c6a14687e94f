/** The live list: the whole first, then changes, and nothing that does not change. */
import type { ListChange, TransferView } from '@godwit/protocol/api'
import { LIST_BATCH_MAX } from '@godwit/protocol/limits'
import { expect, test } from 'vitest'
import { fakeView } from '../api/testing/fakeNodeService.js'
import { watchList } from './watchList.js'

class FakeList {
  readonly views = new Map<string, TransferView>()
  isReady = true
  versionsAsked = 0
  /** Called before each look but the first; the list ends when there is none left. */
  readonly steps: (() => void)[] = []

  put(id: string, changes: Partial<TransferView> = {}): void {
    const before = this.views.get(id)
    this.views.set(id, fakeView(id, { ...before, version: (before?.version ?? 0) + 1, ...changes }))
  }

  async changes(): Promise<ListChange[]> {
    const stop = new AbortController()
    const source = {
      ids: () => [...this.views.keys()],
      version: async (id: string) => {
        this.versionsAsked += 1
        return this.views.get(id)?.version ?? 0
      },
      view: async (id: string) => this.views.get(id),
      isReady: () => this.isReady,
    }
    const wait = async (): Promise<void> => {
      const step = this.steps.shift()
      if (step === undefined) stop.abort()
      else step()
    }
    const changes: ListChange[] = []
    for await (const change of watchList(source, stop.signal, wait)) changes.push(change)
    return changes
  }
}

const shape = ({ isFresh, isCaughtUp, changed, removed }: ListChange) => ({
  isFresh,
  isCaughtUp,
  changed: changed.map(({ transferId, version }) => `${transferId}@${version}`),
  removed,
})

test('an empty list is told once', async () => {
  const list = new FakeList()
  list.steps.push(
    () => {},
    () => {},
    () => {},
  )
  expect((await list.changes()).map(shape)).toEqual([{ isFresh: true, isCaughtUp: true, changed: [], removed: [] }])
})

test('what is new, changed or removed is told, and only that', async () => {
  const list = new FakeList()
  list.put('a')
  list.put('b')
  list.steps.push(
    () => list.put('b', { state: 'transferring' }),
    () => {},
    () => list.put('c'),
    () => {},
    () => list.views.delete('a'),
    () => {},
    () => {},
  )
  expect((await list.changes()).map(shape)).toEqual([
    { isFresh: true, isCaughtUp: true, changed: ['a@1', 'b@1'], removed: [] },
    { isFresh: false, isCaughtUp: true, changed: ['b@2'], removed: [] },
    { isFresh: false, isCaughtUp: true, changed: ['c@1'], removed: [] },
    { isFresh: false, isCaughtUp: true, changed: [], removed: ['a'] },
  ])
})

test('what is over for good is not looked at again; a failed one may be retried', async () => {
  const list = new FakeList()
  list.put('a', { state: 'completed' })
  list.put('b', { state: 'cancelled' })
  list.put('c', { state: 'failed' })
  list.steps.push(
    () => {},
    () => list.put('c', { state: 'queued' }),
  )
  const changes = await list.changes()
  expect(list.versionsAsked).toBe(2)
  expect(changes.map(shape).at(-1)?.changed).toEqual(['c@2'])
})

test('a long list comes in parts, and the last one says that it is', async () => {
  const list = new FakeList()
  for (let index = 0; index < LIST_BATCH_MAX * 2 + 1; index += 1) list.put(`t${index}`)
  const changes = await list.changes()
  expect(changes.map(({ changed, isFresh, isCaughtUp }) => [changed.length, isFresh, isCaughtUp])).toEqual([
    [LIST_BATCH_MAX, true, false],
    [LIST_BATCH_MAX, false, false],
    [1, false, true],
  ])
})

test('while the log is away nothing is asked, and then the list comes', async () => {
  const list = new FakeList()
  list.put('a')
  list.isReady = false
  list.steps.push(
    () => {},
    () => {
      list.isReady = true
    },
  )
  expect((await list.changes()).map(shape)).toEqual([
    { isFresh: true, isCaughtUp: true, changed: ['a@1'], removed: [] },
  ])
})
