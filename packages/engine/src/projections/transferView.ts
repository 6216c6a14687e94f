/**
 * What a client sees of a transfer, made from its projection. What the log does not hold (names, folders) comes from
 * the transfer's record beside it.
 *
 * Several receivers: `bytesDone` and `filesDone` are what as many receivers as are wanted have, at the least: with three
 * wanted, those of the third furthest, and 0 while there are only two. So they reach the total when the transfer is
 * complete, and no receiver that left holds them back. For one receiver it is that one's. `rate` is that of all together;
 * `etaSeconds` that of the receiver which decides.
 */
import type { ReceiverView, TransferProgress, TransferView } from '@godwit/protocol/api'
import { assert } from '@godwit/protocol/assert'
import { ERRORS, messageOf } from '@godwit/protocol/errors'
import type { KnownTransfer, Receiver, Run } from '../domain/transfer/state.js'
import { countFiles, stateOfReceiver, stateOfTransfer } from '../domain/transfer/states.js'
import type { TransferProjection } from './transferProjection.js'

/** What the view takes from the transfer's record. */
export interface TransferRecordView {
  /** Files and folders at the top, escaped for display; the first 20. */
  readonly names: readonly string[]
  /** The folder that receives; null on a sender. */
  readonly output: string | null
}

export const progressOf = (projection: TransferProjection): TransferProgress => ({
  type: 'transfer.progress',
  ...sharedOf(projection),
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
    output: record.output,
    capacity: run.capacity,
    receiversWanted: run.receiversWanted,
    limit: run.limit,
    profile: run.profile,
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
  }
}

const receiverView = (receiver: Receiver, run: Run): ReceiverView => ({
  id: receiver.id,
  name: receiver.name,
  state: stateOfReceiver(receiver, run),
  bytesDone: bytesOf(receiver, run),
  place: receiver.phase.is === 'inLine' ? receiver.phase.place : null,
})

const bytesOf = (receiver: Receiver, run: Run): number =>
  receiver.phase.is === 'completed' ? (run.contents?.totalBytes ?? receiver.ackedBytes) : receiver.ackedBytes

const filesOf = (receiver: Receiver, run: Run): number =>
  receiver.phase.is === 'completed' ? (run.contents?.fileCount ?? 0) : countFiles(receiver)

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
    const left = total - bytesOf(receiver, run)
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

const reasonOf = (transfer: KnownTransfer): TransferView['reason'] => {
  if (transfer.status === 'failed') {
    const { code, detail } = transfer
    return { code, message: messageOf(detail === null ? { code } : { code, detail }) }
  }
  if (transfer.status === 'cancelled') return { code: 'ERR_CANCELLED', message: ERRORS.ERR_CANCELLED.message }
  if (transfer.status !== 'paused') return null
  switch (transfer.reason) {
    case 'user':
      return { code: 'user', message: 'Paused here; godwit resume goes on.' }
    case 'peer':
      return { code: 'peer', message: 'The other side has paused the transfer.' }
    case 'diskFull':
      return { code: 'ERR_DISK_FULL', message: ERRORS.ERR_DISK_FULL.message }
    case 'disk':
      return { code: 'ERR_DISK_IO', message: ERRORS.ERR_DISK_IO.message }
    case 'logAway':
      return { code: 'ERR_REDIS_UNREACHABLE', message: ERRORS.ERR_REDIS_UNREACHABLE.message }
    default:
      return transfer.reason
  }
}
