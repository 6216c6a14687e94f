import { MemoryEventStore } from '@godwit/engine/memory/eventStore'
import { assert } from '@godwit/protocol/assert'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defaultOptions } from '../options.js'
import { MemoryMailbox, MemoryRoomDirectory } from '../stores/memoryStores.js'
import { LocalRoomBell } from '../stores/roomBell.js'
import { OpenRooms } from './openRooms.js'
import { type FeedEntry, feedOf, parseCursor } from './roomFeed.js'
import { RoomRepository } from './roomRepository.js'
import { RoomService } from './roomService.js'

const OWNER = 'owner'
const RECEIVERS = ['a', 'b', 'c'] as const

type Action =
  | { readonly type: 'join' | 'leave' | 'post' | 'admit' | 'answer' | 'guessFailed'; readonly receiver: number }
  /** A watcher connects at the last cursor it has seen, takes some items and is cut off. */
  | { readonly type: 'watch'; readonly receiver: number; readonly take: number }

const receiver = fc.integer({ min: 0, max: RECEIVERS.length - 1 })
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    type: fc.constantFrom('join', 'leave', 'post', 'admit', 'answer', 'guessFailed' as const),
    receiver,
  }),
  fc.record({
    type: fc.constant('watch' as const),
    receiver: fc.integer({ min: -1, max: RECEIVERS.length - 1 }),
    take: fc.nat(6),
  }),
)

const createRoom = async () => {
  const now = (): number => 1_000_000
  const bell = new LocalRoomBell()
  const rooms = new RoomRepository(new MemoryEventStore<RoomEvent>({ now }), bell)
  const mailbox = new MemoryMailbox()
  const directory = new MemoryRoomDirectory(now)
  const service = new RoomService({
    rooms,
    directory,
    mailbox,
    bell,
    openRooms: new OpenRooms(1),
    options: defaultOptions,
    now,
  })
  const opened = await service.open(OWNER, { capacity: 1, guessesMax: 20 }, () => true)
  assert(opened.ok, 'a room is opened')
  return { service, feed: { rooms, mailbox, bell }, ...opened.value }
}

test('however often watchers are cut off, together they see each item once, in the order of one that stayed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      const { service, feed, roomId, nameplate } = await createRoom()
      const ids = new Map<string, string>()
      const seen = new Map<string, FeedEntry[]>()

      const watch = async (token: string, take: number): Promise<void> => {
        const authorized = await service.authorize(token, roomId)
        if (!authorized.ok) return
        const entries = seen.get(token) ?? []
        seen.set(token, entries)
        const position = parseCursor(entries.at(-1)?.cursor)
        assert(position !== undefined, 'a cursor of the feed is one')
        const aborter = new AbortController()
        if (take === 0) return
        let taken = 0
        // A stream that waits for more is let go; that of a closed room ends by itself.
        const isOpen = authorized.value.room.status !== 'closed'
        const letGo = isOpen ? setTimeout(() => aborter.abort(), 5) : undefined
        for await (const entry of feedOf(feed, roomId, authorized.value.member, position, aborter.signal)) {
          assert(entry.ok, 'the room is there')
          entries.push(entry.value)
          taken += 1
          if (taken >= take) break
        }
        clearTimeout(letGo)
      }

      const perform = async (next: Action): Promise<unknown> => {
        const token = next.receiver < 0 ? OWNER : (RECEIVERS[next.receiver] ?? OWNER)
        const id = ids.get(token) ?? 'rcaaaaaaaaaaaaaaaa'
        switch (next.type) {
          case 'join': {
            const joined = await service.join(token, nameplate, () => true)
            if (joined.ok) ids.set(token, joined.value.receiver)
            return joined
          }
          case 'leave':
            return service.leave(token, roomId)
          case 'post':
            return service.post(token, { roomId, body: 'aGk=' }, () => true)
          case 'answer':
            return service.post(OWNER, { roomId, to: id, body: 'aG8=' }, () => true)
          case 'watch':
            return watch(token, next.take)
          default:
            return service.command(OWNER, { roomId, command: { type: next.type, receiver: id } })
        }
      }
      for (const next of actions) await perform(next)
      await service.command(OWNER, { roomId, command: { type: 'close', reason: 'completed' } })

      for (const token of [OWNER, ...RECEIVERS]) {
        await watch(token, 1000)
        const pieces = seen.get(token) ?? []
        seen.set(token, [])
        await watch(token, 1000)
        const whole = seen.get(token) ?? []
        expect([...pieces].map(key).sort()).toEqual([...whole].map(key).sort())
        // Events stay in their order, and so do messages; a message may have been posted after a later event was seen.
        for (const kind of ['event', 'message'] as const) {
          const only = (entries: readonly FeedEntry[]) => entries.filter(({ item }) => item.kind === kind).map(key)
          expect(only(pieces)).toEqual(only(whole))
        }
      }
    }),
    { numRuns: 60 },
  )
})

/** What an entry is, wherever in the order it was seen: the part of its cursor that it moved. */
const key = ({ cursor, item }: FeedEntry): string => {
  const [version, messageId] = cursor.split('_')
  return item.kind === 'event' ? `event ${version} ${item.event.type}` : `message ${messageId} ${item.body}`
}
