/**
 * Wakes those who watch a room. A ring is a hint and carries nothing: whoever hears it reads the streams. It may come
 * without need, and it may be late, but one comes after every change.
 */
export interface RoomBell {
  /** Tells every watcher of a room, in this process and in others on the same store. */
  ring(roomId: string): void
  /** Calls `onRing` at every ring until the returned function is called. */
  listen(roomId: string, onRing: () => void): () => void
}

/** A bell within one process. */
export class LocalRoomBell implements RoomBell {
  readonly #listeners = new Map<string, Set<() => void>>()

  ring(roomId: string): void {
    for (const onRing of [...(this.#listeners.get(roomId) ?? [])]) onRing()
  }

  /** Rings for all rooms: after a time in which rings may have been lost. */
  ringAll(): void {
    for (const roomId of [...this.#listeners.keys()]) this.ring(roomId)
  }

  listen(roomId: string, onRing: () => void): () => void {
    const listeners = this.#listeners.get(roomId) ?? new Set()
    this.#listeners.set(roomId, listeners.add(onRing))
    return () => {
      listeners.delete(onRing)
      if (listeners.size === 0 && this.#listeners.get(roomId) === listeners) this.#listeners.delete(roomId)
    }
  }
}
