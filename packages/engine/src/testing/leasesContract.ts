/** The contract of leases, run for those in memory and those on Redis. */
import { describe, expect, test } from 'vitest'
import type { Leases } from '../ports/leases.js'

export interface LeasesHarness {
  readonly leases: Leases
  /** Lets time pass for the lease on `name`. */
  readonly advance: (name: string, ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

export const describeLeasesContract = (name: string, open: () => Promise<LeasesHarness>): void => {
  const withLeases = async (body: (harness: LeasesHarness) => Promise<void>): Promise<void> => {
    const harness = await open()
    try {
      await body(harness)
    } finally {
      await harness.close()
    }
  }

  describe(`leases contract: ${name}`, () => {
    test('one owner holds a lease, others get nothing', () =>
      withLeases(async ({ leases }) => {
        const fence = await leases.acquire('tr1', 'a', 60_000)
        expect(fence?.name).toBe('tr1')
        expect(await leases.acquire('tr1', 'b', 60_000)).toBeUndefined()
        expect((await leases.acquire('tr2', 'b', 60_000))?.name).toBe('tr2')
      }))

    test('the owner renews under the same token', () =>
      withLeases(async ({ leases, advance }) => {
        const fence = await leases.acquire('tr1', 'a', 60_000)
        await advance('tr1', 40_000)
        expect(await leases.acquire('tr1', 'a', 60_000)).toEqual(fence)
        await advance('tr1', 40_000)
        expect(await leases.acquire('tr1', 'b', 60_000)).toBeUndefined()
      }))

    test('a lease that ran out goes to another owner under a higher token', () =>
      withLeases(async ({ leases, advance }) => {
        const first = await leases.acquire('tr1', 'a', 60_000)
        await advance('tr1', 60_001)
        const second = await leases.acquire('tr1', 'b', 60_000)
        expect(second?.token).toBeGreaterThan(first?.token ?? Number.POSITIVE_INFINITY)
        expect(await leases.acquire('tr1', 'a', 60_000)).toBeUndefined()
      }))

    test('a lease given back is free at once, and only its owner can give it back', () =>
      withLeases(async ({ leases }) => {
        const first = await leases.acquire('tr1', 'a', 60_000)
        await leases.release('tr1', 'b')
        expect(await leases.acquire('tr1', 'b', 60_000)).toBeUndefined()
        await leases.release('tr1', 'a')
        const second = await leases.acquire('tr1', 'b', 60_000)
        expect(second?.token).toBeGreaterThan(first?.token ?? Number.POSITIVE_INFINITY)
        await leases.release('tr3', 'a')
      }))

    test('of many that want a lease one gets it', () =>
      withLeases(async ({ leases }) => {
        const fences = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => leases.acquire('tr1', owner, 60_000)))
        expect(fences.filter((fence) => fence !== undefined)).toHaveLength(1)
      }))
  })
}
