/** Leases in memory: for simulations and tests. */
import type { Fence } from '../ports/eventStore.js'
import type { Leases } from '../ports/leases.js'

interface Lease {
  /** Undefined once given back. */
  readonly owner: string | undefined
  readonly token: number
  readonly untilMs: number
}

export class MemoryLeases implements Leases {
  readonly #now: () => number
  readonly #leases = new Map<string, Lease>()
  #lastToken = 0

  /** @param now - milliseconds of any clock that does not go back. */
  constructor(now: () => number) {
    this.#now = now
  }

  acquire(name: string, owner: string, ttlMs: number): Promise<Fence | undefined> {
    const now = this.#now()
    const lease = this.#leases.get(name)
    const isOurs = lease?.owner === owner
    if (lease?.owner !== undefined && !isOurs && lease.untilMs > now) return Promise.resolve(undefined)
    if (!isOurs) this.#lastToken += 1
    const token = isOurs && lease !== undefined ? lease.token : this.#lastToken
    this.#leases.set(name, { owner, token, untilMs: now + ttlMs })
    return Promise.resolve({ name, token })
  }

  release(name: string, owner: string): Promise<void> {
    const lease = this.#leases.get(name)
    if (lease?.owner === owner) this.#leases.set(name, { ...lease, owner: undefined })
    return Promise.resolve()
  }

  /** Whether no later lease than `fence` was given out: what an append checks. */
  holds(fence: Fence): boolean {
    return this.#leases.get(fence.name)?.token === fence.token
  }
}
