/**
 * The decisions about chunks and files. Only what is new counts: an ack that comes twice gives no event, so sums over
 * the log are true. Ranges come from a peer or from disk, so they are checked here before they are recorded.
 */
import { CHUNK_RANGES_MAX, EVENT_RANGES_MAX } from '@godwit/protocol/limits'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { accept, type Decision, reject } from '../decider.js'
import type { TransferCommand, WindowStats } from './commands.js'
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

/** The ranges as a set, if they lie within the transfer. */
const chunksOf = (pairs: readonly RangePair[], { run }: KnownTransfer): RangeSet | undefined =>
  RangeSet.fromPairs(pairs, run.contents?.chunkCount ?? 0, EVENT_RANGES_MAX)

/** A recorded set is well formed. */
const recordedSet = (pairs: readonly RangePair[]): RangeSet => {
  const set = new RangeSet()
  for (const [first, count] of pairs) set.add(first, first + count)
  return set
}

const intersection = (set: RangeSet, other: RangeSet): RangeSet => {
  const outside = set.clone()
  outside.removeAll(other)
  const inside = set.clone()
  inside.removeAll(outside)
  return inside
}

/** Further events of one decision carry no measurements: they would count twice. */
const NOT_MEASURED = { sinceMs: 0, rate: 0, lost: 0, retransmitted: 0, corrupted: 0 } as const

export const ackChunks = (command: CommandOf<'ackChunks'>, transfer: KnownTransfer): TransferDecision => {
  const known = receiverOf(transfer.run, command.receiver)
  const set = chunksOf(command.ranges, transfer)
  if (set === undefined) return reject('ERR_PEER_PROTOCOL')
  const acked = recordedSet(known?.acked ?? [])
  const fresh = set.clone()
  fresh.removeAll(acked)
  if (fresh.isEmpty) return accept()
  if (movingReceiver(transfer, command.receiver) === undefined) return reject('ERR_TRANSFER_STATE')
  acked.addAll(fresh)
  // A sender that leaves ever more holes would make the log as large as it likes.
  if (acked.rangeCount > CHUNK_RANGES_MAX) return reject('ERR_PEER_PROTOCOL')
  const events: TransferEvent[] = []
  const pairs = fresh.toPairs()
  for (let at = 0; at < pairs.length; at += EVENT_RANGES_MAX) {
    const ranges = pairs.slice(at, at + EVENT_RANGES_MAX)
    const stats: WindowStats = at === 0 ? command.stats : { ...command.stats, ...NOT_MEASURED }
    events.push({
      type: 'ChunksAcked',
      data: { receiver: command.receiver, ranges, bytes: command.bytesOf(ranges), ...stats },
    })
  }
  return accept(...events)
}

export const rejectChunks = (command: CommandOf<'rejectChunks'>, transfer: KnownTransfer): TransferDecision => {
  const wanted = missingAgain(command, transfer)
  if (!wanted.ok) return wanted.decision
  const { receiver, reason } = command
  const { ranges, bytesTakenBack } = wanted
  return accept({ type: 'ChunksRejected', data: { receiver, ranges, reason, bytesTakenBack } })
}

export const requestRetransmit = (
  command: CommandOf<'requestRetransmit'>,
  transfer: KnownTransfer,
): TransferDecision => {
  const wanted = missingAgain(command, transfer)
  if (!wanted.ok) return wanted.decision
  const { receiver, reason } = command
  const { ranges, bytesTakenBack } = wanted
  return accept({ type: 'RetransmitRequested', data: { receiver, ranges, reason, bytesTakenBack } })
}

type MissingAgain =
  | { readonly ok: false; readonly decision: TransferDecision }
  | { readonly ok: true; readonly ranges: [number, number][]; readonly bytesTakenBack: number }

const missingAgain = (
  command: CommandOf<'rejectChunks' | 'requestRetransmit'>,
  transfer: KnownTransfer,
): MissingAgain => {
  const set = chunksOf(command.ranges, transfer)
  if (set === undefined) return { ok: false, decision: reject('ERR_PEER_PROTOCOL') }
  if (set.isEmpty) return { ok: false, decision: accept() }
  const receiver = movingReceiver(transfer, command.receiver)
  if (receiver === undefined) return { ok: false, decision: reject('ERR_TRANSFER_STATE') }
  const takenBack = intersection(set, recordedSet(receiver.acked))
  const bytesTakenBack = takenBack.isEmpty ? 0 : command.bytesOf(takenBack.toPairs())
  return { ok: true, ranges: set.toPairs(), bytesTakenBack }
}

export const completeFiles = (command: CommandOf<'completeFiles'>, transfer: KnownTransfer): TransferDecision => {
  const { receiver: id, first, count } = command
  const set = RangeSet.fromPairs([[first, count]], transfer.run.contents?.fileCount ?? 0)
  if (set === undefined) return reject('ERR_PEER_PROTOCOL')
  set.removeAll(recordedSet(receiverOf(transfer.run, id)?.files ?? []))
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
