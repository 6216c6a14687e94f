/**
 * From the outbox to the queues: every append leaves one outbox entry per event that has a route; a relay with a
 * consumer group hands each to `enqueue` and acknowledges it afterwards, so an entry is delivered at least once.
 */

/** The queues of a node: each has a worker of the same name. */
export const QUEUES = ['transfers', 'room-events', 'chunk-acks', 'retransmits'] as const
export type QueueName = (typeof QUEUES)[number]

/** Whether a string from outside names a queue. */
export const isQueueName = (value: string): value is QueueName => QUEUES.some((name) => name === value)

/** A job is a wake-up: it carries ids only. */
export interface WakeUp {
  readonly streamId: string
  /** The event that caused it. */
  readonly eventId: string
}

/** What the outbox holds for one event: a wake-up and the queue that it is for. */
export interface OutboxEntry extends WakeUp {
  readonly queue: QueueName
}

/**
 * Turns outbox entries into jobs; resolves once all of them are stored. An entry that comes again must not harm:
 * its job has the event's id.
 */
export type Enqueue = (entries: readonly OutboxEntry[]) => Promise<void>
