/**
 * A mailbox message beside the handshake, from a sender to a receiver: "I have no session with you (any more), come for
 * one". Who may be believed is decided in the engine (`handshake/wake.ts`).
 *
 * ```
 * w0    type 1 (7f) | resumption id 16 | generation 4 | MAC 64       or the type alone, before the two have paired
 * ```
 */
import { ByteReader, ByteWriter } from './bytes.js'
import { CONFIRMATION_BYTES, RESUMPTION_ID_BYTES } from './handshakeMessages.js'

/** First byte: that of no message of the handshake. */
const WAKE_TYPE = 0x7f

/** What a wake says: which secret it was made with, and the proof. */
export interface SignedWake {
  readonly resumptionId: Uint8Array
  readonly generation: number
  readonly mac: Uint8Array
}

/** The wake for a receiver that has not paired yet. */
export const bareWake = (): Uint8Array => Uint8Array.of(WAKE_TYPE)

/** A wake without its MAC: what the MAC covers. */
export const encodeWakeBody = (wake: Omit<SignedWake, 'mac'>): Uint8Array =>
  new ByteWriter().u8(WAKE_TYPE).bytes(wake.resumptionId).u32(wake.generation).finish()

/** Null for a bare wake; undefined for anything that is no wake. Views of `message`. */
export const decodeWake = (message: Uint8Array): SignedWake | null | undefined => {
  const reader = new ByteReader(message)
  if (reader.u8() !== WAKE_TYPE) return undefined
  if (reader.isAtEnd) return null
  const resumptionId = reader.bytes(RESUMPTION_ID_BYTES)
  const generation = reader.u32()
  const mac = reader.bytes(CONFIRMATION_BYTES)
  if (resumptionId === undefined || generation === undefined || mac === undefined) return undefined
  return reader.isAtEnd ? { resumptionId, generation, mac } : undefined
}
