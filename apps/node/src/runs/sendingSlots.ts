/**
 * The bound on transfers that send at once. Who finds no place waits for its turn: a higher priority first, then the
 * older one. Nobody who sends is put out for somebody else. Only senders count: a receiver that waited for a place of its
 * own could wait for a sender that waits for it.
 */
import { assert } from '@godwit/protocol/assert'

export interface Waiting {
  readonly priority: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** It has a place from now on. */
  readonly onTurn: () => void
}

export class SendingSlots {
  #max: number
  #isOpen: boolean
  readonly #holders = new Set<string>()
  readonly #waiting = new Map<string, Waiting>()

  /** @param isOpen - false at a node's start: who waits gets nothing until `open`, when all who wait are known. */
  constructor(max: number, isOpen = true) {
    this.#isOpen = isOpen
    assert(max >= 1, 'somebody may send')
    this.#max = max
  }

  /** With fewer places than are taken, those who have one keep it. */
  setMax(max: number): void {
    assert(max >= 1, 'somebody may send')
    this.#max = max
    this.#fill()
  }

  /** The queue moves from now on. */
  open(): void {
    this.#isOpen = true
    this.#fill()
  }

  has(transferId: string): boolean {
    return this.#holders.has(transferId)
  }

  /** A place for `transferId`, or false where there is none. One that has its place keeps it. */
  take(transferId: string): boolean {
    if (this.#holders.has(transferId)) return true
    if (this.#holders.size >= this.#max) return false
    this.#holders.add(transferId)
    return true
  }

  /** Waits for a place; with another priority than before it waits at another position. */
  wait(transferId: string, waiting: Waiting): void {
    if (this.#holders.has(transferId)) {
      waiting.onTurn()
      return
    }
    this.#waiting.set(transferId, waiting)
    this.#fill()
  }

  /** Gives up the place and the wait. */
  release(transferId: string): void {
    this.#waiting.delete(transferId)
    if (this.#holders.delete(transferId)) this.#fill()
  }

  #fill(): void {
    if (!this.#isOpen) return
    const inOrder = [...this.#waiting].sort(([, a], [, b]) => b.priority - a.priority || a.createdAt - b.createdAt)
    for (const [transferId, { onTurn }] of inOrder.slice(0, Math.max(0, this.#max - this.#holders.size))) {
      this.#waiting.delete(transferId)
      this.#holders.add(transferId)
      onTurn()
    }
  }
}
