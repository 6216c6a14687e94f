/**
 * The four BullMQ queues of a node, from the side that fills them. A job is a wake-up: it carries ids only, and is
 * named by its event, so that an entry of the outbox that comes twice makes one job. Once a finished job is gone from
 * Redis it can be made again; processors are idempotent.
 */
import type { Enqueue, OutboxEntry, QueueName, WakeUp } from '@godwit/engine/ports/outbox'
import { QUEUES } from '@godwit/engine/ports/outbox'
import { type JobsOptions, Queue } from 'bullmq'
import type { RedisAccess } from './connection.js'
import { closeConnection, openConnection } from './connection.js'
import { within } from './within.js'

/** Seconds that a finished job is kept: far longer than the relay takes to deliver an entry again. */
const KEEP_COMPLETED_SECONDS = 600
/** Finished jobs kept of each queue, whatever their age. */
const KEEP_COMPLETED_JOBS = 1000
/** Failed jobs kept of each queue, to look at. */
const KEEP_FAILED_JOBS = 1000
/** Attempts of a job whose processor throws: with the backoff about an hour and a half. */
const JOB_ATTEMPTS = 100
/** BullMQ's own event stream is only for looking on: ours is the record. */
const BULLMQ_EVENTS_MAX = 1000
/** Stack trace lines kept of a failed attempt. */
const STACK_TRACE_LINES = 10

/** Milliseconds that closing may wait for Redis. */
const CLOSE_TIMEOUT_MS = 1000

/** The name of the backoff that `startWorkers` implements: exponential, with an upper limit. */
export const BACKOFF = 'cappedExponential'
/** Milliseconds before the second attempt, doubled for each further one … */
export const BACKOFF_FIRST_MS = 100
/** … up to this. */
export const BACKOFF_MAX_MS = 60_000

const jobOptions: JobsOptions = {
  attempts: JOB_ATTEMPTS,
  backoff: { type: BACKOFF },
  removeOnComplete: { age: KEEP_COMPLETED_SECONDS, count: KEEP_COMPLETED_JOBS },
  removeOnFail: { count: KEEP_FAILED_JOBS },
  stackTraceLimit: STACK_TRACE_LINES,
}

export interface Queues {
  /** For the relay. Waits while Redis is away. */
  readonly enqueue: Enqueue
  /**
   * Makes a job outside of the log: what a node does at its start for each unfinished transfer.
   *
   * @param occasion - told apart from other jobs of the same event: letters, digits and dashes, e.g. the node's run.
   */
  wake(queue: QueueName, wakeUp: WakeUp, occasion: string, delayMs?: number): Promise<void>
  /** For a dashboard and counts. */
  readonly byName: Readonly<Record<QueueName, Queue<WakeUp>>>
  close(): Promise<void>
}

export const createQueues = (access: RedisAccess): Queues => {
  const connection = openConnection(access)
  const open = (name: QueueName): Queue<WakeUp> => {
    const queue = new Queue<WakeUp>(name, {
      connection,
      prefix: access.prefix,
      defaultJobOptions: jobOptions,
      streams: { events: { maxLen: BULLMQ_EVENTS_MAX } },
    })
    queue.on('error', (error: Error) => {
      access.onFailure?.({ code: 'ERR_REDIS_UNREACHABLE', detail: `queue ${name}: ${error.message}` })
    })
    return queue
  }
  const byName: Record<QueueName, Queue<WakeUp>> = {
    transfers: open('transfers'),
    'room-events': open('room-events'),
    'chunk-acks': open('chunk-acks'),
    retransmits: open('retransmits'),
  }

  return {
    byName,
    enqueue: async (entries: readonly OutboxEntry[]) => {
      for (const name of QUEUES) {
        const jobs = entries.filter(({ queue }) => queue === name).map(toJob)
        if (jobs.length > 0) await byName[name].addBulk(jobs)
      }
    },
    wake: async (queue, { streamId, eventId }, occasion, delayMs = 0) => {
      await byName[queue].add('wakeUp', { streamId, eventId }, { jobId: `${eventId}.${occasion}`, delay: delayMs })
    },
    close: async () => {
      await within(CLOSE_TIMEOUT_MS, Promise.all(QUEUES.map((name) => byName[name].close())))
      await closeConnection(connection)
    },
  }
}

const toJob = ({ streamId, eventId }: OutboxEntry) => ({
  name: 'wakeUp',
  data: { streamId, eventId },
  opts: { jobId: eventId },
})
