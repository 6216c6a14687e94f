/**
 * A run's link to its room: watches it, posts to it, and never gives up while the run lasts. What comes is handed on in
 * order; the next item waits until the one before has been dealt with.
 */
import { setImmediate as immediate } from 'node:timers/promises'
import type { Failure } from '@godwit/protocol/errors'
import type { RoomFeedItem } from '@godwit/protocol/rendezvousApi'
import { pause } from '../lifecycle/pause.js'
import type { TransferRecords } from '../records/transferRecord.js'
import { isMendedByWaiting, retryPauseMs } from '../rendezvous/backoff.js'
import { describe } from '../transfers/transferLog.js'
import { FeedPace } from './feedPace.js'
import type { Rendezvous } from './runContext.js'

/** Tries of one message; a handshake that loses one begins again anyway. */
const POST_TRIES = 3
const POST_RETRY_MS = 300
/** Messages that wait for the rendezvous at once: more are no use to handshakes that have 30 s. */
const POSTS_MAX = 64

export interface RoomLinkOptions {
  readonly client: Rendezvous
  readonly roomId: string
  readonly token: string
  /** Where the last run of this transfer was in the feed. */
  readonly cursor: string | undefined
  /** Keeps the cursor of a message before it is dealt with: an old handshake message must never be taken in again. */
  readonly saveCursor: (cursor: string) => void
  readonly onItem: (item: RoomFeedItem) => Promise<void>
  /** The rendezvous answers with something that waiting cannot mend: the room is gone. */
  readonly onGone: (failure: Failure) => void
  /** What the link goes through, for the log. */
  readonly onTrouble: (trouble: string) => void
}

export class RoomLink {
  readonly #options: RoomLinkOptions
  readonly #stopping = new AbortController()
  readonly #pace = new FeedPace(performance.now())
  #watching: Promise<void> | undefined
  /** Behind what was dealt with. */
  #cursor: string | undefined
  #posts = 0

  constructor(options: RoomLinkOptions) {
    this.#options = options
    this.#cursor = options.cursor
  }

  start(): void {
    if (!this.#stopping.signal.aborted) this.#watching ??= this.#watch()
  }

  /** Resolves when what is being dealt with has been. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
  }

  /** Leaves a message for a receiver, or (undefined) for the sender. One that could not be left costs a handshake. */
  async post(body: Uint8Array, to?: string): Promise<void> {
    if (this.#posts >= POSTS_MAX) return
    this.#posts += 1
    try {
      await this.#post(body, to)
    } finally {
      this.#posts -= 1
    }
  }

  async #post(body: Uint8Array, to: string | undefined): Promise<void> {
    const { client, roomId, token } = this.#options
    for (let tries = 1; ; tries++) {
      const posted = await client.post(token, roomId, body, to)
      const isFinal = posted.ok || tries === POST_TRIES || !isMendedByWaiting(posted.failure)
      if (isFinal || this.#stopping.signal.aborted) return
      await pause(POST_RETRY_MS, this.#stopping.signal)
    }
  }

  /** Never rejects. An item that could not be dealt with, because the log or the disk refused, is taken in again. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopping
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#follow(() => {
          failures = 0
        })
        return
      } catch (error) {
        this.#options.onTrouble(`an item of the room could not be dealt with: ${String(error)}`)
        await pause(retryPauseMs(failures, Math.random), signal)
      }
    }
  }

  async #follow(onDealtWith: () => void): Promise<void> {
    const { client, roomId, token, saveCursor, onItem, onGone, onTrouble } = this.#options
    const { signal } = this.#stopping
    const onReachable = (failure: Failure | undefined): void => {
      if (failure !== undefined) onTrouble(describe(failure))
    }
    for await (const result of client.watch(roomId, token, this.#cursor, signal, onReachable)) {
      if (signal.aborted) return
      if (!result.ok) {
        onGone(result.failure)
        return
      }
      // Between any two items everything else of this node has its turn.
      const waitMs = this.#pace.take(performance.now())
      await (waitMs > 0 ? pause(waitMs, signal) : immediate())
      if (signal.aborted) return
      const { cursor, item } = result.value
      if (item.kind === 'message') {
        saveCursor(cursor)
        this.#cursor = cursor
      }
      await onItem(item)
      // Of events only in memory: they are behind every message that was dealt with, and come again after a restart.
      this.#cursor = cursor
      onDealtWith()
    }
  }
}

/**
 * Keeps the cursor in the transfer's record, for one room: another room begins anew.
 *
 * @param mirroredVersion - the last of the room's events that the log has. A log that has lost some gets them again;
 * messages never come again.
 */
export const cursorKeeping = (
  records: TransferRecords,
  transferId: string,
  roomId: string,
  mirroredVersion: number,
): Pick<RoomLinkOptions, 'cursor' | 'saveCursor'> => {
  const kept = records.readCursor(transferId)
  return {
    cursor: kept?.roomId === roomId ? cursorBehind(kept.cursor, mirroredVersion) : undefined,
    saveCursor: (cursor) => records.writeCursor(transferId, { roomId, cursor }),
  }
}

/** Where the events behind `version` and the messages behind the cursor's come: docs/protocol/rendezvous.md §4. */
const cursorBehind = (cursor: string, version: number): string =>
  cursor.replace(/^\d+(?=_)/, (known) => String(Math.min(Number(known), version)))
