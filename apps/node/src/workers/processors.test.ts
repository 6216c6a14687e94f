import { MemoryLeases } from '@godwit/engine/memory/leases'
import { initialTransferProjection, type TransferProjection } from '@godwit/engine/projections/transferProjection'
import { LEASE_TTL_MS, TRANSFER_SLICE_MS } from '@godwit/protocol/limits'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Run } from '../runs/run.js'
import { createProcessors, type ProcessorDeps } from './processors.js'

const TRANSFER = 'traaaaaaaaaaaaaaaa'
const wakeUp = (version: number) => ({ streamId: TRANSFER, eventId: `${TRANSFER}.${version}` })
const projection: TransferProjection = {
  ...initialTransferProjection,
  transferId: TRANSFER,
  version: 1,
  transfer: {
    status: 'active',
    run: {
      role: 'sender',
      submissionId: 'one',
      capacity: 1,
      receiversWanted: 1,
      limit: null,
      profile: null,
      acceptsAtOnce: false,
      receivers: [],
    },
  },
}

class CountingRun implements Run {
  readonly transferId = TRANSFER
  isOver = false
  readonly isIdle = false
  syncs = 0
  isStopped = false
  async sync(): Promise<void> {
    this.syncs += 1
  }
  async retransmit(): Promise<void> {}
  async abandon(): Promise<void> {}
  async stop(): Promise<void> {
    this.isStopped = true
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const world = () => {
  const run = new CountingRun()
  const leases = new MemoryLeases(() => performance.now())
  const fences: unknown[] = []
  const deps: ProcessorDeps = {
    log: {
      read: async () => projection,
      setFence: (_id, fence) => fences.push(fence),
      get events(): ProcessorDeps['log']['events'] {
        throw new Error('not read here')
      },
    },
    runs: {
      get: () => run,
      ensure: () => run,
      drop: () => run.stop(),
    },
    leases,
    nodeId: 'this node',
  }
  return { run, leases, fences, processors: createProcessors(deps) }
}
const unending = new AbortController().signal

test('a slice ends after its time and is wanted again, with its lease renewed', async () => {
  const { run, processors } = world()
  const slice = processors.transfers(wakeUp(1), unending)
  await vi.advanceTimersByTimeAsync(TRANSFER_SLICE_MS + 1000)
  expect(await slice).toEqual({ againAfterMs: 1 })
  expect(run.syncs).toBe(1)
})

test('the newest wake-up keeps the slice, so that a job handed out twice goes on as one', async () => {
  const { run, processors } = world()
  const first = processors.transfers(wakeUp(1), unending)
  await vi.advanceTimersByTimeAsync(1000)
  const second = processors.transfers(wakeUp(1), unending)
  expect(await first).toBeUndefined()
  await vi.advanceTimersByTimeAsync(TRANSFER_SLICE_MS + 1000)
  expect(await second).toEqual({ againAfterMs: 1 })
  expect(run.syncs).toBe(2)
})

test('a run that is over gives its lease back', async () => {
  const { run, leases, fences, processors } = world()
  const slice = processors.transfers(wakeUp(1), unending)
  await vi.advanceTimersByTimeAsync(1000)
  run.isOver = true
  await vi.advanceTimersByTimeAsync(1000)
  expect(await slice).toBeUndefined()
  expect(fences.at(-1)).toBeUndefined()
  expect(await leases.acquire(TRANSFER, 'another node', LEASE_TTL_MS)).toBeDefined()
})

test('a transfer that another node has taken over is not run here any more', async () => {
  const { run, leases, processors } = world()
  const slice = processors.transfers(wakeUp(1), unending)
  // This node was away for longer than its lease.
  await vi.advanceTimersByTimeAsync(LEASE_TTL_MS + 1000)
  await slice
  expect(await leases.acquire(TRANSFER, 'another node', LEASE_TTL_MS)).toBeDefined()
  expect(await processors.transfers(wakeUp(1), unending)).toEqual({ againAfterMs: 5000 })
  expect(run.isStopped).toBe(true)
})
