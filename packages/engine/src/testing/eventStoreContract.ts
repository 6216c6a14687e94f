/**
 * The contract of an event store, run for the one in memory and for the one on Redis: what callers may rely on.
 */
import type { RecordedEvent } from '@godwit/protocol/events'
import { describe, expect, test } from 'vitest'
import type { EventStore } from '../ports/eventStore.js'
import type { Leases } from '../ports/leases.js'
import type { OutboxEntry, QueueName } from '../ports/outbox.js'

/** The events of the contract: only `Counted` ones have a route. */
export type ContractEvent =
  | { readonly type: 'Counted'; readonly data: { readonly n: number } }
  | { readonly type: 'Noted'; readonly data: { readonly text: string } }

export const contractRouteOf = (event: ContractEvent): QueueName | undefined =>
  event.type === 'Counted' ? 'chunk-acks' : undefined

export interface EventStoreHarness {
  readonly store: EventStore<ContractEvent>
  readonly leases: Leases
  /** What lies in the outbox, oldest first. */
  readonly outbox: () => Promise<readonly OutboxEntry[]>
  readonly close: () => Promise<void>
}

const metadata = { correlationId: 'request-1', causationId: 'request-1' }
const counted = (n: number): ContractEvent => ({ type: 'Counted', data: { n } })
const numbers = (events: readonly RecordedEvent<ContractEvent>[]): readonly number[] =>
  events.map((event) => ('n' in event.data ? event.data.n : -1))

/** An abort signal without a platform. */
const stopper = () => {
  const listeners = new Set<() => void>()
  const signal = {
    aborted: false,
    addEventListener: (_: 'abort', listener: () => void) => void listeners.add(listener),
    removeEventListener: (_: 'abort', listener: () => void) => void listeners.delete(listener),
  }
  const stop = (): void => {
    signal.aborted = true
    for (const listener of listeners) listener()
  }
  return { signal, stop }
}

export const describeEventStoreContract = (name: string, open: () => Promise<EventStoreHarness>): void => {
  const withStore = async (body: (harness: EventStoreHarness) => Promise<void>): Promise<void> => {
    const harness = await open()
    try {
      await body(harness)
    } finally {
      await harness.close()
    }
  }

  describe(`event store contract: ${name}`, () => {
    test('a stream that does not exist is empty and has version 0', () =>
      withStore(async ({ store }) => {
        expect(await store.version('tr1')).toBe(0)
        expect(await store.read('tr1')).toEqual([])
        expect(await store.streamIds()).toEqual([])
      }))

    test('appended events come back in order with their envelope', () =>
      withStore(async ({ store }) => {
        const result = await store.append('tr1', 0, [counted(1), { type: 'Noted', data: { text: 'ä "\u0000' } }], {
          correlationId: 'request-7',
          causationId: 'tr0.3',
        })
        expect(result).toMatchObject({ ok: true, version: 2 })
        const events = await store.read('tr1')
        expect(events.map((event) => [event.id, event.version, event.type])).toEqual([
          ['tr1.1', 1, 'Counted'],
          ['tr1.2', 2, 'Noted'],
        ])
        expect(events[1]).toMatchObject({
          streamId: 'tr1',
          data: { text: 'ä "\u0000' },
          correlationId: 'request-7',
          causationId: 'tr0.3',
          schema: 1,
        })
        expect(result.ok && result.events).toEqual(events)
        expect(await store.streamIds()).toEqual(['tr1'])
      }))

    test('an append under a wrong version changes nothing and tells the right one', () =>
      withStore(async ({ store, outbox }) => {
        await store.append('tr1', 0, [counted(1), counted(2)], metadata)
        for (const wrong of [0, 1, 3]) {
          const conflict = { ok: false, code: 'versionConflict', actualVersion: 2 }
          expect(await store.append('tr1', wrong, [counted(9)], metadata)).toEqual(conflict)
        }
        expect(await store.append('tr2', 5, [counted(9)], metadata)).toMatchObject({ ok: false, actualVersion: 0 })
        expect(numbers(await store.read('tr1'))).toEqual([1, 2])
        expect(await outbox()).toHaveLength(2)
      }))

    test('of many appenders that expect the same version one wins each time', () =>
      withStore(async ({ store }) => {
        const appendOnce = async (n: number): Promise<void> => {
          for (;;) {
            const version = await store.version('tr1')
            const result = await store.append('tr1', version, [counted(n), counted(n)], metadata)
            if (result.ok) return
          }
        }
        await Promise.all(Array.from({ length: 10 }, (_, n) => appendOnce(n)))
        const events = await store.read('tr1')
        expect(events.map((event) => event.version)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
        const order = numbers(events)
        for (let index = 0; index < 20; index += 2) expect(order[index]).toBe(order[index + 1])
        expect(new Set(order).size).toBe(10)
      }))

    test('appending no events checks the version and records nothing', () =>
      withStore(async ({ store }) => {
        expect(await store.append('tr1', 0, [], metadata)).toEqual({ ok: true, version: 0, events: [] })
        expect(await store.append('tr1', 1, [], metadata)).toMatchObject({ ok: false, actualVersion: 0 })
        expect(await store.streamIds()).toEqual([])
      }))

    test('reading starts anywhere and stops at a limit', () =>
      withStore(async ({ store }) => {
        await store.append('tr1', 0, [1, 2, 3, 4, 5].map(counted), metadata)
        expect(numbers(await store.read('tr1', 3))).toEqual([3, 4, 5])
        expect(numbers(await store.read('tr1', 2, 2))).toEqual([2, 3])
        expect(await store.read('tr1', 6)).toEqual([])
      }))

    test('each routed event leaves one outbox entry in the order of the log', () =>
      withStore(async ({ store, outbox }) => {
        await store.append('tr1', 0, [counted(1), { type: 'Noted', data: { text: '' } }, counted(3)], metadata)
        await store.append('tr2', 0, [counted(1)], metadata)
        expect(await outbox()).toEqual([
          { queue: 'chunk-acks', streamId: 'tr1', eventId: 'tr1.1' },
          { queue: 'chunk-acks', streamId: 'tr1', eventId: 'tr1.3' },
          { queue: 'chunk-acks', streamId: 'tr2', eventId: 'tr2.1' },
        ])
      }))

    test('an append with the fence of a lease that was taken over is refused', () =>
      withStore(async ({ store, leases }) => {
        const first = await leases.acquire('tr1', 'node-a', 60_000)
        expect(await store.append('tr1', 0, [counted(1)], metadata, first)).toMatchObject({ ok: true })
        await leases.release('tr1', 'node-a')
        expect(await store.append('tr1', 1, [counted(2)], metadata, first)).toMatchObject({ ok: true })
        const second = await leases.acquire('tr1', 'node-b', 60_000)
        expect(await store.append('tr1', 2, [counted(3)], metadata, first)).toEqual({ ok: false, code: 'fenced' })
        expect(await store.append('tr1', 2, [counted(3)], metadata, second)).toMatchObject({ ok: true })
        expect(numbers(await store.read('tr1'))).toEqual([1, 2, 3])
      }))

    test('a fence that nobody gave out is refused', () =>
      withStore(async ({ store }) => {
        const fence = { name: 'tr1', token: 1 }
        expect(await store.append('tr1', 0, [counted(1)], metadata, fence)).toEqual({ ok: false, code: 'fenced' })
      }))

    test('a follower gets what is recorded, then each new event once, until it is stopped', () =>
      withStore(async ({ store }) => {
        await store.append('tr1', 0, [1, 2, 3].map(counted), metadata)
        const { signal, stop } = stopper()
        const seen: number[] = []
        const others: number[] = []
        const followed = (async () => {
          for await (const event of store.follow('tr1', 2, signal)) {
            seen.push(...numbers([event]))
            if (event.version === 3) await store.append('tr1', 3, [4, 5].map(counted), metadata)
            if (event.version === 5) await store.append('tr2', 0, [counted(1)], metadata)
            if (event.version === 5) await store.append('tr1', 5, [counted(6)], metadata)
            if (event.version === 6) stop()
          }
        })()
        const alsoFollowed = (async () => {
          for await (const event of store.follow('tr2', 1, signal)) others.push(...numbers([event]))
        })()
        await Promise.all([followed, alsoFollowed])
        expect(seen).toEqual([2, 3, 4, 5, 6])
        expect(others.length).toBeLessThanOrEqual(1)
      }))

    test('a follower may wait for a stream that does not exist yet', () =>
      withStore(async ({ store }) => {
        const { signal, stop } = stopper()
        const followed = (async () => {
          for await (const event of store.follow('tr9', 1, signal)) {
            stop()
            return event.id
          }
          return undefined
        })()
        await store.append('tr9', 0, [counted(1)], metadata)
        expect(await followed).toBe('tr9.1')
      }))

    test('a deleted stream is forgotten and may begin again', () =>
      withStore(async ({ store }) => {
        await store.append('tr1', 0, [counted(1)], metadata)
        await store.delete('tr1')
        await store.delete('tr1')
        expect(await store.version('tr1')).toBe(0)
        expect(await store.streamIds()).toEqual([])
        expect(await store.append('tr1', 1, [counted(2)], metadata)).toMatchObject({ ok: false, actualVersion: 0 })
        expect(await store.append('tr1', 0, [counted(2)], metadata)).toMatchObject({ ok: true, version: 1 })
      }))
  })
}
