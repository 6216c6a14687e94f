/** The contract of a projection store, run for the one in memory and for the one on Redis. */
import { describe, expect, test } from 'vitest'
import type { ProjectionStore } from '../ports/projectionStore.js'

export interface ContractState {
  readonly text: string
}

export interface ProjectionStoreHarness {
  readonly store: ProjectionStore<ContractState>
  readonly close: () => Promise<void>
}

export const describeProjectionStoreContract = (name: string, open: () => Promise<ProjectionStoreHarness>): void => {
  const withStore = async (body: (store: ProjectionStore<ContractState>) => Promise<void>): Promise<void> => {
    const harness = await open()
    try {
      await body(harness.store)
    } finally {
      await harness.close()
    }
  }

  describe(`projection store contract: ${name}`, () => {
    test('what was never written is undefined', () =>
      withStore(async (store) => {
        expect(await store.get('tr1')).toBeUndefined()
        expect(await store.all()).toEqual([])
      }))

    test('a write under the stored cursor succeeds, under any other it changes nothing', () =>
      withStore(async (store) => {
        expect(await store.compareAndSet('tr1', 1, { cursor: 2, state: { text: 'no' } })).toBe(false)
        expect(await store.compareAndSet('tr1', 0, { cursor: 3, state: { text: 'three\n"3"' } })).toBe(true)
        expect(await store.compareAndSet('tr1', 0, { cursor: 4, state: { text: 'no' } })).toBe(false)
        expect(await store.get('tr1')).toEqual({ cursor: 3, state: { text: 'three\n"3"' } })
        expect(await store.compareAndSet('tr1', 3, { cursor: 12, state: { text: 'twelve' } })).toBe(true)
        expect(await store.get('tr1')).toEqual({ cursor: 12, state: { text: 'twelve' } })
      }))

    test('of writers that expect the same cursor one wins', () =>
      withStore(async (store) => {
        const writes = await Promise.all(
          ['a', 'b', 'c', 'd'].map((text) => store.compareAndSet('tr1', 0, { cursor: 1, state: { text } })),
        )
        expect(writes.filter(Boolean)).toHaveLength(1)
      }))

    test('all of them are listed, and a deleted one is not', () =>
      withStore(async (store) => {
        for (let index = 0; index < 300; index += 1) {
          await store.compareAndSet(`tr${index}`, 0, { cursor: 1, state: { text: String(index) } })
        }
        await store.delete('tr7')
        const all = await store.all()
        expect(all).toHaveLength(299)
        expect(new Set(all.map(({ id, projection }) => `${id} ${projection.state.text}`)).has('tr8 8')).toBe(true)
        expect(await store.get('tr7')).toBeUndefined()
        expect(await store.compareAndSet('tr7', 0, { cursor: 1, state: { text: 'again' } })).toBe(true)
      }))
  })
}
