/**
 * From the outbox to the queues: every append leaves one outbox entry per event that has a route; a relay with a
 * consumer group hands each to `enqueue` and acknowledges it afterwards, so an entry is delivered at least once.
 */

/** The queues of a node: each has a worker of the same name. */
export const QUEUES = ['transfers', 'room-events', 'chunk-acks', 'retransmits'] as const
export type QueueName = (typeof QUEUES)[number]

/** A job is a wake-up: it carries ids only. */
export interface WakeUp {
  readonly streamId: string
  /** The event that caused it. */
  readonly eventId: string
}
