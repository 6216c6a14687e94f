/**
 * How events get into the log and out of it again. What is read was perhaps written by an older version: the upcaster
 * brings it forward, then the schema checks it. Histories are kept for ever, so an upcaster is never removed.
 */
import type { DomainEvent } from '@godwit/protocol/events'

/** The part of a zod schema that is needed. */
export interface Parser<E> {
  safeParse(value: unknown): { readonly success: true; readonly data: E } | { readonly success: false }
}

export interface StoredEvent {
  readonly type: string
  readonly data: unknown
  /** The version of the shape of `data`. */
  readonly schema: number
}

export interface EventCodec<E extends DomainEvent> {
  /** Written with each event; raised when a shape changes. */
  readonly schemaVersion: number
  readonly parser: Parser<E>
  /** Turns an event of an older schema into one of `schemaVersion`. */
  readonly upcast?: (stored: StoredEvent) => StoredEvent
}

/** An event that this version cannot read: written by a later one, or damaged. Nothing after it may be folded. */
export class UnreadableEventError extends Error {
  override readonly name = 'UnreadableEventError'
  readonly eventId: string

  constructor(eventId: string, reason: string) {
    super(`event ${eventId} cannot be read: ${reason}`)
    this.eventId = eventId
  }
}

/** @throws UnreadableEventError */
export const decodeEvent = <E extends DomainEvent>(codec: EventCodec<E>, eventId: string, stored: StoredEvent): E => {
  if (stored.schema > codec.schemaVersion) {
    throw new UnreadableEventError(eventId, `its schema ${stored.schema} is later than ${codec.schemaVersion}`)
  }
  const current = stored.schema < codec.schemaVersion ? (codec.upcast?.(stored) ?? stored) : stored
  const parsed = codec.parser.safeParse({ type: current.type, data: current.data })
  if (!parsed.success) throw new UnreadableEventError(eventId, `its shape is not that of ${current.type}`)
  return parsed.data
}
