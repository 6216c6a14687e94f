/** Virtual time and what is to happen in it, in order of time and, within an instant, of arrangement. */

interface Entry<T> {
  readonly atUs: number
  readonly sequence: number
  readonly value: T
}

/** A binary heap of things to come; `nowUs` moves when one is taken. */
export class VirtualClock<T> {
  readonly #heap: Entry<T>[] = []
  #sequence = 0
  nowUs = 0

  get isEmpty(): boolean {
    return this.#heap.length === 0
  }

  get count(): number {
    return this.#heap.length
  }

  /** Time of the next entry; Infinity for none. */
  get nextUs(): number {
    return this.#heap[0]?.atUs ?? Number.POSITIVE_INFINITY
  }

  schedule(atUs: number, value: T): void {
    const heap = this.#heap
    const entry = { atUs: Math.max(atUs, this.nowUs), sequence: this.#sequence++, value }
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, entry)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  /** Takes the next entry that is due by `untilUs`; undefined for none. Time moves to it. */
  take(untilUs: number): T | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.atUs > untilUs) return undefined
    const last = heap.pop()
    if (last !== undefined && heap.length > 0) {
      let at = 0
      for (;;) {
        let child = 2 * at + 1
        const left = heap[child]
        if (left === undefined) break
        const right = heap[child + 1]
        if (right !== undefined && isBefore(right, left)) child += 1
        const smaller = heap[child]
        if (smaller === undefined || isBefore(last, smaller)) break
        heap[at] = smaller
        at = child
      }
      heap[at] = last
    }
    this.nowUs = Math.max(this.nowUs, first.atUs)
    return first.value
  }
}

const isBefore = <T>(left: Entry<T>, right: Entry<T>): boolean =>
  left.atUs < right.atUs || (left.atUs === right.atUs && left.sequence < right.sequence)
