/**
 * What crosses the boundary between a node and its clients (the command line, the web page, programs): inputs, views
 * and the JSON lines of `--json`, which are the same objects.
 */
import { z } from 'zod'
import type { ErrorCode } from './errors.js'
import { isErrorCode } from './errors.js'
import { LANES_MAX, LIMIT_MIN_BYTES_PER_SECOND, ROOM_MAX_CAPACITY, SENDING_MAX } from './limits.js'
import { profileSchema } from './profile.js'
import { prioritySchema, scheduleSchema } from './schedule.js'

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const errorCode = z.custom<ErrorCode>(isErrorCode, 'an error code')

export const transferIdSchema = z
  .string()
  .regex(/^tr[a-z2-7]{16}$/, 'a transfer id looks like tr and 16 letters or digits')
export const submissionIdSchema = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/)
export const limitSchema = z.number().int().min(LIMIT_MIN_BYTES_PER_SECOND).max(Number.MAX_SAFE_INTEGER).nullable()
const absolutePath = z.string().min(1).max(4096)

export const transferStates = [
  'scheduled',
  'queued',
  'waitingForPeer',
  'waitingInLine',
  'awaitingAcceptance',
  'connecting',
  'transferring',
  'verifying',
  'paused',
  'completed',
  'failed',
  'cancelled',
] as const
export const transferStateSchema = z.enum(transferStates)
export type TransferState = z.infer<typeof transferStateSchema>

export const enqueueSendInput = z.object({
  /** Absolute paths on the node's machine. */
  paths: z.array(absolutePath).min(1).max(10_000),
  submissionId: submissionIdSchema,
  capacity: z.number().int().min(1).max(ROOM_MAX_CAPACITY).default(1),
  /** Receivers that must have everything; default: the capacity. */
  receivers: z.number().int().min(1).max(10_000).optional(),
  /** `http(s)://host:port`; without one the node hosts a rendezvous itself. */
  rendezvous: z.url().max(512).optional(),
  /** `host:port` that the code carries when the node hosts the rendezvous. */
  advertise: z.string().max(300).optional(),
  /** A public room name and the user's own password, instead of generated words. */
  room: z.object({ name: z.string().min(1).max(64), password: z.string().min(1).max(256) }).optional(),
  /** Bytes a second; null for no limit. */
  limit: limitSchema.default(null),
  /** Threads with a socket each; undefined for what suits the machine. */
  lanes: z.number().int().min(1).max(LANES_MAX).optional(),
  /** How it shares the path with others; undefined for the default. */
  profile: profileSchema.optional(),
  /** 1 to 9; undefined for 5. A higher one leaves the queue first and gets more of the node's limit. */
  priority: prioritySchema.optional(),
  /** When it may run; undefined for at once and without an end. */
  schedule: scheduleSchema.optional(),
})
export type EnqueueSendInput = z.input<typeof enqueueSendInput>

export const enqueueReceiveInput = z.object({
  /** A code as the sender told it; or `room`. */
  code: z.string().min(1).max(400).optional(),
  room: z.object({ name: z.string().min(1).max(64), password: z.string().min(1).max(256) }).optional(),
  /** `http(s)://host:port` where the code names none. */
  rendezvous: z.url().max(512).optional(),
  submissionId: submissionIdSchema,
  /** Absolute path of the folder that receives. */
  output: absolutePath,
  /** Accept whatever is offered. */
  yes: z.boolean().default(false),
  limit: limitSchema.default(null),
})
export type EnqueueReceiveInput = z.input<typeof enqueueReceiveInput>

/** One receiver of a transfer, as the sender's node sees it; on a receiver's node, itself. */
export const receiverViewSchema = z.object({
  id: z.string(),
  /** Its device's name; empty until the handshake has told it. */
  name: z.string(),
  state: transferStateSchema,
  bytesDone: count,
  /** Place in line from 1; null when not waiting. */
  place: count.nullable(),
})
export type ReceiverView = z.infer<typeof receiverViewSchema>

const progressShape = {
  transferId: transferIdSchema,
  state: transferStateSchema,
  bytesDone: count,
  /** On a receiver 0 until the offer is known. */
  bytesTotal: count,
  /** Bytes a second over the last windows; 0 when nothing moves. */
  rate: count,
  /** Null when unknown. */
  etaSeconds: z.number().nonnegative().nullable(),
  receivers: z.array(receiverViewSchema),
  /** Files that some receiver does not get, because they changed while they were sent; left out where there is none. */
  filesMissing: count.optional(),
}

/** A file that did not arrive, by its path as it was sent, and why. */
export const missingFileSchema = z.object({ path: z.string(), size: count, code: errorCode })
export type MissingFile = z.infer<typeof missingFileSchema>
const finishedFiles = z.array(z.object({ path: z.string(), size: count, blake3: z.string() }))

/** `{"type":"transfer.progress", …}` */
export const transferProgressSchema = z.object({
  type: z.literal('transfer.progress'),
  ...progressShape,
  /** Why it does not move, where it does not; null or left out else. */
  reason: z.object({ code: z.string(), message: z.string() }).nullable().optional(),
})
export type TransferProgress = z.infer<typeof transferProgressSchema>

/** What `show` prints and `list` lists: the progress and what stays the same over a transfer's life. */
export const transferViewSchema = z.object({
  type: z.literal('transfer'),
  ...progressShape,
  role: z.enum(['sender', 'receiver']),
  /** ISO 8601. */
  createdAt: z.string(),
  updatedAt: z.string(),
  /** Files and folders at the top of the transfer, escaped for display; the first 20. */
  names: z.array(z.string()),
  fileCount: count,
  filesDone: count,
  /** Those of `filesMissing`, escaped for display; the first 20. */
  missing: z.array(missingFileSchema).optional(),
  /** Where it is received into; null on a sender. */
  output: z.string().nullable(),
  capacity: count,
  receiversWanted: count,
  limit: limitSchema,
  /** How what is sent shares the path with others; null for the default, and on a receiver. */
  profile: profileSchema.nullable(),
  /** Among the transfers of its node: 1 to 9, a higher one first. */
  priority: prioritySchema,
  /** When it may run: ISO 8601, and `22:00-06:00` in the time zone of its node; null where nothing is set. */
  schedule: z.object({
    startAt: z.string().nullable(),
    window: z.string().nullable(),
    deadline: z.string().nullable(),
  }),
  rendezvous: z.string().nullable(),
  /** The last session: kind of path, bytes of a datagram, trains or plain datagrams, lanes, smoothed round trip. */
  session: z
    .object({
      path: z.string(),
      family: z.string(),
      mtu: count,
      trains: z.boolean(),
      lanes: count,
      rttUs: count,
      isOpen: z.boolean(),
    })
    .nullable(),
  chunkCount: count,
  retransmittedBytes: count,
  lostPackets: count,
  corruptedPackets: count,
  /** Why it is paused or failed. */
  reason: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** Seconds from acceptance to the end; null before it. */
  seconds: z.number().nonnegative().nullable(),
  /** Version of the last event that this view has taken in. */
  version: count,
})
export type TransferView = z.infer<typeof transferViewSchema>

export const offeredLineSchema = z.object({
  type: z.literal('transfer.offered'),
  transferId: transferIdSchema,
  /** The sender's device as it calls itself, escaped for display. */
  from: z.string(),
  fileCount: count,
  totalBytes: count,
  /** Every file with its relative path (escaped for display) and size, at most the first 1,000. */
  files: z.array(z.object({ path: z.string(), size: count })),
  /** Four words that are the same on both sides unless somebody sits between them. */
  verification: z.string(),
})
export type OfferedLine = z.infer<typeof offeredLineSchema>

/** On a sender: a receiver has proven the code. What it is shown, for the two people to compare. */
export const pairedLineSchema = z.object({
  type: z.literal('transfer.paired'),
  transferId: transferIdSchema,
  /** The receiver's id, as in `receivers` of the progress. */
  receiver: z.string(),
  /** The receiver's device as it calls itself, escaped for display. */
  name: z.string(),
  /** Four words that are the same on both sides unless somebody sits between them. */
  verification: z.string(),
})
export type PairedLine = z.infer<typeof pairedLineSchema>

export const enqueuedLineSchema = z.object({
  type: z.literal('transfer.enqueued'),
  transferId: transferIdSchema,
  /** On a send only: what the receiver types. */
  code: z.string().optional(),
  /** Symbolic links, special files and the like that are not sent. */
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })).optional(),
})
export type EnqueuedLine = z.infer<typeof enqueuedLineSchema>

export const completedLineSchema = z.object({
  type: z.literal('transfer.completed'),
  transferId: transferIdSchema,
  bytes: count,
  /** From acceptance to the verified file under its final name. */
  seconds: z.number().nonnegative(),
  /** `path` is relative to the output folder on a receiver, to the sent folder's parent on a sender. */
  files: finishedFiles,
})
export type CompletedLine = z.infer<typeof completedLineSchema>

export const failedLineSchema = z.object({
  type: z.literal('transfer.failed'),
  transferId: transferIdSchema.optional(),
  code: errorCode,
  message: z.string(),
  /** Where some files arrived and others could not: what a completed transfer tells of those that did, and the others. */
  bytes: count.optional(),
  seconds: z.number().nonnegative().optional(),
  files: finishedFiles.optional(),
  missing: z.array(missingFileSchema).optional(),
})
export type FailedLine = z.infer<typeof failedLineSchema>

/** What a page shows of a transfer beside its view: fields are null where there is nothing to tell (yet). */
export const transferDetailsSchema = z.object({
  type: z.literal('transfer.details'),
  /** On a sender whose room is open: what the receiver types. */
  code: z.string().nullable(),
  /** On a sender: the words that each receiver is shown, by its id. The same on both sides unless somebody sits between. */
  verification: z.record(z.string(), z.string()),
  /** On a receiver, once the sender's list is known. */
  offer: offeredLineSchema.nullable(),
  /** When it is completed. */
  result: completedLineSchema.nullable(),
})
export type TransferDetails = z.infer<typeof transferDetailsSchema>

/** One message of the live list: transfers that are new or have changed, and ids of those that were removed. */
export const listChangeSchema = z.object({
  type: z.literal('list.change'),
  /** The list begins anew with this message: what a client holds from before is outdated. */
  isFresh: z.boolean(),
  /** The list is complete with this message; before it a long list is on its way. */
  isCaughtUp: z.boolean(),
  changed: z.array(transferViewSchema),
  removed: z.array(transferIdSchema),
})
export type ListChange = z.infer<typeof listChangeSchema>

/** A folder on the node's machine. */
export const folderListingSchema = z.object({
  type: z.literal('folder'),
  path: z.string(),
  /** The folder above; null at the top. */
  parent: z.string().nullable(),
  isWritable: z.boolean(),
  entries: z.array(z.object({ name: z.string(), path: z.string(), kind: z.enum(['file', 'folder']), size: count })),
  /** There are more entries than are listed. */
  isCut: z.boolean(),
})
export type FolderListing = z.infer<typeof folderListingSchema>

/** What a page shows at the node's `POST /session`, and gets. */
export const sessionInput = z.object({ ticket: z.string().regex(/^[A-Za-z0-9_-]{43}$/) })
export const sessionSchema = z.object({ token: z.string(), expiresAt: z.number() })
export type PageSession = z.infer<typeof sessionSchema>

export const spoolIdSchema = z.string().regex(/^sp[a-z2-7]{16}$/)
/** What is sent from a spool: everything of a send but its paths. */
export const spoolSendInput = enqueueSendInput.omit({ paths: true }).extend({ spoolId: spoolIdSchema })

/** One event of the log as `events` prints it. */
export const eventLineSchema = z.object({
  type: z.literal('event'),
  id: z.string(),
  version: count,
  event: z.string(),
  /** ISO 8601. */
  at: z.string(),
  data: z.record(z.string(), z.unknown()),
})
export type EventLine = z.infer<typeof eventLineSchema>

/** What `watch` yields: tracked by the id of the log's event that led to it, so that a reconnect misses nothing. */
export const watchLineSchema = z.discriminatedUnion('type', [
  transferProgressSchema,
  pairedLineSchema,
  offeredLineSchema,
  completedLineSchema,
  failedLineSchema,
])
export type WatchLine = z.infer<typeof watchLineSchema>

/** What a node's user has set for all of its transfers; kept over restarts. */
export const nodeSettingsSchema = z.object({
  /** Bytes a second of everything that is sent, shared by priority; null for no limit. */
  limit: limitSchema,
  /** Transfers that send at once; more are queued. */
  maxSending: z.number().int().min(1).max(SENDING_MAX),
})
export type NodeSettings = z.infer<typeof nodeSettingsSchema>

export const nodeStatusSchema = z.object({
  type: z.literal('node.status'),
  pid: count,
  version: z.string(),
  dataDir: z.string(),
  address: z.string(),
  startedAt: z.string(),
  redis: z.object({ mode: z.enum(['embedded', 'external']), version: z.string(), ok: z.boolean() }),
  transfers: z.object({ unfinished: count, finished: count }),
  rendezvous: z.object({ url: z.string(), advertise: z.string() }).nullable(),
  settings: nodeSettingsSchema,
})
export type NodeStatus = z.infer<typeof nodeStatusSchema>

export const doctorSchema = z.object({
  type: z.literal('doctor'),
  checks: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['ok', 'warning', 'problem']),
      detail: z.string(),
      /** One line that mends it; null where nothing needs mending. */
      fix: z.string().nullable(),
    }),
  ),
})
export type Doctor = z.infer<typeof doctorSchema>

/** `node.json` in the data directory (0600): how a client finds the node. */
export const nodeFileSchema = z.object({
  pid: count,
  /** The supervisor's pid; null in the foreground. */
  supervisorPid: count.nullable(),
  /** `http://127.0.0.1:port` */
  url: z.string(),
  version: z.string(),
  startedAt: z.string(),
})
export type NodeFile = z.infer<typeof nodeFileSchema>
