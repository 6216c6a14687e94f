/**
 * The decisions about chunks and files. Only what is new counts: an ack that comes twice gives no event, so sums over
 * the log are true. Ranges come from a peer or from disk, so they are checked here before they are recorded.
 */
import { CHUNK_RANGES_MAX, EVENT_RANGES_MAX } from '@godwit/protocol/limits'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { accept, type Decision, reject } from '../decider.js'
import { NOT_MEASURED, type TransferCommand, type WindowStats } from './commands.js'
import type { KnownTransfer, Receiver } from './state.js'
import { receiverOf } from './state.js'

type CommandOf<T extends TransferCommand['type']> = Extract<TransferCommand, { type: T }>
type TransferDecision = Decision<TransferEvent>

/** The receiver whose chunks may move now; undefined where they may not. A pause still takes in what the disk holds. */
const movingReceiver = ({ run, status }: KnownTransfer, id: string): Receiver | undefined => {
  const receiver = receiverOf(run, id)
  const isUnfinished = status === 'active' || status === 'paused'
  return isUnfinished && receiver?.phase.is === 'accepted' ? receiver : undefined
}

/** The ranges as a set, if they lie within the transfer. There may be more of them than one event takes. */
const chunksOf = (pairs: readonly RangePair[], { run }: KnownTransfer): RangeSet | undefined =>
  RangeSet.fromPairs(pairs, run.contents?.chunkCount ?? 0, CHUNK_RANGES_MAX)

/** The ranges in portions that an event takes. */
const portionsOf = (set: RangeSet): [number, number][][] => {
  const pairs = set.toPairs()
  const portions: [number, number][][] = []
  for (let at = 0; at < pairs.length; at += EVENT_RANGES_MAX) portions.push(pairs.slice(at, at + EVENT_RANGES_MAX))
  return portions
}

const intersection = (set: RangeSet, other: RangeSet): RangeSet => {
  const outside = set.clone()
  outside.removeAll(other)
  const inside = set.clone()
  inside.removeAll(outside)
  return inside
}

export const ackChunks = (command: CommandOf<'ackChunks'>, transfer: KnownTransfer): TransferDecision => {
  const known = receiverOf(transfer.run, command.receiver)
  const set = chunksOf(command.ranges, transfer)
  if (set === undefined) return reject('ERR_PEER_PROTOCOL')
  const acked = RangeSet.ofPairs(known?.acked ?? [])
  const fresh = set.clone()
  fresh.removeAll(acked)
  fresh.removeAll(RangeSet.ofPairs(known?.missing?.chunks ?? []))
  if (fresh.isEmpty) return accept()
  if (movingReceiver(transfer, command.receiver) === undefined) return reject('ERR_TRANSFER_STATE')
  acked.addAll(fresh)
  // A sender that leaves ever more holes would make the log as large as it likes.
  if (acked.rangeCount > CHUNK_RANGES_MAX) return reject('ERR_PEER_PROTOCOL')
  return accept(
    ...portionsOf(fresh).map((ranges, index): TransferEvent => {
      // Further events carry no measurements but the round trip: they would count twice.
      const stats: WindowStats = index === 0 ? command.stats : { ...NOT_MEASURED, rttUs: command.stats.rttUs }
      const { receiver, bytesOf } = command
      return { type: 'ChunksAcked', data: { receiver, ranges, bytes: bytesOf(ranges), ...stats } }
    }),
  )
}

export const rejectChunks = (command: CommandOf<'rejectChunks'>, transfer: KnownTransfer): TransferDecision => {
  const { receiver, reason } = command
  return missingAgain(command, transfer, (ranges, bytesTakenBack) => ({
    type: 'ChunksRejected',
    data: { receiver, ranges, reason, bytesTakenBack },
  }))
}

export const requestRetransmit = (
  command: CommandOf<'requestRetransmit'>,
  transfer: KnownTransfer,
): TransferDecision => {
  const { receiver, reason } = command
  return missingAgain(command, transfer, (ranges, bytesTakenBack) => ({
    type: 'RetransmitRequested',
    data: { receiver, ranges, reason, bytesTakenBack },
  }))
}

const missingAgain = (
  command: CommandOf<'rejectChunks' | 'requestRetransmit'>,
  transfer: KnownTransfer,
  eventOf: (ranges: [number, number][], bytesTakenBack: number) => TransferEvent,
): TransferDecision => {
  const set = chunksOf(command.ranges, transfer)
  if (set === undefined) return reject('ERR_PEER_PROTOCOL')
  set.removeAll(RangeSet.ofPairs(receiverOf(transfer.run, command.receiver)?.missing?.chunks ?? []))
  if (set.isEmpty) return accept()
  const receiver = movingReceiver(transfer, command.receiver)
  if (receiver === undefined) return reject('ERR_TRANSFER_STATE')
  const acked = RangeSet.ofPairs(receiver.acked)
  return accept(
    ...portionsOf(set).map((ranges) => {
      const takenBack = intersection(RangeSet.ofPairs(ranges), acked)
      return eventOf(ranges, takenBack.isEmpty ? 0 : command.bytesOf(takenBack.toPairs()))
    }),
  )
}

export const completeFiles = (command: CommandOf<'completeFiles'>, transfer: KnownTransfer): TransferDecision => {
  const { receiver: id, first, count } = command
  const set = RangeSet.fromPairs([[first, count]], transfer.run.contents?.fileCount ?? 0)
  if (set === undefined) return reject('ERR_PEER_PROTOCOL')
  const known = receiverOf(transfer.run, id)
  set.removeAll(RangeSet.ofPairs(known?.files ?? []))
  set.removeAll(RangeSet.ofPairs(known?.missing?.files ?? []))
  if (set.isEmpty) return accept()
  if (movingReceiver(transfer, id) === undefined) return reject('ERR_TRANSFER_STATE')
  return accept(
    ...set.toPairs().map(
      ([start, length]): TransferEvent => ({
        type: 'FilesCompleted',
        data: { receiver: id, first: start, count: length },
      }),
    ),
  )
}

export const failFiles = (command: CommandOf<'failFiles'>, transfer: KnownTransfer): TransferDecision => {
  const { receiver: id, code, chunksOf, bytesOf } = command
  const fileCount = transfer.run.contents?.fileCount ?? 0
  const set = RangeSet.fromPairs(command.files, fileCount, fileCount)
  if (set === undefined) return reject('ERR_PEER_PROTOCOL')
  set.removeAll(RangeSet.ofPairs(receiverOf(transfer.run, id)?.missing?.files ?? []))
  if (set.isEmpty) return accept()
  const receiver = movingReceiver(transfer, id)
  if (receiver === undefined) return reject('ERR_TRANSFER_STATE')
  const acked = RangeSet.ofPairs(receiver.acked)
  return accept(
    ...portionsOf(set).map((files): TransferEvent => {
      const chunks = chunksOf(files).map(([first, count]): [number, number] => [first, count])
      const takenBack = intersection(RangeSet.ofPairs(chunks), acked)
      const bytesTakenBack = takenBack.isEmpty ? 0 : bytesOf(takenBack.toPairs())
      return {
        type: 'FilesFailed',
        data: { receiver: id, files, chunks, bytes: bytesOf(chunks), bytesTakenBack, code },
      }
    }),
  )
}
