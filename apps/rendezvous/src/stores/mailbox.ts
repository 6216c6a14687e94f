/**
 * The messages of a room: opaque bodies between the owner and its receivers, in the order of arrival. Implemented on
 * Redis and in memory; both pass `storesContract`.
 */
export interface MailboxMessage {
  /** `owner` or a receiver's id. */
  readonly from: string
  readonly to: string
  /** base64. */
  readonly body: string
  /** The room's version when it was posted: the message comes after these events for everybody. */
  readonly afterVersion: number
}

export interface StoredMessage extends MailboxMessage {
  /** `<number>-<number>`, rising in a room. */
  readonly id: string
}

/** Before every message. */
export const FIRST_MESSAGE_ID = '0-0'

export interface Mailbox {
  /** Keeps a message and trims the room's messages to `MAILBOX_MAX_MESSAGES`, the oldest first. */
  append(roomId: string, message: MailboxMessage, expiresAt: number): Promise<string>
  /** Messages after `afterId`, in order. */
  read(roomId: string, afterId: string): Promise<readonly StoredMessage[]>
  delete(roomId: string): Promise<void>
}
