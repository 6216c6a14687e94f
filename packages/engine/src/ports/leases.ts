/**
 * Leases: who runs a transfer. A token grows with every lease given out for a name, so an append that carries an old
 * one is refused (a fencing token).
 */
import type { Fence } from './eventStore.js'

export interface Leases {
  /**
   * Takes or renews the lease on `name`. The same owner keeps its token; another owner gets a new one once the old
   * lease has run out. Undefined while somebody else holds it. A node's owner name lies in its data directory, whose
   * lock proves that an earlier process of that name is dead, so a node that starts again goes on at once.
   */
  acquire(name: string, owner: string, ttlMs: number): Promise<Fence | undefined>
  /** Gives it back if `owner` still holds it. */
  release(name: string, owner: string): Promise<void>
}
