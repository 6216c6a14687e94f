/**
 * Brings a transfer's events of older schemas forward, one schema after the other. Histories are kept for ever, so a step
 * is never removed.
 */

/** The schema that `transferEventSchema` describes. */
export const TRANSFER_EVENT_SCHEMA = 2

export interface StoredTransferEvent {
  readonly type: string
  readonly data: unknown
  readonly schema: number
}

/** An event of any older schema as one of `TRANSFER_EVENT_SCHEMA`; whether its shape is right is checked afterwards. */
export const upcastTransferEvent = ({ type, data, schema }: StoredTransferEvent): StoredTransferEvent => ({
  type,
  data: schema < 2 ? withProfile(type, data) : data,
  schema: Math.max(schema, TRANSFER_EVENT_SCHEMA),
})

/** Schema 2: a transfer has a profile. */
const withProfile = (type: string, data: unknown): unknown =>
  type === 'TransferEnqueued' ? { ...Object(data), profile: null } : data
