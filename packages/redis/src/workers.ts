/**
 * The four BullMQ workers of a node. What they do is the processors'; here is what makes them hold out: at-least-once
 * delivery over any number of crashes, a backoff with an upper limit, an end within a time limit.
 */
import type { QueueName, WakeUp } from '@godwit/engine/ports/outbox'
import { QUEUES } from '@godwit/engine/ports/outbox'
import { JOB_MAX_STALLED } from '@godwit/protocol/limits'
import { DelayedError, type Job, Worker } from 'bullmq'
import type { RedisAccess } from './connection.js'
import { closeConnection, openConnection } from './connection.js'
import { BACKOFF, BACKOFF_FIRST_MS, BACKOFF_MAX_MS } from './queues.js'
import { within } from './within.js'

/** Milliseconds between looks for jobs whose worker died. A node that starts again finds them within this and the lock. */
const STALLED_INTERVAL_MS = 2000
/** Milliseconds that a job is a worker's without renewal (renewed at half of it); a crashed worker's job waits as long. */
const LOCK_DURATION_MS = 10_000
/** Milliseconds that jobs under way have to end once their signal is aborted. */
const CLOSE_TIMEOUT_MS = 5000

/** Milliseconds that cutting a worker's connections may take. */
const DISCONNECT_TIMEOUT_MS = 500

/** What became of a job: done, or wanted again after a while (the next slice of a long run). */
export type Processed = { readonly againAfterMs: number } | undefined

/**
 * Handles one wake-up. It may come twice, late, out of order, or for a stream that is gone. A throw means another
 * attempt after the backoff. `signal` aborts when the workers close or the job's lock was lost to another worker.
 */
export type Processor = (wakeUp: WakeUp, signal: AbortSignal) => Promise<Processed>

export interface WorkersOptions extends RedisAccess {
  readonly processors: Readonly<Record<QueueName, Processor>>
  /** Jobs at once in each queue. */
  readonly concurrency: Readonly<Record<QueueName, number>>
  /** Told of each failed attempt. */
  readonly onJobFailed?: (queue: QueueName, wakeUp: WakeUp, error: Error) => void
  readonly stalledIntervalMs?: number
  readonly lockDurationMs?: number
}

export interface Workers {
  /**
   * Aborts the signals of jobs under way, waits for them up to `timeoutMs`, then closes regardless: what has not ended
   * stalls and is done again by the next worker. When Redis is away meanwhile, BullMQ's own connections go on trying
   * to connect until the process ends.
   */
  close(timeoutMs?: number): Promise<void>
}

export const startWorkers = (options: WorkersOptions): Workers => {
  // BullMQ duplicates it for each worker's blocking reads.
  const connection = openConnection(options)
  const closing = new AbortController()
  const workers = QUEUES.map((name) => startWorker(name, options, connection, closing.signal))
  return {
    close: async (timeoutMs = CLOSE_TIMEOUT_MS) => {
      closing.abort()
      const closed = Promise.all(workers.map((worker) => worker.close()))
      if (!(await within(timeoutMs, closed))) {
        await within(DISCONNECT_TIMEOUT_MS, Promise.all(workers.map((worker) => worker.disconnect())))
      }
      await closeConnection(connection)
    },
  }
}

const startWorker = (
  name: QueueName,
  options: WorkersOptions,
  connection: ReturnType<typeof openConnection>,
  closing: AbortSignal,
): Worker<WakeUp> => {
  const processor = options.processors[name]
  // BullMQ makes a signal only for a function that declares three parameters.
  const run = async (job: Job<WakeUp>, token: string | undefined, signal: AbortSignal | undefined): Promise<void> => {
    const stop = signal === undefined ? closing : AbortSignal.any([closing, signal])
    const processed = await processor({ streamId: job.data.streamId, eventId: job.data.eventId }, stop)
    if (processed === undefined) return
    await job.moveToDelayed(Date.now() + processed.againAfterMs, token)
    throw new DelayedError()
  }
  const worker = new Worker<WakeUp>(name, run, {
    connection,
    prefix: options.prefix,
    concurrency: options.concurrency[name],
    maxStalledCount: JOB_MAX_STALLED,
    stalledInterval: options.stalledIntervalMs ?? STALLED_INTERVAL_MS,
    lockDuration: options.lockDurationMs ?? LOCK_DURATION_MS,
    settings: { backoffStrategy: backoffMs },
  })
  worker.on('error', (error: Error) => {
    options.onFailure?.({ code: 'ERR_REDIS_UNREACHABLE', detail: `worker ${name}: ${error.message}` })
  })
  worker.on('failed', (job, error) => {
    if (job !== undefined) options.onJobFailed?.(name, job.data, error)
  })
  worker.on('lockRenewalFailed', (jobIds: readonly string[]) => {
    // Another worker may have such a job by now: this one lets go of it.
    for (const id of jobIds) worker.cancelJob(id, 'lock lost')
  })
  return worker
}

const backoffMs = (attemptsMade: number, type?: string): number =>
  type === BACKOFF ? Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(attemptsMade - 1, 30), BACKOFF_MAX_MS) : BACKOFF_MAX_MS
