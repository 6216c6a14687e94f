/**
 * A run's link to its room: watches it, posts to it, and never gives up while the run lasts. What comes is handed on in
 * order; the next item waits until the one before has been dealt with.
 */
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises'
import type { Failure } from '@godwit/protocol/errors'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import type { TransferRecords } from '../records/transferRecord.js'
import type { RendezvousClient } from '../rendezvous/rendezvousClient.js'
import { FeedPace } from './feedPace.js'

/** Tries of one message; a handshake that loses one begins again anyway. */
const POST_TRIES = 3
const POST_RETRY_MS = 300
/** Messages that wait for the rendezvous at once: more are no use to handshakes that have 30 s. */
const POSTS_MAX = 64

export interface RoomLinkOptions {
  readonly client: RendezvousClient
  readonly roomId: string
  readonly token: string
  /** Where the last run of this transfer was in the feed. */
  readonly cursor: string | undefined
  /** Keeps the cursor of a message before it is dealt with: an old handshake message must never be taken in again. */
  readonly saveCursor: (cursor: string) => void
  readonly onItem: (item: RoomFeedItem) => Promise<void>
  /** The rendezvous answers with something that waiting cannot mend: the room is gone. */
  readonly onGone: (failure: Failure) => void
  readonly onReachable: (failure: Failure | undefined) => void
}

export class RoomLink {
  readonly #options: RoomLinkOptions
  readonly #stopping = new AbortController()
  readonly #pace = new FeedPace(performance.now())
  #watching: Promise<void> | undefined
  #posts = 0

  constructor(options: RoomLinkOptions) {
    this.#options = options
  }

  start(): void {
    this.#watching ??= this.#watch()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
  }

  /** Leaves a message for a receiver, or (undefined) for the sender. False when it could not be left. */
  async post(body: Uint8Array, to?: string): Promise<boolean> {
    if (this.#posts >= POSTS_MAX) return false
    this.#posts += 1
    try {
      return await this.#post(body, to)
    } finally {
      this.#posts -= 1
    }
  }

  async #post(body: Uint8Array, to: string | undefined): Promise<boolean> {
    const { client, roomId, token } = this.#options
    for (let tries = 1; ; tries++) {
      const posted = await client.post(token, roomId, body, to)
      if (posted.ok) return true
      if (tries === POST_TRIES || this.#stopping.signal.aborted) return false
      await new Promise((resolve) => setTimeout(resolve, POST_RETRY_MS))
    }
  }

  async #watch(): Promise<void> {
    const { client, roomId, token, cursor, saveCursor, onItem, onGone, onReachable } = this.#options
    const { signal } = this.#stopping
    for await (const result of client.watch(roomId, token, cursor, signal, onReachable)) {
      if (signal.aborted) return
      if (!result.ok) {
        onGone(result.failure)
        return
      }
      // Between any two items everything else of this node has its turn.
      const waitMs = this.#pace.take(performance.now())
      await (waitMs > 0 ? delay(waitMs, undefined, { signal }) : immediate()).catch(() => undefined)
      if (signal.aborted) return
      // An event is not lost by this: it is behind every message that was dealt with, and comes again.
      if (result.value.item.kind === 'message') saveCursor(result.value.cursor)
      await onItem(result.value.item)
    }
  }
}

/** Keeps the cursor in the transfer's record, for one room: another room begins anew. */
export const cursorKeeping = (
  records: TransferRecords,
  transferId: string,
  roomId: string,
): Pick<RoomLinkOptions, 'cursor' | 'saveCursor'> => {
  const kept = records.readCursor(transferId)
  return {
    cursor: kept?.roomId === roomId ? kept.cursor : undefined,
    saveCursor: (cursor) => records.writeCursor(transferId, { roomId, cursor }),
  }
}
