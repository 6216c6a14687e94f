/**
 * The envelope of a recorded event: the same for every stream. Metadata is added when an event is recorded, never by
 * the domain (emmett's rule).
 */

/** What every domain event is: a type and its data. */
export interface DomainEvent {
  readonly type: string
  readonly data: object
}

/** An event as it stands in the log. */
export interface RecordedEvent<E extends DomainEvent = DomainEvent> {
  /** `<streamId>.<version>`: unique everywhere, and the id of the job that it causes. */
  readonly id: string
  /** A transfer's or a room's id. */
  readonly streamId: string
  /** Position in its stream: 1, 2, 3 … without a gap. */
  readonly version: number
  readonly type: E['type']
  readonly data: E['data']
  /** Wall clock at recording, milliseconds since 1970. For people; nothing is decided by it. */
  readonly recordedAt: number
  /** The command, job or connection that caused it: one id for all that followed from one request. */
  readonly correlationId: string
  /** The event id that led to this one, or the correlation id. */
  readonly causationId: string
  /** Version of the shape of `data`; an upcaster brings old ones forward. */
  readonly schema: number
}

/** Puts an event's id together. */
export const eventIdOf = (streamId: string, version: number): string => `${streamId}.${version}`

/** Takes an event's id apart; undefined for anything else. */
export const parseEventId = (id: string): { readonly streamId: string; readonly version: number } | undefined => {
  const match = /^([A-Za-z0-9_-]{1,64})\.([1-9][0-9]{0,14})$/.exec(id)
  if (match?.[1] === undefined || match[2] === undefined) return undefined
  return { streamId: match[1], version: Number(match[2]) }
}
