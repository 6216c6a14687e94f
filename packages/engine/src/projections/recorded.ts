/** From the log's envelope back to the domain's event. */
import type { DomainEvent, RecordedEvent } from '@godwit/protocol/events'

/** The event that was recorded. */
export const eventOf = <E extends DomainEvent>(recorded: RecordedEvent<E>): E =>
  // `type` and `data` were recorded together from one E, which the envelope's type does not say.
  ({ type: recorded.type, data: recorded.data }) as E

/** Folds a stretch of one stream, in order. */
export const foldStream = <S, E extends DomainEvent>(
  fold: (state: S, recorded: RecordedEvent<E>) => S,
  initial: S,
  events: readonly RecordedEvent<E>[],
): S => events.reduce(fold, initial)
