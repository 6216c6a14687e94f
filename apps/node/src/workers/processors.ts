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
import type { RunManager } from '../runs/runManager.js'
import type { TransferLog } from '../transfers/transferLog.js'

/** Milliseconds between looks at a run during its slice. */
const LOOK_EVERY_MS = 500
/** Milliseconds before another try to get a lease that another node holds. */
const LEASE_RETRY_MS = 5000

export interface ProcessorDeps {
  readonly log: TransferLog
  readonly runs: RunManager
  readonly leases: Leases
  /** This node, as the holder of leases. */
  readonly nodeId: string
}

export const createProcessors = (deps: ProcessorDeps): Readonly<Record<QueueName, Processor>> => {
  const { log, runs } = deps
  const slices = new Set<string>()

  /** Wakes the run, if this node has it: everything but the first wake-up of a transfer. */
  const wake: Processor = async ({ streamId }) => {
    await log.read(streamId)
    await runs.get(streamId)?.sync()
    return undefined
  }

  return {
    transfers: async ({ streamId }, signal) => {
      const projection = await log.read(streamId)
      if (projection === undefined) return undefined
      const lease = await deps.leases.acquire(leaseOf(streamId), deps.nodeId, LEASE_TTL_MS)
      if (lease === undefined) return isUnfinished(projection) ? { againAfterMs: LEASE_RETRY_MS } : undefined
      log.setFence(streamId, lease)
      const run = runs.ensure(projection)
      await run?.sync()
      // One slice at a time keeps the lease; further wake-ups have done their work.
      if (run === undefined || slices.has(streamId)) return undefined
      slices.add(streamId)
      try {
        const endsAt = performance.now() + TRANSFER_SLICE_MS
        while (performance.now() < endsAt && !signal.aborted && !run.isOver) await sleep(LOOK_EVERY_MS, signal)
      } finally {
        slices.delete(streamId)
      }
      if (!run.isOver) return { againAfterMs: 1 }
      log.setFence(streamId, undefined)
      await deps.leases.release(leaseOf(streamId), deps.nodeId)
      return undefined
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

const leaseOf = (transferId: string): string => `transfer-${transferId}`

const isUnfinished = ({ transfer }: TransferProjection): boolean =>
  transfer.status === 'active' || transfer.status === 'paused'

/** Ends early when `signal` aborts. */
const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
