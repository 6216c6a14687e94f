/**
 * The events of a transfer's stream, one stream per transfer on each node: facts at the scale of a checkpoint window,
 * never of a packet. No secrets and no file names: names live in the transfer's record beside the log.
 *
 * A shape that changes raises the schema: see `transferEventUpcasts.ts`.
 *
 * Chunks are numbered across the whole manifest, so `[first, count]` pairs of one number line say it all.
 */
import { z } from 'zod'
import type { ErrorCode } from './errors.js'
import { isErrorCode } from './errors.js'
import { EVENT_RANGES_MAX } from './limits.js'
import { profileSchema } from './profile.js'
import { prioritySchema, scheduleSchema } from './schedule.js'

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const receiver = z.string().min(1).max(64)
const errorCode = z.custom<ErrorCode>(isErrorCode, 'an error code')

/** `[first chunk, number of chunks]`, ascending, without overlaps. */
export const chunkRangesSchema = z.array(z.tuple([count, count.min(1)])).max(EVENT_RANGES_MAX)
export type ChunkRanges = z.infer<typeof chunkRangesSchema>

const event = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ type: z.literal(type), data: z.object(shape) })

export const transferEventSchema = z.discriminatedUnion('type', [
  event('TransferEnqueued', {
    role: z.enum(['sender', 'receiver']),
    submissionId: z.string().min(1).max(128),
    /** Receivers served at once (sender). */
    capacity: count.min(1).max(64),
    /** Receivers that must have everything before the transfer is complete (sender). */
    receiversWanted: count.min(1),
    /** Bytes a second, or null for no limit. */
    limit: count.nullable(),
    /** How it shares the path with others (sender), or null for the default. */
    profile: profileSchema.nullable(),
    /** What is sent; 0 on a receiver until the offer is known. */
    fileCount: count,
    totalBytes: count,
    chunkCount: count,
    /** Whether a receiver accepts without being asked. */
    acceptsAtOnce: z.boolean(),
  }),
  event('RoomEntered', {
    roomId: z.string(),
    nameplate: z.string(),
    /** Where the rendezvous answers, for this node. */
    rendezvousUrl: z.string(),
    /** `host:port` that the code carries, where the sender hosts the rendezvous itself. */
    advertise: z.string().nullable(),
    /** On a receiver: its own id in the room. */
    receiver: receiver.nullable(),
    /** On a sender: the rendezvous had lost the room of this id, and this is another one, in which nobody is yet. */
    isAnother: z.boolean().optional(),
  }),
  /** Mirrored from the room; `roomVersion` makes the mirroring idempotent. */
  event('ReceiverJoined', { receiver, roomVersion: count }),
  event('ReceiverQueued', { receiver, place: count.min(1), roomVersion: count }),
  event('ReceiverAdmitted', { receiver, roomVersion: count }),
  event('ReceiverLeft', { receiver, reason: z.string().max(64), roomVersion: count }),
  event('RoomClosed', { reason: z.string().max(64), roomVersion: count }),
  event('GuessFailed', { receiver, guessesLeft: count }),
  event('RoomLocked', {}),
  /** The handshake succeeded: both sides know the same secret. `name` is the other side's device as it calls itself. */
  event('PeerPaired', { receiver, name: z.string().max(64) }),
  event('SessionOpened', {
    receiver,
    /** 1, 2, 3 … for each session of this receiver on this node. */
    session: count.min(1),
    path: z.enum(['host', 'observed', 'peerReflexive']),
    family: z.enum(['ipv4', 'ipv6']),
    /** Bytes of a datagram at the moment of opening. */
    mtu: count,
    /** Whether the kernel splits and joins trains of packets on this socket. */
    trains: z.boolean(),
  }),
  /** The session has another shape from now on: another path, datagrams of another size, more or fewer lanes. */
  event('SessionChanged', {
    receiver,
    session: count.min(1),
    path: z.enum(['host', 'observed', 'peerReflexive']),
    mtu: count,
    trains: z.boolean(),
    /** Lanes that carry data, the first one included. */
    lanes: count.min(1),
  }),
  event('Offered', { receiver, fileCount: count, totalBytes: count, chunkCount: count }),
  event('Accepted', { receiver }),
  event('Declined', { receiver }),
  event('ChunksAcked', {
    receiver,
    ranges: chunkRangesSchema,
    /** Bytes of these chunks. */
    bytes: count,
    /** Milliseconds since the window's predecessor. */
    sinceMs: count,
    /** Smoothed round trip, microseconds. */
    rttUs: count,
    /** Bytes a second of this window. */
    rate: count,
    /** Packets of this window declared lost; on the receiver 0. */
    lost: count,
    /** Bytes of this window that were sent again; on the receiver 0. */
    retransmitted: count,
    /** Datagrams of this window whose tag failed. */
    corrupted: count,
  }),
  event('ChunksRejected', {
    receiver,
    ranges: chunkRangesSchema,
    reason: z.enum(['hashMismatch', 'stagingDamaged']),
    /** Bytes of those among them that had been acked: they count as missing again. */
    bytesTakenBack: count,
  }),
  event('RetransmitRequested', {
    receiver,
    ranges: chunkRangesSchema,
    reason: z.enum(['hashMismatch', 'stagingDamaged', 'sessionBroken']),
    /** Bytes of those among them that had been acked: they count as missing again. */
    bytesTakenBack: count,
  }),
  event('SessionLost', { receiver, session: count, reason: errorCode }),
  event('Paused', {
    reason: z.enum([
      'user',
      'peer',
      'diskFull',
      'disk',
      'logAway',
      /** Its start, or its daily window, has not come. */
      'scheduled',
      'window',
      /** As many transfers run as may at once. */
      'queue',
      /** What failed can be tried again, and will be. */
      'retry',
    ]),
    by: z.string().max(64),
    /** What was met, where it was met and not asked for. */
    failure: z.object({ code: errorCode, detail: z.string().max(512).nullable() }).optional(),
  }),
  event('Resumed', { by: z.string().max(64) }),
  event('LimitChanged', { limit: count.nullable(), by: z.string().max(64) }),
  event('PriorityChanged', { priority: prioritySchema, by: z.string().max(64) }),
  /** When it may run, from now on. */
  event('ScheduleChanged', { schedule: scheduleSchema, by: z.string().max(64) }),
  /** Files `first … first + count - 1` (numbered as in the manifest) stand under their final names. */
  event('FilesCompleted', { receiver, first: count, count: count.min(1) }),
  /**
   * Files that this receiver does not get, whoever of the two met why; the others go on. `chunks` are theirs and count
   * for nothing any more.
   */
  event('FilesFailed', {
    receiver,
    files: chunkRangesSchema,
    chunks: chunkRangesSchema,
    /** Of all of them. */
    bytes: count,
    /** Bytes of those among them that had been acked. */
    bytesTakenBack: count,
    code: errorCode,
  }),
  event('ReceiverCompleted', { receiver, bytes: count, seconds: z.number().nonnegative() }),
  event('TransferCompleted', {
    bytes: count,
    seconds: z.number().nonnegative(),
    /** What could not be delivered; left out where that is nothing. */
    missing: z.object({ files: count.min(1), code: errorCode }).optional(),
  }),
  event('TransferFailed', { code: errorCode, detail: z.string().max(512).nullable() }),
  /** A failed transfer was asked to go on. */
  event('TransferRetried', { by: z.string().max(64) }),
  event('TransferCancelled', { by: z.string().max(64) }),
])

export type TransferEvent = z.infer<typeof transferEventSchema>
export type TransferEventType = TransferEvent['type']
