/**
 * What the four queues' workers do. A job is a wake-up: each reads the log, moves the projection on, and lets the
 * transfer's run do what is due. Coming twice, late or in another order does no harm.
 */

import type { Leases } from '@godwit/engine/ports/leases'
import type { QueueName } from '@godwit/engine/ports/outbox'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { parseEventId } from '@godwit/protocol/events'
import { LEASE_TTL_MS, TRANSFER_SLICE_MS } from '@godwit/protocol/limits'
import type { Processor } from '@godwit/redis/workers'
import { pause } from '../lifecycle/pause.js'
import type { RunManager } from '../runs/runManager.js'
import type { TransferLog } from '../transfers/transferLog.js'

/** Milliseconds between looks at a run during its slice. */
const LOOK_EVERY_MS = 500
/** Milliseconds before another try to get a lease that another node holds. */
const LEASE_RETRY_MS = 5000

export interface ProcessorDeps {
  readonly log: Pick<TransferLog, 'read' | 'setFence' | 'events'>
  readonly runs: Pick<RunManager, 'get' | 'ensure' | 'drop'>
  readonly leases: Leases
  /** This node, as the holder of leases. */
  readonly nodeId: string
}

export const createProcessors = (deps: ProcessorDeps): Readonly<Record<QueueName, Processor>> => {
  const { log, runs } = deps
  /** The wake-up that keeps a transfer's lease: the newest. Those before it have done their work. */
  const slices = new Map<string, AbortController>()

  /** Wakes the run, if this node has it: everything but the first wake-up of a transfer. */
  const wake: Processor = async ({ streamId }) => {
    await log.read(streamId)
    await runs.get(streamId)?.sync()
    return undefined
  }

  const letGo = async (transferId: string): Promise<undefined> => {
    log.setFence(transferId, undefined)
    await deps.leases.release(leaseOf(transferId), deps.nodeId)
    return undefined
  }

  return {
    transfers: async ({ streamId }, signal) => {
      const projection = await log.read(streamId)
      if (projection === undefined) return undefined
      const lease = await deps.leases.acquire(leaseOf(streamId), deps.nodeId, LEASE_TTL_MS)
      if (lease === undefined) {
        // What this node had of it was taken over by the one that holds the lease now.
        await runs.drop(streamId)
        return isUnfinished(projection) ? { againAfterMs: LEASE_RETRY_MS } : undefined
      }
      log.setFence(streamId, lease)
      const run = runs.ensure(projection)
      await run?.sync()
      if (run === undefined || run.isOver) return letGo(streamId)
      // Also a job that is handed out again after its lock was lost: its first self ends, and this one goes on.
      slices.get(streamId)?.abort()
      const slice = new AbortController()
      slices.set(streamId, slice)
      const ended = AbortSignal.any([signal, slice.signal])
      const endsAt = performance.now() + TRANSFER_SLICE_MS
      while (performance.now() < endsAt && !ended.aborted && !run.isOver) await pause(LOOK_EVERY_MS, ended)
      if (slice.signal.aborted) return undefined
      slices.delete(streamId)
      return run.isOver ? letGo(streamId) : { againAfterMs: 1 }
    },
    'room-events': wake,
    'chunk-acks': wake,
    retransmits: async ({ streamId, eventId }) => {
      await log.read(streamId)
      const version = parseEventId(eventId)?.version
      const [recorded] = version === undefined ? [] : await log.events.read(streamId, version, 1)
      if (recorded?.type !== 'RetransmitRequested' || !('reason' in recorded.data)) return undefined
      const { receiver, ranges, reason } = recorded.data as RetransmitRequested
      await runs.get(streamId)?.retransmit(receiver, ranges, reason)
      return undefined
    },
  }
}

type RetransmitRequested = Extract<
  import('@godwit/protocol/transferEvents').TransferEvent,
  { type: 'RetransmitRequested' }
>['data']

/** Of the stream's name: it is forgotten together with the stream. */
const leaseOf = (transferId: string): string => transferId

const isUnfinished = ({ transfer }: TransferProjection): boolean =>
  transfer.status === 'active' || transfer.status === 'paused'
