/**
 * The layouts of the handshake's messages: pairing m0 … m5 and resumption r0 … r3, each the whole body of one mailbox
 * message. What they mean and when they are accepted is decided in the engine (`handshake/`); what is sealed inside the
 * last two of each is `handshakeMessagesSealed.ts`.
 *
 * ```
 * all   type 1 | run id 8 | …
 * m0    versions: count 1, each 1 | suites: count 1, each 1 | nonce 32
 * m1    version 1 | suite 1 | nonce 32 | room salt 16          version 0: none of those offered
 * m2    point 32                                               m3 likewise
 * m4    confirmation 64 | sealed length (varint), sealed       m5, r2, r3 likewise
 * r0    resumption id 16 | generation 4 | nonce 32 | X25519 key 32 | MAC 64
 * r1    nonce 32 | X25519 key 32 | MAC 64
 * ```
 *
 * Any bytes decode to a message or to `undefined`; nothing may follow a message.
 */
import { ByteReader, ByteWriter } from './bytes.js'
import { MAILBOX_MESSAGE_MAX_BYTES } from './limits.js'

/** First byte of each message. */
export const MESSAGE_TYPE = {
  m0: 0x00,
  m1: 0x01,
  m2: 0x02,
  m3: 0x03,
  m4: 0x04,
  m5: 0x05,
  r0: 0x10,
  r1: 0x11,
  r2: 0x12,
  r3: 0x13,
} as const

export type MessageName = keyof typeof MESSAGE_TYPE

export const RUN_ID_BYTES = 8
export const NONCE_BYTES = 32
export const ROOM_SALT_BYTES = 16
/** An encoded ristretto255 element or X25519 public key. */
export const POINT_BYTES = 32
/** HMAC-SHA512. */
export const CONFIRMATION_BYTES = 64
export const RESUMPTION_ID_BYTES = 16
/** Versions or suites that one m0 may list. */
export const CHOICES_MAX = 16

/** What a message belongs to, readable before anything else is. The run id is 16 hex digits. */
export interface MessageHead {
  readonly name: MessageName
  readonly runId: string
}

export interface M0 {
  readonly runId: Uint8Array
  readonly versions: readonly number[]
  readonly suites: readonly number[]
  readonly nonce: Uint8Array
}

export interface M1 {
  readonly runId: Uint8Array
  /** 0 when the sender knows none of the versions or suites. */
  readonly version: number
  readonly suite: number
  readonly nonce: Uint8Array
  /** Random bytes of the sender, the same for all receivers of its room: the salt of the words. */
  readonly roomSalt: Uint8Array
}

/** m2 and m3. */
export interface ShareMessage {
  readonly runId: Uint8Array
  readonly point: Uint8Array
}

/** m4, m5, r2 and r3. */
export interface ConfirmMessage {
  readonly runId: Uint8Array
  readonly confirmation: Uint8Array
  readonly sealed: Uint8Array
}

export interface R0 {
  readonly runId: Uint8Array
  readonly resumptionId: Uint8Array
  readonly generation: number
  readonly nonce: Uint8Array
  readonly point: Uint8Array
  readonly mac: Uint8Array
}

export interface R1 {
  readonly runId: Uint8Array
  readonly nonce: Uint8Array
  readonly point: Uint8Array
  readonly mac: Uint8Array
}

const NAMES = new Map<number, MessageName>(
  // The keys of a const object are its literal keys.
  (Object.keys(MESSAGE_TYPE) as MessageName[]).map((name) => [MESSAGE_TYPE[name], name]),
)

/** Type and run of a message of at most MAILBOX_MESSAGE_MAX_BYTES; undefined for anything that is none. */
export const decodeHead = (message: Uint8Array): MessageHead | undefined => {
  if (message.length > MAILBOX_MESSAGE_MAX_BYTES) return undefined
  const reader = new ByteReader(message)
  const name = NAMES.get(reader.u8() ?? -1)
  const runId = reader.bytes(RUN_ID_BYTES)
  return name === undefined || runId === undefined ? undefined : { name, runId: runIdText(runId) }
}

/** A run id as a key of maps: 16 hex digits. */
export const runIdText = (runId: Uint8Array): string =>
  Array.from(runId, (byte) => byte.toString(16).padStart(2, '0')).join('')

const begin = (name: MessageName, runId: Uint8Array): ByteWriter => new ByteWriter().u8(MESSAGE_TYPE[name]).bytes(runId)

/** A reader behind the head, and the run id; undefined when the message is of another type. */
const open = (name: MessageName, message: Uint8Array): { reader: ByteReader; runId: Uint8Array } | undefined => {
  if (message.length > MAILBOX_MESSAGE_MAX_BYTES) return undefined
  const reader = new ByteReader(message)
  if (reader.u8() !== MESSAGE_TYPE[name]) return undefined
  const runId = reader.bytes(RUN_ID_BYTES)
  return runId === undefined ? undefined : { reader, runId }
}

export const encodeM0 = (m0: M0): Uint8Array =>
  begin('m0', m0.runId)
    .u8(m0.versions.length)
    .bytes(Uint8Array.from(m0.versions))
    .u8(m0.suites.length)
    .bytes(Uint8Array.from(m0.suites))
    .bytes(m0.nonce)
    .finish()

export const decodeM0 = (message: Uint8Array): M0 | undefined => {
  const opened = open('m0', message)
  if (opened === undefined) return undefined
  const { reader, runId } = opened
  const versions = readChoices(reader)
  const suites = readChoices(reader)
  const nonce = reader.bytes(NONCE_BYTES)
  if (versions === undefined || suites === undefined || nonce === undefined || !reader.isAtEnd) return undefined
  return { runId, versions, suites, nonce }
}

const readChoices = (reader: ByteReader): number[] | undefined => {
  const count = reader.u8()
  if (count === undefined || count === 0 || count > CHOICES_MAX) return undefined
  const choices = reader.bytes(count)
  return choices === undefined ? undefined : Array.from(choices)
}

export const encodeM1 = (m1: M1): Uint8Array =>
  begin('m1', m1.runId).u8(m1.version).u8(m1.suite).bytes(m1.nonce).bytes(m1.roomSalt).finish()

export const decodeM1 = (message: Uint8Array): M1 | undefined => {
  const opened = open('m1', message)
  if (opened === undefined) return undefined
  const { reader, runId } = opened
  const version = reader.u8()
  const suite = reader.u8()
  const nonce = reader.bytes(NONCE_BYTES)
  const roomSalt = reader.bytes(ROOM_SALT_BYTES)
  if (version === undefined || suite === undefined || nonce === undefined) return undefined
  if (roomSalt === undefined || !reader.isAtEnd) return undefined
  return { runId, version, suite, nonce, roomSalt }
}

export const encodeShare = (name: 'm2' | 'm3', share: ShareMessage): Uint8Array =>
  begin(name, share.runId).bytes(share.point).finish()

export const decodeShare = (name: 'm2' | 'm3', message: Uint8Array): ShareMessage | undefined => {
  const opened = open(name, message)
  if (opened === undefined) return undefined
  const point = opened.reader.bytes(POINT_BYTES)
  return point === undefined || !opened.reader.isAtEnd ? undefined : { runId: opened.runId, point }
}

type ConfirmName = 'm4' | 'm5' | 'r2' | 'r3'

/** Everything of a confirmation in front of its sealed part: what the sealing authenticates beside it. */
export const encodeConfirmHead = (name: ConfirmName, runId: Uint8Array, confirmation: Uint8Array): Uint8Array =>
  begin(name, runId).bytes(confirmation).finish()

export const encodeConfirm = (name: ConfirmName, confirm: ConfirmMessage): Uint8Array =>
  begin(name, confirm.runId).bytes(confirm.confirmation).lengthPrefixed(confirm.sealed).finish()

export const decodeConfirm = (name: ConfirmName, message: Uint8Array): ConfirmMessage | undefined => {
  const opened = open(name, message)
  if (opened === undefined) return undefined
  const { reader, runId } = opened
  const confirmation = reader.bytes(CONFIRMATION_BYTES)
  const sealed = reader.lengthPrefixed(MAILBOX_MESSAGE_MAX_BYTES)
  if (confirmation === undefined || sealed === undefined || !reader.isAtEnd) return undefined
  return { runId, confirmation, sealed }
}

/** r0 without its MAC: what the MAC covers. */
export const encodeR0Body = (r0: Omit<R0, 'mac'>): Uint8Array =>
  begin('r0', r0.runId).bytes(r0.resumptionId).u32(r0.generation).bytes(r0.nonce).bytes(r0.point).finish()

export const decodeR0 = (message: Uint8Array): R0 | undefined => {
  const opened = open('r0', message)
  if (opened === undefined) return undefined
  const { reader, runId } = opened
  const resumptionId = reader.bytes(RESUMPTION_ID_BYTES)
  const generation = reader.u32()
  const nonce = reader.bytes(NONCE_BYTES)
  const point = reader.bytes(POINT_BYTES)
  const mac = reader.bytes(CONFIRMATION_BYTES)
  if (resumptionId === undefined || generation === undefined || nonce === undefined) return undefined
  if (point === undefined || mac === undefined || !reader.isAtEnd) return undefined
  return { runId, resumptionId, generation, nonce, point, mac }
}

/** r1 without its MAC: what the MAC covers, behind r0. */
export const encodeR1Body = (r1: Omit<R1, 'mac'>): Uint8Array =>
  begin('r1', r1.runId).bytes(r1.nonce).bytes(r1.point).finish()

export const decodeR1 = (message: Uint8Array): R1 | undefined => {
  const opened = open('r1', message)
  if (opened === undefined) return undefined
  const { reader, runId } = opened
  const nonce = reader.bytes(NONCE_BYTES)
  const point = reader.bytes(POINT_BYTES)
  const mac = reader.bytes(CONFIRMATION_BYTES)
  if (nonce === undefined || point === undefined || mac === undefined || !reader.isAtEnd) return undefined
  return { runId, nonce, point, mac }
}
