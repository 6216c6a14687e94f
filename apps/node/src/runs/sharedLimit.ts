/**
 * The node's limit, shared among the transfers that send: in proportion to their priorities, and what one does not take
 * because of a limit of its own goes to the others.
 */
export interface Share {
  readonly priority: number
  /** Bytes a second of the transfer's own; null for none. */
  readonly limit: number | null
}

interface Sharer extends Share {
  /** Told of its part, bytes a second; null for no limit. */
  readonly apply: (limit: number | null) => void
}

/** Bytes a second of each share, in their order; null where neither the node nor the transfer has a limit. */
export const partsOf = (total: number | null, shares: readonly Share[]): readonly (number | null)[] => {
  if (total === null) return shares.map(({ limit }) => limit)
  const parts: (number | null)[] = shares.map(() => null)
  let left = total
  for (;;) {
    const open = shares.flatMap((share, index) => (parts[index] === null ? [{ ...share, index }] : []))
    const weight = open.reduce((sum, { priority }) => sum + priority, 0)
    const fair = (priority: number): number => (left * priority) / weight
    const modest = open.filter(({ limit, priority }) => limit !== null && limit <= fair(priority))
    if (modest.length === 0) {
      for (const { index, priority } of open) parts[index] = Math.max(1, Math.floor(fair(priority)))
      return parts
    }
    for (const { index, limit } of modest) {
      parts[index] = limit
      left -= limit ?? 0
    }
  }
}

/** One of `count` equal parts of a limit in bytes a second; null for none. */
export const partOfLimit = (limit: number | null, count: number): number | null =>
  limit === null ? null : Math.max(1, Math.floor(limit / count))

export class SharedLimit {
  #total: number | null
  readonly #sharers = new Map<string, Sharer>()

  constructor(total: number | null) {
    this.#total = total
  }

  setTotal(total: number | null): void {
    this.#total = total
    this.#share()
  }

  /** `transferId` sends from now on, or with another priority or limit. */
  join(transferId: string, sharer: Sharer): void {
    this.#sharers.set(transferId, sharer)
    this.#share()
  }

  leave(transferId: string): void {
    if (this.#sharers.delete(transferId)) this.#share()
  }

  #share(): void {
    const sharers = [...this.#sharers.values()]
    const parts = partsOf(this.#total, sharers)
    for (const [index, { apply }] of sharers.entries()) apply(parts[index] ?? null)
  }
}
