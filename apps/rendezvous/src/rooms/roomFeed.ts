/**
 * What a watcher of a room gets: the room's events and the messages to it in one order, each with a cursor from which
 * another stream goes on, without a gap and without a repeat.
 *
 * The order: a message stands behind the events that the room had when it was posted. The cursor holds both positions,
 * `<version of the last event>_<id of the last message>`, and is opaque to nodes.
 */
import { fail, ok, type Result } from '@godwit/protocol/errors'
import { type RoomFeedItem, roomFeedItemSchema } from '@godwit/protocol/rendezvousApi'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import { FIRST_MESSAGE_ID, type Mailbox, type StoredMessage } from '../stores/mailbox.js'
import type { RoomBell } from '../stores/roomBell.js'
import type { RoomRepository } from './roomRepository.js'
import type { Member } from './roomService.js'

export interface FeedPosition {
  readonly version: number
  readonly messageId: string
}

export interface FeedEntry {
  readonly cursor: string
  readonly item: RoomFeedItem
}

const CURSOR = /^(0|[1-9][0-9]{0,9})_([0-9]{1,16}-[0-9]{1,16})$/

/** The position that a cursor stands for; undefined for anything that is not one. No cursor is the beginning. */
export const parseCursor = (cursor: string | undefined): FeedPosition | undefined => {
  if (cursor === undefined) return { version: 0, messageId: FIRST_MESSAGE_ID }
  const match = CURSOR.exec(cursor)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  return { version: Number(match[1]), messageId: match[2] }
}

export interface RoomFeedDeps {
  readonly rooms: RoomRepository
  readonly mailbox: Mailbox
  readonly bell: RoomBell
}

/**
 * Entries of a room from `position` on, first those there are, then each as it comes. Ends behind RoomClosed, and when
 * `signal` aborts; fails with ERR_ROOM_NOT_FOUND when the room was forgotten, or was not the one that the position
 * comes from. Events begin behind `afterEvent`, where that is earlier.
 */
export async function* feedOf(
  deps: RoomFeedDeps,
  roomId: string,
  member: Member,
  position: FeedPosition & { readonly afterEvent?: number | undefined },
  signal: AbortSignal,
): AsyncGenerator<Result<FeedEntry>, void, undefined> {
  let { messageId } = position
  let version = Math.min(position.version, position.afterEvent ?? position.version)
  // Also where events are told again: a room that has fewer than the cursor says is another one.
  let versionAtLeast = position.version
  let isDue = false
  let resume: (() => void) | undefined
  const wake = (): void => {
    isDue = true
    resume?.()
  }
  const stopListening = deps.bell.listen(roomId, wake)
  signal.addEventListener('abort', wake, { once: true })
  try {
    while (!signal.aborted) {
      isDue = false
      // Messages first: then the events that stand before them are certainly among those read.
      const messages = await deps.mailbox.read(roomId, messageId)
      const events = await deps.rooms.eventsFrom(roomId, version + 1)
      const room = await deps.rooms.load(roomId)
      if (room.version < versionAtLeast || room.state.status === 'none') {
        yield fail('ERR_ROOM_NOT_FOUND')
        return
      }
      for (const next of merged(events, messages)) {
        if (signal.aborted) return
        if (next.kind === 'event') {
          version = next.version
          versionAtLeast = Math.max(version, versionAtLeast)
        } else messageId = next.message.id
        const item = itemFor(member, next)
        if (item !== undefined) yield ok({ cursor: `${version}_${messageId}`, item })
      }
      if (room.state.status === 'closed' && version >= room.version) return
      if (isDue || signal.aborted) continue
      await new Promise<void>((resolve) => {
        resume = resolve
      })
      resume = undefined
    }
  } finally {
    stopListening()
    signal.removeEventListener('abort', wake)
  }
}

type Entry =
  | { readonly kind: 'event'; readonly version: number; readonly event: RoomEvent }
  | { readonly kind: 'message'; readonly message: StoredMessage }

const merged = (
  events: readonly { readonly version: number; readonly event: RoomEvent }[],
  messages: readonly StoredMessage[],
): readonly Entry[] => {
  const entries: Entry[] = []
  let nextEvent = 0
  for (const message of messages) {
    for (
      let one = events[nextEvent];
      one !== undefined && one.version <= message.afterVersion;
      one = events[nextEvent]
    ) {
      entries.push({ kind: 'event', ...one })
      nextEvent += 1
    }
    entries.push({ kind: 'message', message })
  }
  for (const one of events.slice(nextEvent)) entries.push({ kind: 'event', ...one })
  return entries
}

/** What of an entry concerns a member; undefined for what does not. */
const itemFor = (member: Member, entry: Entry): RoomFeedItem | undefined => {
  if (entry.kind === 'message') {
    const { from, to, body } = entry.message
    if (to !== (member.kind === 'owner' ? 'owner' : member.receiver)) return undefined
    return roomFeedItemSchema.parse({ kind: 'message', from, body })
  }
  const { event, version } = entry
  if (member.kind === 'receiver') {
    const isForAll = event.type === 'RoomLocked' || event.type === 'RoomClosed'
    if (!isForAll && !('receiver' in event.data && event.data.receiver === member.receiver)) return undefined
  }
  return { kind: 'event', roomVersion: version, event: withoutHashes(event) }
}

/** Nobody outside needs the hashes of tokens. */
const withoutHashes = (event: RoomEvent): RoomEvent => {
  if (event.type === 'RoomOpened') return { ...event, data: { ...event.data, ownerTokenHash: '' } }
  if (event.type === 'ReceiverJoined') return { ...event, data: { ...event.data, tokenHash: '' } }
  return event
}
