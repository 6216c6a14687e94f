/**
 * Taking in a send or a receive: everything that can be refused is refused before the transfer exists; then record,
 * secrets, log, in this order, and the rest is the jobs'. The same submission twice is the same transfer.
 */
import { createHash, randomBytes } from 'node:crypto'
import { isAbsolute } from 'node:path'
import type { enqueueReceiveInput, enqueueSendInput } from '@godwit/protocol/api'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { formatAddress, parseAddress, parseCode } from '@godwit/protocol/code'
import { checkNewPassword, normalizePassword } from '@godwit/protocol/codePassword'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { TRANSFERS_MAX } from '@godwit/protocol/limits'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { PRIORITY_DEFAULT, type Schedule, UNSCHEDULED } from '@godwit/protocol/schedule'
import type { z } from 'zod'
import { Secret } from '../crypto/secret.js'
import { failedWith, isSystemError } from '../files/diskErrors.js'
import { checkOutputDir } from '../files/diskSpace.js'
import { scanSources } from '../files/scan.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import type { TransferRecord, TransferRecords } from '../records/transferRecord.js'
import type { SecretStore } from '../secrets/secretStore.js'
import { NO_SECRETS, type Passphrase } from '../secrets/transferSecrets.js'
import type { TransferLog } from './transferLog.js'

export interface EnqueueDeps {
  readonly log: TransferLog
  readonly records: TransferRecords
  readonly secrets: SecretStore
  /** `GODWIT_RENDEZVOUS`, for inputs that name none. */
  readonly rendezvous: string | undefined
}

export interface Enqueued {
  readonly record: TransferRecord
  /** Whether this submission was known already. */
  readonly isKnown: boolean
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

const newTransferId = (): string => `tr${Array.from(randomBytes(16), (byte) => BASE32[byte & 31]).join('')}`

/** What was asked for, without what is secret. */
const hashOf = (request: object): string => createHash('sha256').update(JSON.stringify(request)).digest('hex')

const known = async (
  deps: EnqueueDeps,
  submissionId: string,
  requestHash: string,
): Promise<Result<Enqueued> | undefined> => {
  const record = deps.records.findBySubmission(submissionId)
  if (record === undefined) {
    return deps.records.ids().length >= TRANSFERS_MAX ? fail('ERR_TOO_MANY_TRANSFERS') : undefined
  }
  if (record.requestHash !== requestHash) return fail('ERR_SUBMISSION_CONFLICT')
  if (record.ended === null) {
    // The log may have refused it the first time.
    const enqueued = await logEnqueued(deps.log, record, chunkCountOf(deps.records, record))
    if (!enqueued.ok) return enqueued
  }
  return ok({ record, isKnown: true })
}

export const enqueueSend = async (
  deps: EnqueueDeps,
  input: z.output<typeof enqueueSendInput>,
): Promise<Result<Enqueued>> => {
  const { room, ...request } = input
  const requestHash = hashOf({ ...request, room: room?.name })
  const before = await known(deps, input.submissionId, requestHash)
  if (before !== undefined) return before
  if (!input.paths.every(isAbsolute)) return fail('ERR_PATH_NOT_FOUND', 'paths are absolute')
  if (input.advertise !== undefined) {
    const advertise = parseAddress(input.advertise)
    if (!advertise.ok) return fail('ERR_USAGE', '--advertise takes HOST:PORT')
  }
  const isPossible = checkSchedule(input.schedule ?? UNSCHEDULED, Date.now())
  if (!isPossible.ok) return isPossible
  const password = room === undefined ? undefined : checkNewPassword(room.password)
  if (password?.ok === false) return password
  const scanned = await scanSources(input.paths)
  if (!scanned.ok) return scanned
  const { manifest, manifestBytes, sources, skipped } = scanned.value
  const plan = ChunkPlan.of(manifest)
  const record: TransferRecord = {
    ...blankRecord(input.submissionId, requestHash, 'sender'),
    rendezvous: input.rendezvous ?? deps.rendezvous ?? null,
    advertise: input.advertise ?? null,
    roomName: room?.name ?? null,
    paths: input.paths,
    names: [...new Set(manifest.entries.map(({ path }) => path[0] ?? ''))],
    skipped: skipped.map(({ path, reason }) => ({ path, reason })),
    limit: input.limit,
    lanes: input.lanes ?? null,
    profile: input.profile ?? null,
    priority: input.priority ?? PRIORITY_DEFAULT,
    schedule: input.schedule ?? UNSCHEDULED,
    capacity: input.capacity,
    receiversWanted: input.receivers ?? input.capacity,
    fileCount: plan.fileCount,
    totalBytes: plan.totalBytes,
  }
  const passphrase: Passphrase | null =
    password === undefined ? null : { kind: 'password', text: Secret.fromText(password.value) }
  return begin(deps, record, passphrase, plan.chunkCount, () => {
    deps.records.writeManifest(record.transferId, manifestBytes)
    deps.records.writeSources(record.transferId, sources)
  })
}

/** ERR_USAGE for a deadline that is over already, or before the start. */
export const checkSchedule = ({ startAt, deadline }: Schedule, nowMs: number): Result<void> => {
  if (deadline === null) return ok(undefined)
  if (deadline <= nowMs) return fail('ERR_USAGE', 'the deadline is over already')
  if (startAt !== null && deadline <= startAt) return fail('ERR_USAGE', 'the deadline is before the start')
  return ok(undefined)
}

export const enqueueReceive = async (
  deps: EnqueueDeps,
  input: z.output<typeof enqueueReceiveInput>,
): Promise<Result<Enqueued>> => {
  const target = receiveTarget(input)
  if (!target.ok) return target
  const { nameplate, address, passphrase } = target.value
  const requestHash = hashOf({ nameplate, address, output: input.output, rendezvous: input.rendezvous })
  const before = await known(deps, input.submissionId, requestHash)
  if (before !== undefined) return before
  const rendezvous = address === null ? (input.rendezvous ?? deps.rendezvous) : `http://${address}`
  if (rendezvous === undefined) {
    return fail('ERR_USAGE', 'This code names no rendezvous: pass --rendezvous or set GODWIT_RENDEZVOUS')
  }
  if (!isAbsolute(input.output)) return fail('ERR_OUTPUT_MISSING', 'the output folder is an absolute path')
  const writable = await checkOutputDir(input.output)
  if (!writable.ok) return writable
  const record: TransferRecord = {
    ...blankRecord(input.submissionId, requestHash, 'receiver'),
    rendezvous,
    nameplate,
    output: input.output,
    acceptsAtOnce: input.yes,
    limit: input.limit,
  }
  return begin(deps, record, passphrase, 0)
}

interface ReceiveTarget {
  readonly nameplate: string
  /** `host:port` that the code carries. */
  readonly address: string | null
  readonly passphrase: Passphrase
}

const receiveTarget = (input: z.output<typeof enqueueReceiveInput>): Result<ReceiveTarget> => {
  if (input.code !== undefined) {
    const code = parseCode(input.code)
    if (!code.ok) return code
    return ok({
      nameplate: code.value.nameplate,
      address: code.value.rendezvous === null ? null : formatAddress(code.value.rendezvous),
      passphrase: { kind: 'words', text: Secret.fromText(code.value.words.join('-')) },
    })
  }
  if (input.room === undefined) return fail('ERR_USAGE', 'Either a code or a room is needed')
  const password = normalizePassword(input.room.password)
  if (!password.ok) return password
  return ok({
    nameplate: input.room.name,
    address: null,
    passphrase: { kind: 'password', text: Secret.fromText(password.value) },
  })
}

/** A record of a new transfer of which nothing else is known. */
export const blankRecord = (
  submissionId: string,
  requestHash: string,
  role: TransferRecord['role'],
): TransferRecord => ({
  version: 1,
  transferId: newTransferId(),
  role,
  submissionId,
  requestHash,
  createdAt: Date.now(),
  rendezvous: null,
  advertise: null,
  roomName: null,
  nameplate: null,
  paths: [],
  names: [],
  skipped: [],
  output: null,
  acceptsAtOnce: false,
  isAccepted: false,
  limit: null,
  lanes: null,
  profile: null,
  priority: PRIORITY_DEFAULT,
  schedule: UNSCHEDULED,
  capacity: 1,
  receiversWanted: 1,
  fileCount: 0,
  totalBytes: 0,
  peerName: '',
  verification: '',
  receiverWords: {},
  ended: null,
  guessesFailed: 0,
  isCompletionKnown: false,
  missing: null,
})

/** @param writeContents - what the record is about, where it is known already. */
const begin = async (
  deps: EnqueueDeps,
  record: TransferRecord,
  passphrase: Passphrase | null,
  chunkCount: number,
  writeContents: () => void = () => {},
): Promise<Result<Enqueued>> => {
  const { transferId } = record
  const kept = keep(() => {
    writeContents()
    // Last: it is by its record that a transfer is known.
    deps.records.put(record)
  })
  const stored = kept.ok ? await deps.secrets.write(transferId, { ...NO_SECRETS, passphrase }) : kept
  if (!stored.ok) {
    // Refused as a whole: nothing of it starts later.
    deps.records.remove(transferId)
    return stored
  }
  crashPoint('recordWritten')
  const enqueued = await logEnqueued(deps.log, record, chunkCount)
  crashPoint('transferEnqueuedAppended')
  return enqueued.ok ? ok({ record, isKnown: false }) : enqueued
}

/** Writes into the data directory. ERR_DISK_FULL, ERR_DATA_DIR. */
const keep = (write: () => void): Result<null> => {
  try {
    write()
    return ok(null)
  } catch (error) {
    if (failedWith(error, 'ENOSPC', 'EDQUOT')) return fail('ERR_DISK_FULL', 'the data directory')
    if (isSystemError(error)) return fail('ERR_DATA_DIR', `writing into it failed (${error.code})`)
    throw error
  }
}

/** Chunks of what a sender sends; 0 on a receiver that was offered nothing yet. */
export const chunkCountOf = (records: TransferRecords, record: TransferRecord): number => {
  const bytes = records.readManifest(record.transferId)
  const decoded = bytes === undefined ? undefined : decodeManifest(bytes)
  return decoded?.ok === true ? ChunkPlan.of(decoded.value).chunkCount : 0
}

/** TransferEnqueued from the record: at first, and again when the log was lost. */
export const logEnqueued = (log: TransferLog, record: TransferRecord, chunkCount: number) =>
  log.execute(record.transferId, {
    type: 'enqueue',
    role: record.role,
    submissionId: record.submissionId,
    capacity: record.capacity,
    receiversWanted: record.receiversWanted,
    limit: record.limit,
    profile: record.profile,
    priority: record.priority,
    schedule: record.schedule,
    fileCount: record.role === 'sender' ? record.fileCount : 0,
    totalBytes: record.role === 'sender' ? record.totalBytes : 0,
    chunkCount: record.role === 'sender' ? chunkCount : 0,
    acceptsAtOnce: record.acceptsAtOnce,
  })
