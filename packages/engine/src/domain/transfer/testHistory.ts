/** For tests: given … when … then, and a transfer's events in short. */
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { expect } from 'vitest'
import type { TransferCommand, WindowStats } from './commands.js'
import { transferDecider } from './decider.js'
import type { DataOf } from './state.js'

export const given = (...events: readonly TransferEvent[]) => {
  const transfer = events.reduce(transferDecider.evolve, transferDecider.initialState)
  return {
    transfer,
    when: (command: TransferCommand) => {
      const decision = transferDecider.decide(command, transfer)
      return {
        // biome-ignore lint/suspicious/noThenProperty: given, when, then
        then: (...expected: readonly TransferEvent[]): void => expect(decision).toEqual({ ok: true, events: expected }),
        thenNothing: (): void => expect(decision).toEqual({ ok: true, events: [] }),
        thenRejected: (code: string): void => expect(decision).toMatchObject({ ok: false, failure: { code } }),
      }
    },
  }
}

/** Ten chunks of 100 bytes in three files. */
export const contents = { fileCount: 3, totalBytes: 1000, chunkCount: 10 } as const
export const bytesOf = (ranges: readonly (readonly [number, number])[]): number =>
  ranges.reduce((sum, [, count]) => sum + count * 100, 0)
export const stats: WindowStats = { sinceMs: 500, rttUs: 20_000, rate: 400, lost: 2, retransmitted: 30, corrupted: 1 }

export const enqueuedSend = (options: Partial<DataOf<'TransferEnqueued'>> = {}): TransferEvent => ({
  type: 'TransferEnqueued',
  data: {
    role: 'sender',
    submissionId: 'submission-1',
    capacity: 1,
    receiversWanted: 1,
    limit: null,
    profile: null,
    acceptsAtOnce: false,
    ...contents,
    ...options,
  },
})
export const enqueuedReceive = (): TransferEvent =>
  enqueuedSend({ role: 'receiver', fileCount: 0, totalBytes: 0, chunkCount: 0 })
export const entered = (receiver: string | null, roomId = 'room1'): TransferEvent => ({
  type: 'RoomEntered',
  data: { roomId, nameplate: '4821', rendezvousUrl: 'http://127.0.0.1:1', advertise: null, receiver },
})
export const joined = (receiver: string, roomVersion: number): TransferEvent => ({
  type: 'ReceiverJoined',
  data: { receiver, roomVersion },
})
export const inLine = (receiver: string, place: number, roomVersion: number): TransferEvent => ({
  type: 'ReceiverQueued',
  data: { receiver, place, roomVersion },
})
export const admitted = (receiver: string, roomVersion: number): TransferEvent => ({
  type: 'ReceiverAdmitted',
  data: { receiver, roomVersion },
})
export const left = (receiver: string, reason: string, roomVersion: number): TransferEvent => ({
  type: 'ReceiverLeft',
  data: { receiver, reason, roomVersion },
})
export const paired = (receiver: string): TransferEvent => ({ type: 'PeerPaired', data: { receiver, name: 'heron' } })
export const path = { path: 'host', family: 'ipv4', mtu: 1472, trains: true } as const
export const opened = (receiver: string, session: number): TransferEvent => ({
  type: 'SessionOpened',
  data: { receiver, session, ...path },
})
export const lost = (receiver: string, session: number): TransferEvent => ({
  type: 'SessionLost',
  data: { receiver, session, reason: 'ERR_SESSION_LOST' },
})
export const offered = (receiver: string): TransferEvent => ({ type: 'Offered', data: { receiver, ...contents } })
export const accepted = (receiver: string): TransferEvent => ({ type: 'Accepted', data: { receiver } })
export const declined = (receiver: string): TransferEvent => ({ type: 'Declined', data: { receiver } })
export const acked = (receiver: string, ...ranges: [number, number][]): TransferEvent => ({
  type: 'ChunksAcked',
  data: { receiver, ranges, bytes: bytesOf(ranges), ...stats },
})
export const filesCompleted = (receiver: string, first: number, count: number): TransferEvent => ({
  type: 'FilesCompleted',
  data: { receiver, first, count },
})
export const receiverCompleted = (receiver: string): TransferEvent => ({
  type: 'ReceiverCompleted',
  data: { receiver, bytes: 1000, seconds: 2.5 },
})
export const transferCompleted: TransferEvent = { type: 'TransferCompleted', data: { bytes: 1000, seconds: 2.5 } }
export const paused = (reason: DataOf<'Paused'>['reason']): TransferEvent => ({
  type: 'Paused',
  data: { reason, by: 'test' },
})
export const resumed: TransferEvent = { type: 'Resumed', data: { by: 'test' } }
export const failed: TransferEvent = { type: 'TransferFailed', data: { code: 'ERR_NO_PATH', detail: null } }
export const retried: TransferEvent = { type: 'TransferRetried', data: { by: 'test' } }
export const cancelled: TransferEvent = { type: 'TransferCancelled', data: { by: 'test' } }

/** A sender whose receiver `r1` has accepted over its first session. */
export const sending: readonly TransferEvent[] = [
  enqueuedSend(),
  entered(null),
  joined('r1', 2),
  admitted('r1', 3),
  paired('r1'),
  opened('r1', 1),
  offered('r1'),
  accepted('r1'),
]
/** The same transfer at its receiver. */
export const receiving: readonly TransferEvent[] = [
  enqueuedReceive(),
  entered('r1'),
  admitted('r1', 3),
  paired('r1'),
  opened('r1', 1),
  offered('r1'),
  accepted('r1'),
]
