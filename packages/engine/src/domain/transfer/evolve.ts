/**
 * How each event changes a transfer. Total over any history: what was recorded is a fact, so nothing is refused here.
 */
import { assert, unreachable } from '@godwit/protocol/assert'
import type { ErrorCode } from '@godwit/protocol/errors'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { PRIORITY_DEFAULT, UNSCHEDULED } from '@godwit/protocol/schedule'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { pauseReasonOf } from './pauses.js'
import type { DataOf, KnownTransfer, Receiver, ReceiverPhase, RoomLink, Run, Transfer } from './state.js'
import { receiverOf } from './state.js'

export const evolve = (transfer: Transfer, event: TransferEvent): Transfer => {
  if (event.type === 'TransferEnqueued') return { status: 'active', run: enqueued(event.data) }
  assert(transfer.status !== 'none', `the first event of a transfer is TransferEnqueued, not ${event.type}`)
  switch (event.type) {
    case 'Paused':
      return { status: 'paused', run: withoutSessions(transfer.run), ...event.data }
    case 'Resumed':
      return { status: 'active', run: transfer.run }
    case 'TransferRetried':
      return { status: 'active', run: withReceivers(transfer.run, askAgain(transfer.run.role)) }
    case 'TransferFailed':
      return { status: 'failed', run: withoutSessions(transfer.run), ...event.data }
    case 'TransferCancelled':
      return { status: 'cancelled', run: withoutSessions(transfer.run), by: event.data.by }
    case 'TransferCompleted':
      return { status: 'completed', run: withoutSessions(transfer.run), ...event.data }
    default:
      return withRun(transfer, evolveRun(transfer.run, event))
  }
}

type RunEvent = Exclude<
  TransferEvent,
  {
    type:
      | 'TransferEnqueued'
      | 'Paused'
      | 'Resumed'
      | 'TransferRetried'
      | 'TransferFailed'
      | 'TransferCancelled'
      | 'TransferCompleted'
  }
>

const evolveRun = (run: Run, event: RunEvent): Run => {
  switch (event.type) {
    case 'RoomEntered':
      return roomEntered(run, event.data)
    case 'ReceiverJoined':
      return mirrored(joined(run, event.data.receiver), event.data.roomVersion)
    case 'ReceiverQueued': {
      const { receiver, place, roomVersion } = event.data
      return mirrored(withPhase(run, receiver, { is: 'inLine', place }), roomVersion)
    }
    case 'ReceiverAdmitted':
      return mirrored(withPhase(run, event.data.receiver, { is: 'admitted' }), event.data.roomVersion)
    case 'ReceiverLeft':
      return mirrored(receiverLeft(run, event.data), event.data.roomVersion)
    case 'RoomClosed':
      return withRoom(mirrored(run, event.data.roomVersion), { isClosed: true })
    case 'GuessFailed':
      return run
    case 'RoomLocked':
      return withRoom(run, { isLocked: true })
    case 'PeerPaired':
      return withReceiver(withPhase(run, event.data.receiver, { is: 'admitted' }), event.data.receiver, (receiver) => ({
        ...receiver,
        name: event.data.name,
      }))
    case 'SessionOpened': {
      const { receiver: id, session: number, path, family, mtu, trains } = event.data
      return withReceiver(run, id, ({ waitsFor: _, ...receiver }) => ({
        ...receiver,
        session: { number, path, family, mtu, trains, lanes: 1 },
        sessionCount: number,
      }))
    }
    case 'SessionChanged': {
      const { receiver: id, path, mtu, trains, lanes } = event.data
      return withReceiver(run, id, (receiver) =>
        receiver.session === undefined
          ? receiver
          : { ...receiver, session: { ...receiver.session, path, mtu, trains, lanes } },
      )
    }
    case 'SessionLost':
      return withReceiver(run, event.data.receiver, (receiver) =>
        outOfLostRoom({ ...withoutSession(receiver), ...waiting(event.data.reason) }),
      )
    case 'Offered': {
      const { receiver, fileCount, totalBytes, chunkCount } = event.data
      const offered: Run = { ...run, contents: { fileCount, totalBytes, chunkCount } }
      return withPhase(offered, receiver, { is: 'offered' })
    }
    case 'Accepted':
      return withReceiver(run, event.data.receiver, (receiver) => ({ ...receiver, phase: { is: 'accepted' } }))
    case 'Declined':
      return withReceiver(run, event.data.receiver, (receiver) => ({
        ...withoutSession(receiver),
        phase: { is: 'declined' },
      }))
    case 'ChunksAcked':
      return withReceiver(run, event.data.receiver, (receiver) => ({
        ...receiver,
        acked: union(receiver.acked, event.data.ranges),
        ackedBytes: receiver.ackedBytes + event.data.bytes,
      }))
    case 'ChunksRejected':
    case 'RetransmitRequested':
      return withReceiver(run, event.data.receiver, (receiver) => ({
        ...receiver,
        acked: difference(receiver.acked, event.data.ranges),
        ackedBytes: receiver.ackedBytes - event.data.bytesTakenBack,
      }))
    case 'LimitChanged':
      return { ...run, limit: event.data.limit }
    case 'PriorityChanged':
      return { ...run, priority: event.data.priority }
    case 'ScheduleChanged':
      return { ...run, schedule: event.data.schedule }
    case 'FilesCompleted':
      return withReceiver(run, event.data.receiver, (receiver) => ({
        ...receiver,
        files: union(receiver.files, [[event.data.first, event.data.count]]),
      }))
    case 'FilesFailed':
      return withReceiver(run, event.data.receiver, (receiver) => filesFailed(receiver, event.data))
    case 'ReceiverCompleted': {
      const { receiver: id, bytes, seconds } = event.data
      return withReceiver(run, id, (receiver) => ({ ...receiver, phase: { is: 'completed', bytes, seconds } }))
    }
    default:
      return unreachable(event)
  }
}

const enqueued = (data: DataOf<'TransferEnqueued'>): Run => {
  const { fileCount, totalBytes, chunkCount, ...rest } = data
  const run: Run = { ...rest, priority: PRIORITY_DEFAULT, schedule: UNSCHEDULED, receivers: [] }
  return data.role === 'sender' ? { ...run, contents: { fileCount, totalBytes, chunkCount } } : run
}

/** A receiver that enters again under a new id is still itself, with all that it has. */
const roomEntered = (run: Run, { isAnother, ...data }: DataOf<'RoomEntered'>): Run => {
  const isSame = isAnother !== true && run.room?.roomId === data.roomId
  const mirroredVersion = isSame ? (run.room?.mirroredVersion ?? 0) : 0
  // A sender's lock is about its words, which stay the same: a rendezvous that forgets rooms gives no guesses back.
  const isLocked = (isSame || run.role === 'sender') && (run.room?.isLocked ?? false)
  const room: RoomLink = { ...data, mirroredVersion, isLocked, isClosed: false }
  const { receiver: own } = data
  if (run.role === 'sender' && isAnother === true) {
    return withReceivers({ ...run, room }, (receiver) => outOfLostRoom({ ...receiver, isOutside: true }))
  }
  if (run.role === 'sender' || own === null) return { ...run, room }
  const before = run.receivers[0] ?? newReceiver(own)
  const phase: ReceiverPhase = before.phase.is === 'left' ? { is: 'joined' } : before.phase
  return { ...run, room, receivers: [{ ...before, id: own, phase }] }
}

const joined = (run: Run, id: string): Run =>
  withReceiver(withPhase(run, id, { is: 'joined' }), id, ({ isOutside: _, ...receiver }) => receiver)

/** Who was in a room that was lost cannot be reached there any more; a session that runs needs no room. */
const outOfLostRoom = (receiver: Receiver): Receiver => {
  const { is } = receiver.phase
  const isDone = is === 'completed' || is === 'declined' || is === 'left'
  if (receiver.isOutside !== true || receiver.session !== undefined || isDone) return receiver
  return { ...receiver, phase: { is: 'left', reason: 'roomLost' } }
}

const filesFailed = (receiver: Receiver, data: DataOf<'FilesFailed'>): Receiver => {
  const { missing } = receiver
  return {
    ...receiver,
    acked: difference(receiver.acked, data.chunks),
    ackedBytes: receiver.ackedBytes - data.bytesTakenBack,
    files: difference(receiver.files, data.files),
    missing: {
      files: union(missing?.files ?? [], data.files),
      chunks: union(missing?.chunks ?? [], data.chunks),
      bytes: (missing?.bytes ?? 0) + data.bytes,
      code: data.code,
    },
  }
}

/** What a session says under its keys outweighs what the rendezvous says: while it runs, its receiver is not gone. */
const receiverLeft = (run: Run, { receiver: id, reason }: DataOf<'ReceiverLeft'>): Run =>
  withReceiver(run, id, (receiver) =>
    receiver.session === undefined ? gone(receiver, reason) : { ...receiver, leaving: reason },
  )

/** One that only fell silent may come back to what it was offered or has accepted; every other one is gone. */
const gone = (receiver: Receiver, reason: string): Receiver => {
  const { is } = receiver.phase
  const mayComeBack = reason === 'timeout' && (is === 'offered' || is === 'accepted')
  const stays = is === 'completed' || is === 'declined' || mayComeBack
  return stays ? receiver : { ...receiver, phase: { is: 'left', reason } }
}

/** A disk of the other side that is mended brings it back. */
const waiting = (reason: ErrorCode): Pick<Receiver, 'waitsFor'> =>
  pauseReasonOf(reason) === undefined ? {} : { waitsFor: reason }

const ADVANCE: readonly ReceiverPhase['is'][] = ['joined', 'inLine', 'admitted', 'offered', 'accepted', 'completed']

/** Moves a receiver on; one that is further already stays there, for a repeated handshake does not undo an acceptance. */
const withPhase = (run: Run, id: string, phase: ReceiverPhase): Run =>
  withReceiver(run, id, ({ leaving: _, ...receiver }) => {
    const isFurther = ADVANCE.indexOf(receiver.phase.is) > ADVANCE.indexOf(phase.is)
    return isFurther ? receiver : { ...receiver, phase }
  })

const withReceiver = (run: Run, id: string, change: (receiver: Receiver) => Receiver): Run => {
  if (receiverOf(run, id) === undefined) return { ...run, receivers: [...run.receivers, change(newReceiver(id))] }
  return withReceivers(run, (receiver) => (receiver.id === id ? change(receiver) : receiver))
}

const withReceivers = (run: Run, change: (receiver: Receiver) => Receiver): Run => ({
  ...run,
  receivers: run.receivers.map(change),
})

const newReceiver = (id: string): Receiver => ({
  id,
  name: '',
  phase: { is: 'joined' },
  sessionCount: 0,
  acked: [],
  ackedBytes: 0,
  files: [],
})

const withoutSession = ({ session: _, leaving, ...receiver }: Receiver): Receiver =>
  leaving === undefined ? receiver : gone(receiver, leaving)

const withoutSessions = (run: Run): Run => withReceivers(run, withoutSession)

/** After a retry the one who declined is asked again; on a sender it was put out of the room, and has no place any more. */
const askAgain =
  (role: Run['role']) =>
  (receiver: Receiver): Receiver =>
    role === 'receiver' && receiver.phase.is === 'declined' ? { ...receiver, phase: { is: 'offered' } } : receiver

const withRoom = (run: Run, change: Partial<RoomLink>): Run =>
  run.room === undefined ? run : { ...run, room: { ...run.room, ...change } }

const mirrored = (run: Run, roomVersion: number): Run =>
  withRoom(run, { mirroredVersion: Math.max(run.room?.mirroredVersion ?? 0, roomVersion) })

const withRun = (transfer: KnownTransfer, run: Run): Transfer => ({ ...transfer, run })

/** A recorded set; that it is well formed was seen to before it was recorded. */
const setOf = (pairs: readonly RangePair[]): RangeSet => {
  const set = RangeSet.fromPairs(pairs, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  assert(set !== undefined, 'recorded ranges are sorted and disjoint')
  return set
}

const union = (pairs: readonly RangePair[], others: readonly RangePair[]): readonly RangePair[] => {
  const set = setOf(pairs)
  set.addAll(setOf(others))
  return set.toPairs()
}

const difference = (pairs: readonly RangePair[], others: readonly RangePair[]): readonly RangePair[] => {
  const set = setOf(pairs)
  set.removeAll(setOf(others))
  return set.toPairs()
}
