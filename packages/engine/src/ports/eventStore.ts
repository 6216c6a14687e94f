/**
 * The event store: one gap-free stream per transfer or room, appended to under an expected version, with an outbox
 * entry written in the same atomic step. Implemented on Redis (`@godwit/redis/eventStore`) and in memory
 * (`@godwit/engine/memory/eventStore`); both pass `testing/eventStoreContract`.
 */
import type { DomainEvent, RecordedEvent } from '@godwit/protocol/events'
import type { StopSignal } from './stopSignal.js'

export interface EventMetadata {
  readonly correlationId: string
  /** The event id that led to this one; the correlation id where there is none. */
  readonly causationId: string
}

/** Proof of a lease: the append is refused when a later lease was given out (see `ports/leases`). */
export interface Fence {
  readonly name: string
  readonly token: number
}

export type AppendResult<E extends DomainEvent> =
  | { readonly ok: true; readonly version: number; readonly events: readonly RecordedEvent<E>[] }
  | { readonly ok: false; readonly code: 'versionConflict'; readonly actualVersion: number }
  | { readonly ok: false; readonly code: 'fenced' }

export interface EventStore<E extends DomainEvent> {
  /**
   * Appends all `events` or none. @param expectedVersion - the stream's last version as the caller knows it; 0 for a
   * stream that does not exist. When the promise resolves with ok, the events survive a crash of the store's process.
   * While the store is away this and every other call waits; it rejects when the store is closed. A conflict is found
   * before a fence that has fallen.
   */
  append(
    streamId: string,
    expectedVersion: number,
    events: readonly E[],
    metadata: EventMetadata,
    fence?: Fence,
  ): Promise<AppendResult<E>>
  /** Events from `fromVersion` (1 is the first) in order, at most `limit`; empty where there are none. */
  read(streamId: string, fromVersion?: number, limit?: number): Promise<readonly RecordedEvent<E>[]>
  /** The last version of a stream; 0 where it does not exist. */
  version(streamId: string): Promise<number>
  /** Events from `fromVersion` on, first those recorded, then each new one as it comes, until `signal` aborts. */
  follow(streamId: string, fromVersion: number, signal: StopSignal): AsyncIterable<RecordedEvent<E>>
  /** Ids of all streams, in no order. */
  streamIds(): Promise<readonly string[]>
  /** Forgets a stream (`godwit remove`, an expired room). */
  delete(streamId: string): Promise<void>
}
