/**
 * Moves a projection on along its stream. A job is only a wake-up, so it may come late, twice or out of order: the
 * projector reads from its own cursor, folds in order, and writes under compare-and-set. Whoever loses the race starts
 * from what the winner wrote.
 */
import { assert } from '@godwit/protocol/assert'
import type { DomainEvent, RecordedEvent } from '@godwit/protocol/events'
import type { EventStore } from '../ports/eventStore.js'
import type { Projection, ProjectionStore } from '../ports/projectionStore.js'

/** Events folded between two writes. */
const BATCH_EVENTS = 500
/** Races lost in a row before it must be a bug: each loss means that somebody else has moved on. */
const MAX_CONFLICTS = 1000

export interface ProjectorOptions<S, E extends DomainEvent> {
  readonly events: Pick<EventStore<E>, 'read'>
  readonly projections: Pick<ProjectionStore<S>, 'get' | 'compareAndSet'>
  readonly initial: S
  readonly fold: (state: S, recorded: RecordedEvent<E>) => S
}

export interface Projector<S> {
  /** Takes in what the stream holds by now; the projection then, or undefined for a stream without events. */
  catchUp(streamId: string): Promise<Projection<S> | undefined>
}

export const createProjector = <S, E extends DomainEvent>(options: ProjectorOptions<S, E>): Projector<S> => {
  const { events, projections, initial, fold } = options
  return {
    catchUp: async (streamId) => {
      let conflicts = 0
      let current = await projections.get(streamId)
      for (;;) {
        const cursor = current?.cursor ?? 0
        const batch = await events.read(streamId, cursor + 1, BATCH_EVENTS)
        const last = batch.at(-1)
        if (last === undefined) return current
        assert(batch[0]?.version === cursor + 1, `stream ${streamId} has a gap behind version ${cursor}`)
        const next = { cursor: last.version, state: batch.reduce(fold, current?.state ?? initial) }
        if (await projections.compareAndSet(streamId, cursor, next)) {
          current = next
          conflicts = 0
        } else {
          conflicts += 1
          assert(conflicts < MAX_CONFLICTS, `the projection of ${streamId} never comes to rest`)
          current = await projections.get(streamId)
        }
      }
    },
  }
}
