/**
 * The event store in memory: for simulations and tests, with the guarantees of the one on Redis but durability.
 */
import type { DomainEvent, RecordedEvent } from '@godwit/protocol/events'
import { eventIdOf } from '@godwit/protocol/events'
import type { AppendResult, EventMetadata, EventStore, Fence } from '../ports/eventStore.js'
import type { OutboxEntry, QueueName } from '../ports/outbox.js'
import type { StopSignal } from '../ports/stopSignal.js'
import { followFrom } from './follow.js'

export interface MemoryEventStoreOptions<E extends DomainEvent> {
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number
  /** Whether `fence` still stands; by default every one does. `MemoryLeases.holds` fits. */
  readonly holds?: (fence: Fence) => boolean
  /** The queue of an event's job; by default no event has one. */
  readonly routeOf?: (event: E) => QueueName | undefined
  readonly schemaVersion?: number
}

export class MemoryEventStore<E extends DomainEvent> implements EventStore<E> {
  readonly #options: MemoryEventStoreOptions<E>
  readonly #streams = new Map<string, RecordedEvent<E>[]>()
  readonly #wakes = new Map<string, Set<() => void>>()
  #outbox: OutboxEntry[] = []

  constructor(options: MemoryEventStoreOptions<E>) {
    this.#options = options
  }

  append(
    streamId: string,
    expectedVersion: number,
    events: readonly E[],
    metadata: EventMetadata,
    fence?: Fence,
  ): Promise<AppendResult<E>> {
    const stream = this.#streams.get(streamId) ?? []
    if (stream.length !== expectedVersion) {
      return Promise.resolve({ ok: false, code: 'versionConflict', actualVersion: stream.length })
    }
    if (fence !== undefined && this.#options.holds?.(fence) === false) {
      return Promise.resolve({ ok: false, code: 'fenced' })
    }
    const recordedAt = this.#options.now()
    const recorded = events.map((event, index): RecordedEvent<E> => {
      const version = expectedVersion + index + 1
      return {
        id: eventIdOf(streamId, version),
        streamId,
        version,
        type: event.type,
        data: structuredCopy(event.data),
        recordedAt,
        correlationId: metadata.correlationId,
        causationId: metadata.causationId,
        schema: this.#options.schemaVersion ?? 1,
      }
    })
    if (recorded.length > 0) this.#streams.set(streamId, [...stream, ...recorded])
    for (const [index, event] of events.entries()) {
      const queue = this.#options.routeOf?.(event)
      if (queue !== undefined) {
        this.#outbox.push({ queue, streamId, eventId: eventIdOf(streamId, expectedVersion + index + 1) })
      }
    }
    for (const wake of this.#wakes.get(streamId) ?? []) wake()
    return Promise.resolve({ ok: true, version: expectedVersion + events.length, events: recorded })
  }

  read(streamId: string, fromVersion = 1, limit = Number.MAX_SAFE_INTEGER): Promise<readonly RecordedEvent<E>[]> {
    const first = Math.max(fromVersion, 1) - 1
    return Promise.resolve((this.#streams.get(streamId) ?? []).slice(first, first + limit))
  }

  version(streamId: string): Promise<number> {
    return Promise.resolve(this.#streams.get(streamId)?.length ?? 0)
  }

  follow(streamId: string, fromVersion: number, signal: StopSignal): AsyncIterable<RecordedEvent<E>> {
    const onWake = (wake: () => void): (() => void) => {
      const wakes = this.#wakes.get(streamId) ?? new Set()
      this.#wakes.set(streamId, wakes.add(wake))
      return () => {
        wakes.delete(wake)
        if (wakes.size === 0 && this.#wakes.get(streamId) === wakes) this.#wakes.delete(streamId)
      }
    }
    return followFrom({ read: (from) => this.read(streamId, from), onWake }, fromVersion, signal)
  }

  streamIds(): Promise<readonly string[]> {
    return Promise.resolve([...this.#streams.keys()])
  }

  delete(streamId: string): Promise<void> {
    this.#streams.delete(streamId)
    return Promise.resolve()
  }

  /** Takes what a relay would turn into jobs since the last call. */
  takeOutbox(): readonly OutboxEntry[] {
    const entries = this.#outbox
    this.#outbox = []
    return entries
  }
}

/** As a store that writes JSON would give it back: nobody can change a recorded event afterwards. */
const structuredCopy = <T>(value: T): T => JSON.parse(JSON.stringify(value))
