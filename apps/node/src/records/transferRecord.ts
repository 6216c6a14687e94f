/**
 * A transfer's record beside the log: what names files and paths, and so does not belong into Redis. With it, the
 * staging directory and hashing, a node whose Redis lost everything can build its streams again.
 *
 * ```
 * transfers/<id>.json       0600  the record; written before TransferEnqueued
 * transfers/<id>.manifest         the encoded manifest (sender: from the start; receiver: once offered)
 * transfers/<id>.sources          sender: JSON, absolute path and identity of each file
 * transfers/<id>.hashes           32 bytes per file: BLAKE3; zero where unknown
 * transfers/<id>.cursor           JSON, how far the room's feed was read
 * transfers/<id>.files            receiver: JSON, the files under their final names
 * ```
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ErrorCode, isErrorCode } from '@godwit/protocol/errors'
import { profileSchema } from '@godwit/protocol/profile'
import type { RangePair } from '@godwit/protocol/rangeSet'
import { PRIORITY_DEFAULT, prioritySchema, scheduleSchema, UNSCHEDULED } from '@godwit/protocol/schedule'
import { z } from 'zod'
import type { FinishedFile } from '../files/finalize.js'
import type { SourceFile } from '../files/sourceFiles.js'
import { syncFolder, writePrivateFile } from '../lifecycle/privateFile.js'

export const transferRecordSchema = z.object({
  version: z.literal(1),
  transferId: z.string(),
  role: z.enum(['sender', 'receiver']),
  submissionId: z.string(),
  /** SHA-256 over what was asked for (without secrets): the same submission id with another request is refused. */
  requestHash: z.string(),
  createdAt: z.number(),
  /** Rendezvous as a URL; null on a sender that hosts its own. */
  rendezvous: z.string().nullable(),
  advertise: z.string().nullable(),
  /** A user's own room name; null for a generated nameplate. */
  roomName: z.string().nullable(),
  /** Of the room: on a receiver the one to join, on a sender the one that it has; null before it has one. */
  nameplate: z.string().nullable(),
  /** Absolute paths that were sent; empty on a receiver. */
  paths: z.array(z.string()),
  /** Names at the top of the transfer, as they are; a receiver knows them once offered. */
  names: z.array(z.string()),
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
  /** Absolute folder that receives; null on a sender. */
  output: z.string().nullable(),
  acceptsAtOnce: z.boolean(),
  /** On a receiver: the user has accepted. */
  isAccepted: z.boolean(),
  limit: z.number().nullable(),
  /** On a sender: lanes of a session; null for what suits the machine. */
  lanes: z.number().nullable().default(null),
  /** On a sender: how it shares the path with others; null for the default. */
  profile: profileSchema.nullable().default(null),
  /** On a sender: its place among the others of this node, and when it may run. */
  priority: prioritySchema.default(PRIORITY_DEFAULT),
  schedule: scheduleSchema.default(UNSCHEDULED),
  capacity: z.number(),
  receiversWanted: z.number(),
  fileCount: z.number(),
  totalBytes: z.number(),
  /** On a receiver: the sender's device, and the words that both sides can compare. */
  peerName: z.string(),
  verification: z.string(),
  /** On a sender: the words that each receiver is shown, by the receiver's id; those of the latest ones. */
  receiverWords: z.record(z.string(), z.string()).default({}),
  /** How it ended; null while it runs. */
  ended: z.enum(['completed', 'failed', 'cancelled']).nullable(),
  /** On a sender: wrong guesses of the words so far. */
  guessesFailed: z.number().default(0),
  /** On a receiver: the sender knows that everything arrived. On a sender: every receiver that was wanted has everything. */
  isCompletionKnown: z.boolean(),
  /** Of one that is complete but for files that could not be delivered: those, by their numbers, and their bytes. */
  missing: z
    .object({
      files: z.array(z.tuple([z.number(), z.number()])),
      bytes: z.number(),
      code: z.custom<ErrorCode>(isErrorCode),
    })
    .nullable()
    .default(null),
})
export type TransferRecord = z.infer<typeof transferRecordSchema>

/** What could not be delivered, as the record keeps it. */
export const recordOfMissing = (
  missing: { readonly files: readonly RangePair[]; readonly bytes: number; readonly code: ErrorCode } | undefined,
): TransferRecord['missing'] =>
  missing === undefined
    ? null
    : { files: missing.files.map(([first, count]) => [first, count]), bytes: missing.bytes, code: missing.code }

const cursorSchema = z.object({ roomId: z.string(), cursor: z.string() })
export type RoomCursor = z.infer<typeof cursorSchema>
const sourcesSchema = z.array(z.object({ path: z.string(), sizeBytes: z.number(), identity: z.string() }))
const filesSchema = z.array(z.object({ path: z.string(), size: z.number(), blake3: z.string() }))

export class TransferRecords {
  readonly #dir: string
  readonly #cache = new Map<string, TransferRecord>()

  constructor(dir: string) {
    this.#dir = dir
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    // Each time: an earlier process may have died between making it and this.
    syncFolder(dirname(dir))
  }

  /** Ids of all transfers that this node keeps. */
  ids(): readonly string[] {
    return readdirSync(this.#dir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
  }

  /** Undefined where there is none, or where its file is not one (it is then left alone). */
  get(transferId: string): TransferRecord | undefined {
    const cached = this.#cache.get(transferId)
    if (cached !== undefined) return cached
    const text = readIfThere(this.#path(transferId, 'json'))
    if (text === undefined) return undefined
    const record = transferRecordSchema.safeParse(parseJson(text.toString('utf8')))
    if (!record.success) return undefined
    this.#cache.set(transferId, record.data)
    return record.data
  }

  put(record: TransferRecord): void {
    writePrivateFile(this.#path(record.transferId, 'json'), `${JSON.stringify(record)}\n`)
    this.#cache.set(record.transferId, record)
  }

  update(transferId: string, change: Partial<TransferRecord>): TransferRecord | undefined {
    const record = this.get(transferId)
    if (record === undefined) return undefined
    const next = { ...record, ...change }
    this.put(next)
    return next
  }

  findBySubmission(submissionId: string): TransferRecord | undefined {
    for (const id of this.ids()) {
      const record = this.get(id)
      if (record?.submissionId === submissionId) return record
    }
    return undefined
  }

  writeManifest(transferId: string, manifest: Uint8Array): void {
    writePrivateFile(this.#path(transferId, 'manifest'), manifest)
  }

  readManifest(transferId: string): Uint8Array | undefined {
    return readIfThere(this.#path(transferId, 'manifest'))
  }

  writeSources(transferId: string, sources: readonly SourceFile[]): void {
    writePrivateFile(this.#path(transferId, 'sources'), JSON.stringify(sources))
  }

  async readSources(transferId: string): Promise<readonly SourceFile[] | undefined> {
    try {
      const parsed = sourcesSchema.safeParse(parseJson(await readFile(this.#path(transferId, 'sources'), 'utf8')))
      return parsed.success ? parsed.data : undefined
    } catch {
      return undefined
    }
  }

  /** 32 bytes per file; all zero where nothing is known yet. */
  readHashes(transferId: string, fileCount: number): Uint8Array {
    const hashes = new Uint8Array(fileCount * 32)
    const known = readIfThere(this.#path(transferId, 'hashes'))
    if (known !== undefined) hashes.set(known.subarray(0, hashes.length))
    return hashes
  }

  /** Not synced: a lost hash is computed again. */
  async writeHashes(transferId: string, hashes: Uint8Array): Promise<void> {
    await writeFile(this.#path(transferId, 'hashes'), hashes, { mode: 0o600 })
  }

  writeFiles(transferId: string, files: readonly FinishedFile[]): void {
    writePrivateFile(this.#path(transferId, 'files'), JSON.stringify(files))
  }

  readFiles(transferId: string): readonly FinishedFile[] | undefined {
    const text = readIfThere(this.#path(transferId, 'files'))
    if (text === undefined) return undefined
    const parsed = filesSchema.safeParse(parseJson(text.toString('utf8')))
    return parsed.success ? parsed.data : undefined
  }

  writeCursor(transferId: string, cursor: RoomCursor): void {
    writePrivateFile(this.#path(transferId, 'cursor'), JSON.stringify(cursor))
  }

  readCursor(transferId: string): RoomCursor | undefined {
    const text = readIfThere(this.#path(transferId, 'cursor'))
    if (text === undefined) return undefined
    const parsed = cursorSchema.safeParse(parseJson(text.toString('utf8')))
    return parsed.success ? parsed.data : undefined
  }

  removeCursor(transferId: string): void {
    rmSync(this.#path(transferId, 'cursor'), { force: true })
  }

  remove(transferId: string): void {
    this.#cache.delete(transferId)
    for (const kind of ['manifest', 'sources', 'hashes', 'files', 'cursor', 'json'] as const) {
      rmSync(this.#path(transferId, kind), { force: true })
    }
  }

  #path(transferId: string, kind: 'json' | 'manifest' | 'sources' | 'hashes' | 'files' | 'cursor'): string {
    return join(this.#dir, `${transferId}.${kind}`)
  }
}

const readIfThere = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
