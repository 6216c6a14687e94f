/**
 * What crosses the boundary between a node and a rendezvous. Bodies of messages are opaque to the rendezvous.
 *
 * Authentication: `Authorization: Bearer <token>`; tokens are made by the nodes (256 bits, base64url), so that opening
 * and joining are idempotent: the same token gets the same answer. The rendezvous keeps their SHA-256 only.
 */
import { z } from 'zod'
import { GUESSES_MAX_GENERATED, MAILBOX_MESSAGE_MAX_BYTES, ROOM_MAX_CAPACITY } from './limits.js'
import { receiverIdSchema, roomEventSchema } from './roomEvents.js'

export const roomIdSchema = z.string().regex(/^rm[a-z2-7]{16}$/)
/** A generated nameplate (digits) or a public room name of a user. */
export const nameplateSchema = z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u)
export const roomTokenSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** `rooms.open` (mutation; bearer: the owner's token). */
export const openRoomInput = z.object({
  capacity: z.number().int().min(1).max(ROOM_MAX_CAPACITY),
  /** A user's own public name; without one the rendezvous gives out a nameplate. */
  name: nameplateSchema.optional(),
  /** The number that the room had before the rendezvous lost it: given out again if it is free. */
  nameplate: z
    .string()
    .regex(/^[1-9][0-9]{0,5}$/)
    .optional(),
  guessesMax: z.number().int().min(1).max(1000).default(GUESSES_MAX_GENERATED),
})
export const openRoomOutput = z.object({
  roomId: roomIdSchema,
  nameplate: nameplateSchema,
  expiresAt: z.number().int(),
})

/** `rooms.join` (mutation; bearer: the receiver's token). */
export const joinRoomInput = z.object({ nameplate: nameplateSchema })
export const joinRoomOutput = z.object({ roomId: roomIdSchema, receiver: receiverIdSchema })

/** `rooms.command` (mutation; bearer: the owner's token). */
export const roomCommandInput = z.object({
  roomId: roomIdSchema,
  command: z.discriminatedUnion('type', [
    z.object({ type: z.literal('admit'), receiver: receiverIdSchema }),
    z.object({
      type: z.literal('dismiss'),
      receiver: receiverIdSchema,
      reason: z.enum(['completed', 'failed', 'timeout']),
    }),
    z.object({ type: z.literal('guessFailed'), receiver: receiverIdSchema }),
    z.object({ type: z.literal('lock') }),
    z.object({ type: z.literal('close'), reason: z.enum(['completed', 'cancelled', 'failed']) }),
  ]),
})
export type RoomCommandInput = z.infer<typeof roomCommandInput>

/** `rooms.leave` (mutation; bearer: the receiver's token). */
export const leaveRoomInput = z.object({ roomId: roomIdSchema })

const bytesOfBase64 = (text: string): number => (text.length / 4) * 3 - (/=*$/.exec(text)?.[0].length ?? 0)

/** `rooms.post` (mutation; bearer: owner's or receiver's token). A receiver always posts to the owner. */
export const postInput = z.object({
  roomId: roomIdSchema,
  /** The owner names the receiver; a receiver leaves it away. */
  to: receiverIdSchema.optional(),
  /** base64 of at most MAILBOX_MESSAGE_MAX_BYTES. */
  body: z
    .base64()
    .max(Math.ceil(MAILBOX_MESSAGE_MAX_BYTES / 3) * 4)
    .refine((body) => bytesOfBase64(body) <= MAILBOX_MESSAGE_MAX_BYTES),
})

/** `rooms.watch` (subscription over SSE; bearer: owner's or receiver's token; tracked by `cursor`). */
export const watchRoomInput = z.object({
  roomId: roomIdSchema,
  lastEventId: z.string().max(64).optional(),
  /**
   * Events are told from behind this version on, where that is earlier than `lastEventId` says; messages are not. A node
   * whose log lost its end has dealt with more than it knows.
   */
  afterEvent: z.number().int().nonnegative().optional(),
})

/**
 * What a watcher gets, oldest first, each tracked by an opaque cursor. The owner gets every event and the messages to
 * it; a receiver gets the events about itself, RoomLocked and RoomClosed, and the messages to it.
 */
export const roomFeedItemSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('event'), roomVersion: z.number().int().min(1), event: roomEventSchema }),
  z.object({ kind: z.literal('message'), from: z.union([z.literal('owner'), receiverIdSchema]), body: z.base64() }),
])
export type RoomFeedItem = z.infer<typeof roomFeedItemSchema>

/** `server.info` (query). */
export const serverInfoOutput = z.object({
  name: z.literal('godwit-rendezvous'),
  version: z.string().regex(/^[A-Za-z0-9.+-]{1,64}$/),
  /** UDP port that tells a node its address as seen from outside; the request's host is the same. */
  udpPort: z.number().int().min(1).max(65_535),
})

/** `server.observeToken` (mutation): a token for the UDP port, valid for a minute; 32 bytes as 43 base64url characters. */
export const observeTokenOutput = z.object({ token: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })

/** The answer to `rooms.command`, `rooms.leave` and `rooms.post`: the room's version at that moment. */
export const roomVersionOutput = z.object({ roomVersion: z.number().int().min(1) })
