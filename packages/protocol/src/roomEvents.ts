/**
 * The events of a room's stream, owned by the rendezvous. It knows receivers by ids that it gave out itself: no names,
 * no files, no keys. The sender's node is the authority on admission and guesses.
 */
import { z } from 'zod'

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
/** A receiver's id, as the rendezvous makes it from the room and the receiver's token. */
export const receiverIdSchema = z.string().regex(/^rc[a-z2-7]{16}$/)
const receiver = receiverIdSchema

const event = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ type: z.literal(type), data: z.object(shape) })

export const roomEventSchema = z.discriminatedUnion('type', [
  event('RoomOpened', {
    nameplate: z.string(),
    capacity: count.min(1).max(64),
    /** SHA-256 of the owner's token, hex. The token itself is never stored. */
    ownerTokenHash: z.string(),
    guessesMax: count.min(1),
    /** Wall clock, milliseconds: the end of the room's life. */
    expiresAt: count,
  }),
  event('ReceiverJoined', { receiver, tokenHash: z.string() }),
  /** Places in line are counted from 1. */
  event('ReceiverQueued', { receiver, place: count.min(1) }),
  event('ReceiverAdmitted', { receiver }),
  event('ReceiverLeft', { receiver, reason: z.enum(['left', 'completed', 'failed', 'timeout', 'wrongCode']) }),
  event('GuessFailed', { receiver, guessesLeft: count }),
  event('RoomLocked', {}),
  event('RoomClosed', { reason: z.enum(['completed', 'cancelled', 'expired', 'failed']) }),
])

export type RoomEvent = z.infer<typeof roomEventSchema>
