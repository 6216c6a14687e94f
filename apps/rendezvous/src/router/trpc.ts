/** tRPC set up for this server: the context of a request, the error format, and who may call what. */
import { initTRPC, TRPCError } from '@trpc/server'
import { AddressCount } from '../addressCount.js'
import { isThisMachine, limitKeyOf } from '../addresses.js'
import { godwitDataOf, trpcErrorOf } from '../failures.js'
import type { ObserveTokens } from '../observe/observeTokens.js'
import type { RendezvousOptions } from '../options.js'
import { RateLimiter } from '../rateLimiter.js'
import type { OpenRooms } from '../rooms/openRooms.js'
import type { RoomFeedDeps } from '../rooms/roomFeed.js'
import type { RoomService } from '../rooms/roomService.js'

/** What procedures work with; one for the whole server. */
export interface RouterDeps {
  readonly service: RoomService
  readonly feed: RoomFeedDeps
  readonly tokens: ObserveTokens
  readonly limits: RouterLimits
  /** Rooms by the address that opened them. */
  readonly openRooms: OpenRooms
  readonly opensForThisMachineOnly: boolean
  readonly version: string
  /** The UDP port for observed addresses, once it is bound. */
  readonly udpPort: () => number
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal
}

export interface RouterLimits {
  readonly opens: RateLimiter
  readonly joins: RateLimiter
  readonly joinsPerRoom: RateLimiter
  readonly joinsPerRoomAndAddress: RateLimiter
  readonly failedJoins: RateLimiter
  readonly posts: RateLimiter
  readonly postsPerReceiver: RateLimiter
  readonly watchers: AddressCount
}

/** @param now - milliseconds of a clock that never goes back. */
export const routerLimits = (options: RendezvousOptions, now: () => number): RouterLimits => ({
  opens: new RateLimiter(options.opens, now),
  joins: new RateLimiter(options.joins, now),
  joinsPerRoom: new RateLimiter(options.joinsPerRoom, now),
  joinsPerRoomAndAddress: new RateLimiter(options.joinsPerRoomAndAddress, now),
  failedJoins: new RateLimiter(options.failedJoins, now),
  posts: new RateLimiter(options.posts, now),
  postsPerReceiver: new RateLimiter(options.postsPerReceiver, now),
  watchers: new AddressCount(options.watchersMax, options.watchersPerAddressMax),
})

export interface RequestContext {
  readonly deps: RouterDeps
  /** By which limits count; see `limitKeyOf`. */
  readonly addressKey: string
  /** Whether it comes from a process of the machine that the rendezvous runs on. */
  readonly isFromThisMachine: boolean
  /** The bearer token; undefined where none of the right form came. */
  readonly token: string | undefined
}

/** 256 bits as base64url: `roomTokenSchema`, without a parser's error that would quote the token. */
const BEARER = /^Bearer ([A-Za-z0-9_-]{43})$/

export const requestContextOf = (
  deps: RouterDeps,
  request: {
    readonly ip: string
    /** Where the connection came in. */
    readonly localIp: string | undefined
    readonly authorization: string | undefined
  },
): RequestContext => ({
  deps,
  addressKey: limitKeyOf(request.ip),
  isFromThisMachine: isThisMachine(request.ip, request.localIp),
  token: BEARER.exec(request.authorization ?? '')?.[1],
})

/** Settings of the streams; the node's side reconnects after `reconnectAfterInactivityMs` without a ping. */
export interface StreamOptions {
  readonly pingIntervalMs: number
  readonly inactivityMs: number
}

export const createTrpc = ({ pingIntervalMs, inactivityMs }: StreamOptions) =>
  initTRPC.context<RequestContext>().create({
    isDev: false,
    sse: {
      ping: { enabled: true, intervalMs: pingIntervalMs },
      client: { reconnectAfterInactivityMs: inactivityMs },
    },
    errorFormatter: ({ shape, error }) => {
      const godwit = godwitDataOf(error)
      return {
        ...shape,
        message: godwit.message,
        data: { code: shape.data.code, httpStatus: shape.data.httpStatus, godwit },
      }
    },
  })

export type Trpc = ReturnType<typeof createTrpc>

/** A procedure for whoever brings a token of the right form; whether it fits a room is for the room service to say. */
export const bearerProcedure = (trpc: Trpc) =>
  trpc.procedure.use(({ ctx, next }) => {
    if (ctx.token === undefined) throw new TRPCError({ code: 'UNAUTHORIZED' })
    return next({ ctx: { ...ctx, token: ctx.token } })
  })

/** Lets a request pass if its address may do this once more. */
export const takeOrThrow = (limiter: RateLimiter, key: string): void => {
  if (!limiter.take(key)) throw trpcErrorOf({ code: 'ERR_RENDEZVOUS_REFUSED' })
}
