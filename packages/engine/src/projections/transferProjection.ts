/**
 * The projection of a transfer's stream: its domain state and what is measured on the way. Plain data; a worker may
 * decide on `transfer` and append under `version` without reading the stream again.
 *
 * What it looks like to a client is made from it by `transferView.ts`.
 */
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { evolve } from '../domain/transfer/evolve.js'
import type { Session, Transfer } from '../domain/transfer/state.js'
import { initialTransfer } from '../domain/transfer/state.js'
import { eventOf, foldStream } from './recorded.js'

/** Milliseconds over which a rate is smoothed: a window that long ago weighs 1/e. */
const RATE_MEMORY_MS = 3000

/** What the windows of one receiver told. */
export interface Flow {
  readonly receiver: string
  /** Bytes a second, smoothed; 0 until the first window of a session. */
  readonly rate: number
  /** Smoothed round trip of the last window, microseconds. */
  readonly rttUs: number
}

export interface LastSession extends Omit<Session, 'number'> {
  readonly receiver: string
  readonly rttUs: number
}

export interface TransferProjection {
  readonly transferId: string
  /** Version of the last event folded: the cursor. 0 before the first. */
  readonly version: number
  readonly transfer: Transfer
  /** Wall clock of the first and of the last event, milliseconds since 1970. */
  readonly createdAt: number
  readonly updatedAt: number
  /** When the first receiver accepted, and when the transfer ended; null before. */
  readonly acceptedAt: number | null
  readonly endedAt: number | null
  readonly flows: readonly Flow[]
  /** The session that was opened last, and its receiver; kept when it is over. */
  readonly lastSession: LastSession | null
  readonly lostPackets: number
  readonly retransmittedBytes: number
  readonly corruptedPackets: number
}

export const initialTransferProjection: TransferProjection = {
  transferId: '',
  version: 0,
  transfer: initialTransfer,
  createdAt: 0,
  updatedAt: 0,
  acceptedAt: null,
  endedAt: null,
  flows: [],
  lastSession: null,
  lostPackets: 0,
  retransmittedBytes: 0,
  corruptedPackets: 0,
}

/** Takes in the next event. One that was taken in already changes nothing; a gap is a bug of the caller's. */
export const foldTransfer = (
  projection: TransferProjection,
  recorded: RecordedEvent<TransferEvent>,
): TransferProjection => {
  if (recorded.version <= projection.version) return projection
  const event = eventOf(recorded)
  const next: TransferProjection = {
    ...projection,
    transferId: recorded.streamId,
    version: recorded.version,
    transfer: evolve(projection.transfer, event),
    createdAt: projection.version === 0 ? recorded.recordedAt : projection.createdAt,
    updatedAt: recorded.recordedAt,
  }
  return measured(next, event)
}

/** The projection of a whole stream or of a stretch that follows what `from` has taken in. */
export const projectTransfer = (
  events: readonly RecordedEvent<TransferEvent>[],
  from: TransferProjection = initialTransferProjection,
): TransferProjection => foldStream(foldTransfer, from, events)

const measured = (projection: TransferProjection, event: TransferEvent): TransferProjection => {
  switch (event.type) {
    case 'Accepted':
      return { ...projection, acceptedAt: projection.acceptedAt ?? projection.updatedAt }
    case 'ChunksAcked': {
      const { receiver, bytes, sinceMs, rttUs, lost, retransmitted, corrupted } = event.data
      const { lastSession } = projection
      const before = projection.flows.find((flow) => flow.receiver === receiver)?.rate ?? 0
      return {
        ...projection,
        flows: withFlow(projection.flows, { receiver, rttUs, rate: smoothed(before, bytes, sinceMs) }),
        // Chunks that were found on the disk tell nothing about the network.
        lastSession: lastSession?.receiver === receiver && sinceMs > 0 ? { ...lastSession, rttUs } : lastSession,
        lostPackets: projection.lostPackets + lost,
        retransmittedBytes: projection.retransmittedBytes + retransmitted,
        corruptedPackets: projection.corruptedPackets + corrupted,
      }
    }
    case 'SessionOpened': {
      const { receiver, path, family, mtu, trains } = event.data
      return {
        ...projection,
        flows: withoutFlow(projection.flows, receiver),
        lastSession: { receiver, path, family, mtu, trains, lanes: 1, rttUs: 0 },
      }
    }
    case 'SessionChanged': {
      const { receiver, path, mtu, trains, lanes } = event.data
      const { lastSession } = projection
      if (lastSession?.receiver !== receiver) return projection
      return { ...projection, lastSession: { ...lastSession, path, mtu, trains, lanes } }
    }
    case 'SessionLost':
    case 'ReceiverCompleted':
    case 'ReceiverLeft':
      return { ...projection, flows: withoutFlow(projection.flows, event.data.receiver) }
    case 'Paused':
      return { ...projection, flows: [] }
    case 'TransferRetried':
      return { ...projection, endedAt: null }
    case 'TransferCompleted':
    case 'TransferFailed':
    case 'TransferCancelled':
      return { ...projection, flows: [], endedAt: projection.updatedAt }
    default:
      return projection
  }
}

/** An exponential mean in which each window weighs by its length; the first one of a session stands for itself. */
const smoothed = (before: number, bytes: number, sinceMs: number): number => {
  // Two events of one window, or chunks that were found on disk: they tell nothing about the speed.
  if (sinceMs === 0) return before
  const rate = (bytes * 1000) / sinceMs
  if (before === 0) return rate
  return before + (1 - Math.exp(-sinceMs / RATE_MEMORY_MS)) * (rate - before)
}

const withFlow = (flows: readonly Flow[], flow: Flow): readonly Flow[] => [...withoutFlow(flows, flow.receiver), flow]

const withoutFlow = (flows: readonly Flow[], receiver: string): readonly Flow[] =>
  flows.filter((flow) => flow.receiver !== receiver)
