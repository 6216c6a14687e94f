/** `rooms.*`: a thin skin over the room service. */
import {
  joinRoomInput,
  joinRoomOutput,
  leaveRoomInput,
  openRoomInput,
  openRoomOutput,
  postInput,
  type RoomFeedItem,
  roomCommandInput,
  roomVersionOutput,
  watchRoomInput,
} from '@godwit/protocol/rendezvousApi'
import { type TrackedEnvelope, tracked } from '@trpc/server'
import { trpcErrorOf, valueOrThrow } from '../failures.js'
import { feedOf, parseCursor } from '../rooms/roomFeed.js'
import { bearerProcedure, type Trpc, takeOrThrow } from './trpc.js'

export const createRoomsRouter = (trpc: Trpc) => {
  const procedure = bearerProcedure(trpc)
  return trpc.router({
    open: procedure
      .input(openRoomInput)
      .output(openRoomOutput)
      .mutation(async ({ ctx: { deps, token, addressKey, isFromThisMachine }, input }) => {
        if (deps.opensForThisMachineOnly && !isFromThisMachine) throw trpcErrorOf({ code: 'ERR_RENDEZVOUS_PRIVATE' })
        takeOrThrow(deps.limits.opens, addressKey)
        return valueOrThrow(await deps.service.open(token, input, (roomId) => deps.openRooms.enter(roomId, addressKey)))
      }),

    join: procedure
      .input(joinRoomInput)
      .output(joinRoomOutput)
      .mutation(async ({ ctx: { deps, token, addressKey }, input }) => {
        takeOrThrow(deps.limits.joins, addressKey)
        if (!deps.limits.failedJoins.has(addressKey)) throw trpcErrorOf({ code: 'ERR_RENDEZVOUS_REFUSED' })
        // The address first: one that has joined too often must not use up the room's joins.
        const mayJoin = (roomId: string): boolean =>
          deps.limits.joinsPerRoomAndAddress.take(`${roomId} ${addressKey}`) && deps.limits.joinsPerRoom.take(roomId)
        const joined = await deps.service.join(token, input.nameplate, mayJoin)
        if (!joined.ok && joined.failure.code === 'ERR_ROOM_NOT_FOUND') deps.limits.failedJoins.take(addressKey)
        return valueOrThrow(joined)
      }),

    command: procedure
      .input(roomCommandInput)
      .output(roomVersionOutput)
      .mutation(async ({ ctx: { deps, token }, input }) => valueOrThrow(await deps.service.command(token, input))),

    leave: procedure
      .input(leaveRoomInput)
      .output(roomVersionOutput)
      .mutation(async ({ ctx: { deps, token }, input }) => valueOrThrow(await deps.service.leave(token, input.roomId))),

    post: procedure
      .input(postInput)
      .output(roomVersionOutput)
      .mutation(async ({ ctx: { deps, token, addressKey }, input }) => {
        takeOrThrow(deps.limits.posts, addressKey)
        const mayPost = (receiver: string): boolean => deps.limits.postsPerReceiver.take(receiver)
        return valueOrThrow(await deps.service.post(token, input, mayPost))
      }),

    watch: procedure.input(watchRoomInput).subscription(async function* ({
      ctx: { deps, token, addressKey },
      input: { roomId, lastEventId, afterEvent },
      signal,
    }): AsyncGenerator<TrackedEnvelope<RoomFeedItem>, void, undefined> {
      const { member } = valueOrThrow(await deps.service.authorize(token, roomId))
      const position = parseCursor(lastEventId)
      if (position === undefined) throw trpcErrorOf({ code: 'ERR_USAGE' })
      if (!deps.limits.watchers.enter(addressKey)) throw trpcErrorOf({ code: 'ERR_RENDEZVOUS_REFUSED' })
      const ended = AbortSignal.any(signal === undefined ? [deps.stopping] : [signal, deps.stopping])
      const note = (): void => {
        // A sign of life that could not be noted is followed by another.
        deps.service.noteOwner(roomId).catch(() => undefined)
      }
      let noting: NodeJS.Timeout | undefined
      if (member.kind === 'owner') {
        note()
        noting = setInterval(note, deps.service.noteIntervalMs)
      }
      try {
        for await (const entry of feedOf(deps.feed, roomId, member, { ...position, afterEvent }, ended)) {
          const { cursor, item } = valueOrThrow(entry)
          yield tracked(cursor, item)
        }
      } finally {
        clearInterval(noting)
        deps.limits.watchers.leave(addressKey)
      }
      // A stream that only this server's end cut off has to be told from one that is over.
      if (deps.stopping.aborted) throw trpcErrorOf({ code: 'ERR_RENDEZVOUS_UNREACHABLE' })
    }),
  })
}
