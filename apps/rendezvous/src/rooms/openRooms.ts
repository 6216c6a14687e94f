/** Rooms that are open, by the address that opened them: as far as this process has opened them itself. */
import { AddressCount } from '../addressCount.js'

export class OpenRooms {
  readonly #counts: AddressCount
  readonly #openers = new Map<string, string>()

  constructor(perAddressMax: number) {
    this.#counts = new AddressCount(Number.POSITIVE_INFINITY, perAddressMax)
  }

  /** Counts a room that is about to be opened; false where its address has too many. */
  enter(roomId: string, addressKey: string): boolean {
    if (this.#openers.has(roomId)) return true
    if (!this.#counts.enter(addressKey)) return false
    this.#openers.set(roomId, addressKey)
    return true
  }

  /** The room is closed, or was not opened after all. */
  leave(roomId: string): void {
    const addressKey = this.#openers.get(roomId)
    if (addressKey === undefined) return
    this.#openers.delete(roomId)
    this.#counts.leave(addressKey)
  }
}
