/** What clients see of a transfer: its view, its offer and its last line, from projection and record. */

import { missingOf } from '@godwit/engine/domain/transfer/decideEnd'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { missingReasonOf, viewOf } from '@godwit/engine/projections/transferView'
import type {
  CompletedLine,
  EventLine,
  FailedLine,
  MissingFile,
  OfferedLine,
  PairedLine,
  TransferView,
} from '@godwit/protocol/api'
import { displayName, displayPath } from '@godwit/protocol/displayName'
import { messageOf } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { ManifestFile } from '@godwit/protocol/manifest'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { TransferRecords } from '../records/transferRecord.js'

/** Names shown of a transfer in lists, and files shown of an offer. */
const NAMES_SHOWN = 20
const OFFERED_FILES_SHOWN = 1000
/** Characters of a path that are shown. */
const PATH_SHOWN = 4096

export const transferViewOf = (projection: TransferProjection, records: TransferRecords): TransferView => {
  const record = records.get(projection.transferId)
  return viewOf(projection, {
    names: (record?.names ?? []).slice(0, NAMES_SHOWN).map((name) => displayName(name)),
    output: record?.output ?? null,
    missing: missingFiles(projection, records)
      .slice(0, NAMES_SHOWN)
      .map((file) => ({ ...file, path: displayName(file.path, PATH_SHOWN) })),
  })
}

/** The files that some receiver does not get: what the log says, or of one whose log was lost, the record. */
const missingFiles = (
  { transferId, transfer }: TransferProjection,
  records: TransferRecords,
): readonly MissingFile[] => {
  if (transfer.status === 'none') return []
  const { receivers } = transfer.run
  const isComplete = transfer.status === 'completed'
  if (isComplete && transfer.missing === undefined) return []
  const known = missingOf(isComplete ? receivers.filter(({ phase }) => phase.is === 'completed') : receivers)
  const missing = known ?? (isComplete ? records.get(transferId)?.missing : undefined)
  if (missing === undefined || missing === null) return []
  const files = filesOf(records, transferId)
  return missing.files.flatMap(([first, count]) =>
    files
      .slice(first, first + count)
      .map(({ path, sizeBytes }) => ({ path: path.join('/'), size: sizeBytes, code: missing.code })),
  )
}

const filesOf = (records: TransferRecords, transferId: string): readonly ManifestFile[] => {
  const bytes = records.readManifest(transferId)
  const decoded = bytes === undefined ? undefined : decodeManifest(bytes)
  if (decoded?.ok !== true) return []
  return decoded.value.entries.filter((entry) => entry.kind === 'file')
}

export const offeredLineOf = (projection: TransferProjection, records: TransferRecords): OfferedLine => {
  const { transferId } = projection
  const record = records.get(transferId)
  return {
    type: 'transfer.offered',
    transferId,
    from: displayName(record?.peerName ?? ''),
    fileCount: record?.fileCount ?? 0,
    totalBytes: record?.totalBytes ?? 0,
    files: filesOf(records, transferId)
      .slice(0, OFFERED_FILES_SHOWN)
      .map(({ path, sizeBytes }) => ({ path: displayPath(path), size: sizeBytes })),
    verification: record?.verification ?? '',
  }
}

/** On a sender: the words of every receiver that is being served, as far as its handshake has come. */
export const pairedLinesOf = (projection: TransferProjection, records: TransferRecords): PairedLine[] => {
  const { transferId, transfer } = projection
  if (transfer.status === 'none' || transfer.run.role !== 'sender') return []
  const words = records.get(transferId)?.receiverWords ?? {}
  return transfer.run.receivers.flatMap(({ id, name, phase }) => {
    const verification = words[id]
    const isServed = phase.is === 'admitted' || phase.is === 'offered' || phase.is === 'accepted'
    // The name comes with the event that says that the handshake is over.
    if (verification === undefined || name === '' || !isServed) return []
    return [{ type: 'transfer.paired' as const, transferId, receiver: id, name: displayName(name), verification }]
  })
}

/** The line that ends a `watch`; undefined while the transfer has not ended. */
export const lastLineOf = (
  projection: TransferProjection,
  records: TransferRecords,
): CompletedLine | FailedLine | undefined => {
  const { transferId, transfer } = projection
  switch (transfer.status) {
    case 'completed': {
      const { bytes, seconds } = transfer
      const missing = missingFiles(projection, records)
      const files = finishedFiles(records, transferId, new Set(missing.map(({ path }) => path)))
      if (transfer.missing === undefined) return { type: 'transfer.completed', transferId, bytes, seconds, files }
      const reason = missingReasonOf(transfer)
      return { type: 'transfer.failed', transferId, ...reason, bytes, seconds, files, missing: [...missing] }
    }
    case 'failed': {
      const failure =
        transfer.detail === null ? { code: transfer.code } : { code: transfer.code, detail: transfer.detail }
      return { type: 'transfer.failed', transferId, code: transfer.code, message: messageOf(failure) }
    }
    case 'cancelled':
      return {
        type: 'transfer.failed',
        transferId,
        code: 'ERR_CANCELLED',
        message: messageOf({ code: 'ERR_CANCELLED' }),
      }
    default:
      return undefined
  }
}

/** A receiver's files under their final names; a sender's under the names that it sent, but for the missing ones. */
const finishedFiles = (
  records: TransferRecords,
  transferId: string,
  missing: ReadonlySet<string>,
): CompletedLine['files'] => {
  const received = records.readFiles(transferId)
  if (received !== undefined) return received.map((file) => ({ ...file }))
  const files = filesOf(records, transferId)
  const hashes = records.readHashes(transferId, files.length)
  return files
    .map(({ path, sizeBytes }, file) => ({
      path: path.join('/'),
      size: sizeBytes,
      blake3: Buffer.from(hashes.subarray(file * 32, file * 32 + 32)).toString('hex'),
    }))
    .filter(({ path }) => !missing.has(path))
}

export const eventLineOf = (recorded: RecordedEvent<TransferEvent>): EventLine => ({
  type: 'event',
  id: recorded.id,
  version: recorded.version,
  event: recorded.type,
  at: new Date(recorded.recordedAt).toISOString(),
  data: { ...recorded.data },
})
