/** The rendezvous' stores in memory: for tests of everything above them. */
import { MAILBOX_MAX_MESSAGES } from '@godwit/protocol/limits'
import type { Mailbox, MailboxMessage, StoredMessage } from './mailbox.js'
import type { RoomDirectory } from './roomDirectory.js'

export class MemoryRoomDirectory implements RoomDirectory {
  readonly #now: () => number
  readonly #nameplates = new Map<string, { readonly roomId: string; readonly endsAt: number }>()
  readonly #due = new Map<string, number>()

  /** @param now - wall clock, milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  async claim(nameplate: string, roomId: string, ttlMs: number): Promise<string> {
    const holder = await this.lookUp(nameplate)
    if (holder !== undefined) return holder
    this.#nameplates.set(nameplate, { roomId, endsAt: this.#now() + ttlMs })
    return roomId
  }

  async replace(nameplate: string, previous: string, roomId: string, ttlMs: number): Promise<boolean> {
    if ((await this.lookUp(nameplate)) !== previous) return false
    this.#nameplates.set(nameplate, { roomId, endsAt: this.#now() + ttlMs })
    return true
  }

  lookUp(nameplate: string): Promise<string | undefined> {
    const mapping = this.#nameplates.get(nameplate)
    return Promise.resolve(mapping !== undefined && mapping.endsAt > this.#now() ? mapping.roomId : undefined)
  }

  release(nameplate: string, roomId: string): Promise<void> {
    if (this.#nameplates.get(nameplate)?.roomId === roomId) this.#nameplates.delete(nameplate)
    return Promise.resolve()
  }

  schedule(roomId: string, dueAt: number): Promise<void> {
    this.#due.set(roomId, dueAt)
    return Promise.resolve()
  }

  unschedule(roomId: string): Promise<void> {
    this.#due.delete(roomId)
    return Promise.resolve()
  }

  due(now: number, limit: number): Promise<readonly string[]> {
    const due = [...this.#due].filter(([, dueAt]) => dueAt <= now).sort((a, b) => a[1] - b[1])
    return Promise.resolve(due.slice(0, limit).map(([roomId]) => roomId))
  }

  count(): Promise<number> {
    return Promise.resolve(this.#due.size)
  }
}

export class MemoryMailbox implements Mailbox {
  readonly #rooms = new Map<string, StoredMessage[]>()
  #lastId = 0

  append(roomId: string, message: MailboxMessage, _expiresAt: number): Promise<string> {
    this.#lastId += 1
    const id = `${this.#lastId}-0`
    this.#rooms.set(roomId, [...(this.#rooms.get(roomId) ?? []), { ...message, id }].slice(-MAILBOX_MAX_MESSAGES))
    return Promise.resolve(id)
  }

  read(roomId: string, afterId: string): Promise<readonly StoredMessage[]> {
    const after = Number.parseInt(afterId, 10)
    return Promise.resolve((this.#rooms.get(roomId) ?? []).filter(({ id }) => Number.parseInt(id, 10) > after))
  }

  delete(roomId: string): Promise<void> {
    this.#rooms.delete(roomId)
    return Promise.resolve()
  }
}
