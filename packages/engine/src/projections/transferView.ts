/**
 * What a client sees of a transfer, made from its projection. What the log does not hold (names, folders) comes from
 * the transfer's record beside it.
 *
 * Several receivers: `bytesDone` and `filesDone` are what as many receivers as are wanted have, at the least: with three
 * wanted, those of the third furthest, and 0 while there are only two. So they reach the total when the transfer is
 * complete, and no receiver that left holds them back. For one receiver it is that one's. `rate` is that of all together;
 * `etaSeconds` that of the receiver which decides.
 */
import type { MissingFile, ReceiverView, TransferProgress, TransferView } from '@godwit/protocol/api'
import { assert } from '@godwit/protocol/assert'
import { ERRORS, type ErrorCode, messageOf } from '@godwit/protocol/errors'
import { countOf } from '@godwit/protocol/rangeSet'
import { formatWindow } from '@godwit/protocol/schedule'
import { missingOf } from '../domain/transfer/decideEnd.js'
import type { Failed, KnownTransfer, Receiver, Run } from '../domain/transfer/state.js'
import { countFiles, stateOfReceiver, stateOfTransfer } from '../domain/transfer/states.js'
import type { TransferProjection } from './transferProjection.js'

/** What the view takes from the transfer's record. */
export interface TransferRecordView {
  /** Files and folders at the top, escaped for display; the first 20. */
  readonly names: readonly string[]
  /** The folder that receives; null on a sender. */
  readonly output: string | null
  /** Files that some receiver does not get, escaped for display; the first 20. */
  readonly missing?: readonly MissingFile[]
}

export const progressOf = (projection: TransferProjection): TransferProgress => ({
  type: 'transfer.progress',
  ...sharedOf(projection),
  reason: reasonOf(knownTransfer(projection)),
})

export const viewOf = (projection: TransferProjection, record: TransferRecordView): TransferView => {
  const transfer = knownTransfer(projection)
  const { run } = transfer
  return {
    type: 'transfer',
    ...sharedOf(projection),
    role: run.role,
    createdAt: new Date(projection.createdAt).toISOString(),
    updatedAt: new Date(projection.updatedAt).toISOString(),
    names: [...record.names],
    fileCount: run.contents?.fileCount ?? 0,
    filesDone: reachedByWanted(run, (receiver) => filesOf(receiver, run)),
    ...(record.missing === undefined || record.missing.length === 0 ? {} : { missing: [...record.missing] }),
    output: record.output,
    capacity: run.capacity,
    receiversWanted: run.receiversWanted,
    limit: run.limit,
    profile: run.profile,
    priority: run.priority,
    schedule: scheduleOf(run),
    rendezvous: run.room?.rendezvousUrl ?? null,
    session: sessionOf(projection, run),
    chunkCount: run.contents?.chunkCount ?? 0,
    retransmittedBytes: projection.retransmittedBytes,
    lostPackets: projection.lostPackets,
    corruptedPackets: projection.corruptedPackets,
    reason: reasonOf(transfer),
    seconds: transfer.status === 'completed' ? transfer.seconds : null,
    version: projection.version,
  }
}

const knownTransfer = ({ transfer }: TransferProjection): KnownTransfer => {
  assert(transfer.status !== 'none', 'a projection that is shown has taken in TransferEnqueued')
  return transfer
}

const sharedOf = (projection: TransferProjection) => {
  const { run } = knownTransfer(projection)
  const state = stateOfTransfer(projection.transfer)
  const isMoving = state === 'transferring'
  return {
    transferId: projection.transferId,
    state,
    bytesDone: reachedByWanted(run, (receiver) => bytesOf(receiver, run)),
    bytesTotal: run.contents?.totalBytes ?? 0,
    rate: isMoving ? Math.round(projection.flows.reduce((sum, flow) => sum + flow.rate, 0)) : 0,
    etaSeconds: isMoving ? etaOf(projection, run) : null,
    receivers: run.receivers.map((receiver) => receiverView(receiver, run)),
    ...filesMissingOf(projection.transfer),
  }
}

/** Left out where nothing is missing. */
const filesMissingOf = (transfer: TransferProjection['transfer']): Pick<TransferProgress, 'filesMissing'> => {
  if (transfer.status === 'none') return {}
  const files = transfer.status === 'completed' ? transfer.missing?.files : missingNow(transfer.run)
  return files === undefined || files === 0 ? {} : { filesMissing: files }
}

const missingNow = ({ receivers }: Run): number => countOf(missingOf(receivers)?.files ?? [])

const receiverView = (receiver: Receiver, run: Run): ReceiverView => ({
  id: receiver.id,
  name: receiver.name,
  state: stateOfReceiver(receiver, run),
  bytesDone: bytesOf(receiver, run),
  place: receiver.phase.is === 'inLine' ? receiver.phase.place : null,
})

const bytesOf = (receiver: Receiver, run: Run): number =>
  receiver.phase.is === 'completed' && run.contents !== undefined
    ? run.contents.totalBytes - (receiver.missing?.bytes ?? 0)
    : receiver.ackedBytes

const filesOf = (receiver: Receiver, run: Run): number =>
  receiver.phase.is === 'completed'
    ? (run.contents?.fileCount ?? 0) - countOf(receiver.missing?.files ?? [])
    : countFiles(receiver)

const wantedOf = (run: Run): number => (run.role === 'sender' ? run.receiversWanted : 1)

/** The figure that as many receivers as are wanted have reached. */
const reachedByWanted = (run: Run, figure: (receiver: Receiver) => number): number => {
  const furthestFirst = run.receivers.map(figure).toSorted((a, b) => b - a)
  return furthestFirst[wantedOf(run) - 1] ?? 0
}

/** Seconds until the last one of those that are wanted has everything; null while one of them does not move. */
const etaOf = ({ flows }: TransferProjection, run: Run): number | null => {
  const total = run.contents?.totalBytes ?? 0
  const seconds = run.receivers.map((receiver) => {
    const left = total - bytesOf(receiver, run) - (receiver.missing?.bytes ?? 0)
    const rate = flows.find((flow) => flow.receiver === receiver.id)?.rate ?? 0
    if (left === 0) return 0
    return rate > 0 ? left / rate : Number.POSITIVE_INFINITY
  })
  const last = seconds.toSorted((a, b) => a - b)[wantedOf(run) - 1]
  return last === undefined || !Number.isFinite(last) ? null : Math.round(last * 10) / 10
}

/** Of several sessions the one that was opened last. */
const sessionOf = ({ lastSession }: TransferProjection, run: Run): TransferView['session'] => {
  if (lastSession === null) return null
  const { receiver, ...session } = lastSession
  const isOpen = run.receivers.some(({ id, session }) => id === receiver && session !== undefined)
  return { ...session, isOpen }
}

/** A code and its sentence. */
export interface Reason {
  readonly code: ErrorCode
  readonly message: string
}

const isoOf = (ms: number | null): string => (ms === null ? 'once' : new Date(ms).toISOString())

const windowTextOf = ({ schedule }: Run): string =>
  schedule.window === null ? 'all day' : formatWindow(schedule.window)

const scheduleOf = ({ schedule }: Run): TransferView['schedule'] => ({
  startAt: schedule.startAt === null ? null : isoOf(schedule.startAt),
  window: schedule.window === null ? null : formatWindow(schedule.window),
  deadline: schedule.deadline === null ? null : isoOf(schedule.deadline),
})

const textOf = ({ code, detail }: Failed): string => messageOf(detail === null ? { code } : { code, detail })

/** What a session that was lost waits for on the other side. */
const reasonOfReceivers = ({ role, receivers }: Run): TransferView['reason'] => {
  const code = receivers.find(({ waitsFor }) => waitsFor !== undefined)?.waitsFor
  if (code === undefined) return null
  const other = role === 'sender' ? 'receiver' : 'sender'
  return { code, message: `The ${other} has paused, and goes on by itself: ${ERRORS[code].message}` }
}

/** Why a transfer that is over has not delivered everything. */
export const missingReasonOf = ({ run, missing }: Extract<KnownTransfer, { status: 'completed' }>): Reason => {
  const { code, files } = missing ?? { code: 'ERR_SOURCE_CHANGED', files: 0 }
  const of = run.contents?.fileCount ?? files
  return {
    code,
    message: messageOf({ code, detail: `${files} of ${of} ${of === 1 ? 'file' : 'files'} did not arrive` }),
  }
}

const reasonOf = (transfer: KnownTransfer): TransferView['reason'] => {
  if (transfer.status === 'failed') {
    const { code, detail } = transfer
    return { code, message: messageOf(detail === null ? { code } : { code, detail }) }
  }
  if (transfer.status === 'completed' && transfer.missing !== undefined) return missingReasonOf(transfer)
  if (transfer.status === 'cancelled') return { code: 'ERR_CANCELLED', message: ERRORS.ERR_CANCELLED.message }
  if (transfer.status === 'active') return reasonOfReceivers(transfer.run)
  if (transfer.status !== 'paused') return null
  const met = transfer.failure
  switch (transfer.reason) {
    case 'user':
      return { code: 'user', message: 'Paused here; godwit resume goes on.' }
    case 'peer':
      return { code: 'peer', message: 'The other side has paused the transfer.' }
    case 'diskFull':
      return { code: 'ERR_DISK_FULL', message: textOf(met ?? { code: 'ERR_DISK_FULL', detail: null }) }
    case 'disk':
      return { code: met?.code ?? 'ERR_DISK_IO', message: textOf(met ?? { code: 'ERR_DISK_IO', detail: null }) }
    case 'retry':
      return {
        code: met?.code ?? 'retry',
        message: `${met === undefined ? '' : textOf(met)} It is tried again.`.trim(),
      }
    case 'scheduled':
      return { code: 'scheduled', message: `It starts at ${isoOf(transfer.run.schedule.startAt)}.` }
    case 'window':
      return { code: 'window', message: `It runs only in its daily window, ${windowTextOf(transfer.run)}.` }
    case 'queue':
      return { code: 'queue', message: 'As many transfers run as may at once; it starts when its turn comes.' }
    case 'logAway':
      return { code: 'ERR_REDIS_UNREACHABLE', message: ERRORS.ERR_REDIS_UNREACHABLE.message }
    default:
      return transfer.reason
  }
}
