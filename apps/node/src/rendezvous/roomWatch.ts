/**
 * Watching a room: the server's stream as an async iterable that connects again by itself, from the cursor of the last
 * item that was taken. Nothing is missed and nothing comes twice: the cursor is the server's own.
 */
import { assert } from '@godwit/protocol/assert'
import { type Failure, ok, type Result } from '@godwit/protocol/errors'
import { type RoomFeedItem, roomFeedItemSchema } from '@godwit/protocol/rendezvousApi'
import { z } from 'zod'
import { pause } from '../lifecycle/pause.js'
import { hostAddresses } from '../network/hostAddresses.js'
import { isMendedByWaiting, retryPauseMs } from './backoff.js'
import { clientFailureOf } from './clientFailure.js'
import type { RendezvousRpc } from './connection.js'

export interface WatchedItem {
  /** Where to go on after this item: keep it with what came of the item. */
  readonly cursor: string
  readonly item: RoomFeedItem
}

export interface WatchRoomOptions {
  readonly rpc: RendezvousRpc
  /** `host:port`, for messages. */
  readonly host: string
  readonly roomId: string
  readonly token: string
  /** The cursor of the last item that was dealt with; undefined to begin at the beginning. */
  readonly lastEventId: string | undefined
  readonly signal: AbortSignal
  /** 0 ≤ x < 1. */
  readonly random: () => number
  /** Told when the stream stands, and with the reason when it broke and is tried again. */
  readonly onConnection?: (failure: Failure | undefined) => void
}

/** Milliseconds between looks whether this machine still has the addresses that a stream was begun with. */
const ADDRESSES_EVERY_MS = 1000
/** Milliseconds until a stream has to stand. */
const CONNECT_TIMEOUT_MS = 10_000
/** Milliseconds after which a stream counts as one that worked. */
const STEADY_MS = 5000
/** Items that wait to be taken (16 MiB at the most); with more the stream is cut and begun again where the taker is. */
const BACKLOG_MAX = 1024

/**
 * Items as they come. Ends when the room is over (behind RoomClosed) or `signal` aborts. A failure that waiting cannot
 * mend (ERR_ROOM_NOT_FOUND …) is the last thing that comes.
 */
export async function* watchRoom(options: WatchRoomOptions): AsyncGenerator<Result<WatchedItem>, void, undefined> {
  const { signal, onConnection } = options
  let cursor = options.lastEventId
  let failures = 0
  while (!signal.aborted) {
    const startedAt = performance.now()
    const stream = openStream(options, cursor)
    let broken: Failure | undefined
    try {
      for (;;) {
        const part = await stream.next()
        if (part.type === 'item') {
          failures = 0
          cursor = part.watched.cursor
          yield ok(part.watched)
        } else if (part.type === 'broken') {
          broken = part.failure
          break
        } else {
          return
        }
      }
    } finally {
      stream.close()
    }
    if (signal.aborted) return
    if (!isMendedByWaiting(broken)) {
      yield { ok: false, failure: broken }
      return
    }
    onConnection?.(broken)
    failures = performance.now() - startedAt >= STEADY_MS ? 1 : failures + 1
    await pause(retryPauseMs(failures, options.random), signal)
  }
}

type Part =
  | { readonly type: 'item'; readonly watched: WatchedItem }
  | { readonly type: 'broken'; readonly failure: Failure }
  /** The room is over, or the watcher has stopped. */
  | { readonly type: 'ended' }

interface Stream {
  /** The next part; after the last one it is that again. */
  next(): Promise<Part>
  close(): void
}

const trackedItem = z.object({ id: z.string().min(1).max(64), data: roomFeedItemSchema })

/** One connection. It never connects again by itself. */
const openStream = (options: WatchRoomOptions, cursor: string | undefined): Stream => {
  const { rpc, host, roomId, token, signal, onConnection } = options
  const parts: WatchedItem[] = []
  let end: Part | undefined
  let wake: (() => void) | undefined
  const finish = (part: Part): void => {
    if (end !== undefined) return
    end = part
    clearTimeout(connectTimer)
    clearInterval(addressTimer)
    signal.removeEventListener('abort', onAbort)
    // Not within a callback of the subscription, which may not stand yet.
    queueMicrotask(() => subscription.unsubscribe())
    wake?.()
  }
  const broken = (failure: Failure): void => finish({ type: 'broken', failure })
  const unreachable: Failure = { code: 'ERR_RENDEZVOUS_UNREACHABLE', detail: host }
  const onAbort = (): void => finish({ type: 'ended' })
  const connectTimer = setTimeout(() => broken(unreachable), CONNECT_TIMEOUT_MS)
  // A connection from an address that is gone hangs until the pings are missed.
  const addresses = addressesKey()
  const addressTimer = setInterval(() => {
    if (addressesKey() !== addresses) broken(unreachable)
  }, ADDRESSES_EVERY_MS)
  signal.addEventListener('abort', onAbort, { once: true })
  const input = cursor === undefined ? { roomId } : { roomId, lastEventId: cursor }
  const subscription = rpc.rooms.watch.subscribe(input, {
    context: { token },
    onData: (received) => {
      if (end !== undefined) return
      const parsed = trackedItem.safeParse(received)
      if (!parsed.success) return broken(unreachable)
      parts.push({ cursor: parsed.data.id, item: parsed.data.data })
      if (parts.length > BACKLOG_MAX) broken(unreachable)
      wake?.()
    },
    onConnectionStateChange: ({ state, error }) => {
      if (end !== undefined) return
      if (state === 'pending') {
        clearTimeout(connectTimer)
        onConnection?.(undefined)
      }
      if (error !== null) broken(clientFailureOf(error, host))
    },
    onError: (error) => broken(clientFailureOf(error, host)),
    onComplete: () => finish({ type: 'ended' }),
  })
  return {
    next: async () => {
      while (parts.length === 0 && end === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        wake = undefined
      }
      const watched = parts.shift()
      if (watched !== undefined && !signal.aborted) return { type: 'item', watched }
      assert(end !== undefined, 'a stream without an item has ended')
      return end
    },
    close: () => finish({ type: 'ended' }),
  }
}

const addressesKey = (): string => hostAddresses('0.0.0.0').join()
