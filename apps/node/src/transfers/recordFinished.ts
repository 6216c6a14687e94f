/**
 * A transfer that is complete, and whose log has lost that: Redis was emptied, or lost its last second. What its record and
 * its secrets say is recorded again, so that it is complete whatever has become of the other side and the room since. A
 * receiver is when its files have their names, a sender when its record says so.
 */
import { NOT_MEASURED, type TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { receiverOf } from '@godwit/engine/domain/transfer/state'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { Manifest } from '@godwit/protocol/manifest'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import type { RangePair } from '@godwit/protocol/rangeSet'
import type { TransferRecord, TransferRecords } from '../records/transferRecord.js'
import type { SecretStore } from '../secrets/secretStore.js'
import type { TransferLog } from './transferLog.js'

export interface FinishedDeps {
  readonly log: TransferLog
  readonly records: Pick<TransferRecords, 'readFiles' | 'readManifest' | 'readCursor'>
  readonly secrets: Pick<SecretStore, 'read'>
}

/** Records what is missing of a completion that has happened; nothing where none has. */
export const recordFinished = async (deps: FinishedDeps, record: TransferRecord): Promise<void> => {
  const { log, records, secrets } = deps
  const { transferId } = record
  const isFinished = record.role === 'sender' ? record.isCompletionKnown : records.readFiles(transferId) !== undefined
  const manifest = isFinished ? records.readManifest(transferId) : undefined
  if (manifest === undefined) return
  const decoded = decodeManifest(manifest)
  const kept = await secrets.read(transferId)
  const transfer = (await log.read(transferId))?.transfer
  if (!decoded.ok || !kept.ok || transfer === undefined || transfer.status === 'none') return
  const { room } = transfer.run
  // What is kept of a pairing is kept under the receiver's id in the room. A sender that paired with more than it wanted
  // does not know any more which of them have everything.
  const paired = Object.keys(kept.value?.resumptions ?? {})
  const receivers = record.role === 'sender' ? paired : [room?.receiver ?? paired[0]]
  const roomId = room?.roomId ?? records.readCursor(transferId)?.roomId
  if (roomId === undefined || receivers.length > record.receiversWanted) return
  for (const receiver of receivers)
    if (receiver !== undefined) await recordOne(deps, record, receiver, roomId, decoded.value)
}

const recordOne = async (
  { log }: FinishedDeps,
  record: TransferRecord,
  receiver: string,
  roomId: string,
  manifest: Manifest,
): Promise<void> => {
  const { transferId, missing } = record
  const transfer = (await log.read(transferId))?.transfer
  if (transfer === undefined || transfer.status === 'none') return
  const { room } = transfer.run
  const plan = ChunkPlan.of(manifest)
  const { fileCount, totalBytes, chunkCount } = plan
  const lookUps = {
    chunksOf: (files: readonly RangePair[]): readonly RangePair[] => plan.chunksOfFiles(files),
    bytesOf: (ranges: readonly RangePair[]): number => plan.bytesOf(ranges),
  }
  const all: readonly RangePair[] = chunkCount > 0 ? [[0, chunkCount]] : []
  const nameplate = record.nameplate ?? ''
  const rendezvousUrl = record.rendezvous ?? ''
  const commands: TransferCommand[] = [
    { type: 'pair', receiver, name: record.peerName === '' ? receiver : record.peerName },
    { type: 'offer', receiver, fileCount, totalBytes, chunkCount },
    { type: 'accept', receiver },
    ...(missing === null
      ? []
      : [{ type: 'failFiles', receiver, files: missing.files, code: missing.code, ...lookUps } as const]),
    { type: 'ackChunks', receiver, ranges: all, bytesOf: lookUps.bytesOf, stats: NOT_MEASURED },
    ...(fileCount > 0 ? [{ type: 'completeFiles', receiver, first: 0, count: fileCount } as const] : []),
    { type: 'completeReceiver', receiver, bytes: totalBytes - (missing?.bytes ?? 0), seconds: 0 },
  ]
  if (receiverOf(transfer.run, receiver) === undefined) {
    const joined = {
      type: 'ReceiverJoined',
      data: { receiver, roomVersion: (room?.mirroredVersion ?? 0) + 1 },
    } as const
    commands.unshift({ type: 'mirrorRoomEvent', event: joined })
  }
  if (room === undefined) {
    const own = record.role === 'receiver' ? receiver : null
    commands.unshift({ type: 'enterRoom', roomId, nameplate, rendezvousUrl, advertise: null, receiver: own })
  }
  // One that is refused was recorded by another way; the last one tells.
  for (const command of commands) await log.execute(transferId, command)
}
