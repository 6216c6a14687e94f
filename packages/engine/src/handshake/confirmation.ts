/**
 * The last two messages of every handshake: each side proves that it has the key by a MAC over all that was said, and
 * tells its addresses sealed behind it. Pairing and resumption share this; only what comes before differs.
 *
 * ```
 * first   HMAC(k_R, t)               sealed under its own key, used once      t = hash of what was said before
 * second  HMAC(k_S, H(lv(t, first)))
 * master  Extract(H(lv(label, t, first, second)), Expand(prk, "derived"))
 * ```
 */
import { type ConfirmMessage, encodeConfirm, encodeConfirmHead } from '@godwit/protocol/handshakeMessages'
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'
import { lengthPrefixed } from './cpace.js'
import { hkdfExpand, hkdfExtract, label } from './hkdf.js'

export type Role = 'R' | 'S'

/** Where a run stands once both key shares are there. */
export interface Agreement {
  /** Pseudo-random key: secret. */
  readonly prk: Uint8Array
  /** Hash of everything said so far. */
  readonly transcript: Uint8Array
}

/** Role R: receiver and initiator, confirms first. */
export const CONFIRM_NAMES = {
  pairing: { R: 'm4', S: 'm5', finalLabel: 'godwit1 th5' },
  resumption: { R: 'r2', S: 'r3', finalLabel: 'godwit1 thr3' },
} as const

export type HandshakeForm = keyof typeof CONFIRM_NAMES

/** The whole message of `role`, whose MAC covers `transcript`. */
export const makeConfirmation = (
  crypto: HandshakeCrypto,
  form: HandshakeForm,
  role: Role,
  prk: Uint8Array,
  transcript: Uint8Array,
  runId: Uint8Array,
  introduction: Uint8Array,
): Uint8Array => {
  const name = CONFIRM_NAMES[form][role]
  const confirmation = macOf(crypto, role, prk, transcript)
  const key = sealingKey(crypto, role, prk)
  const sealed = crypto.sealOnce(key, encodeConfirmHead(name, runId, confirmation), introduction)
  crypto.wipe(key)
  return encodeConfirm(name, { runId, confirmation, sealed })
}

/** Whether the MAC of the other side's message is right: whether it has the same key. */
export const isConfirmed = (
  crypto: HandshakeCrypto,
  role: Role,
  prk: Uint8Array,
  transcript: Uint8Array,
  message: ConfirmMessage,
): boolean => crypto.isEqual(macOf(crypto, role, prk, transcript), message.confirmation)

/** What the other side sealed; undefined when it was touched on the way. */
export const openIntroduction = (
  crypto: HandshakeCrypto,
  form: HandshakeForm,
  role: Role,
  prk: Uint8Array,
  message: ConfirmMessage,
): Uint8Array | undefined => {
  const head = encodeConfirmHead(CONFIRM_NAMES[form][role], message.runId, message.confirmation)
  const key = sealingKey(crypto, role, prk)
  const introduction = crypto.openOnce(key, head, message.sealed)
  crypto.wipe(key)
  return introduction
}

/** What the second confirmation covers. */
export const transcriptAfterFirst = (crypto: HandshakeCrypto, transcript: Uint8Array, first: Uint8Array): Uint8Array =>
  crypto.hash(lengthPrefixed(transcript, first))

/** The master secret; `prk` is wiped. */
export const masterSecret = (
  crypto: HandshakeCrypto,
  form: HandshakeForm,
  agreement: Agreement,
  first: Uint8Array,
  second: Uint8Array,
): Uint8Array => {
  const whole = crypto.hash(lengthPrefixed(label(CONFIRM_NAMES[form].finalLabel), agreement.transcript, first, second))
  const derived = hkdfExpand(crypto, agreement.prk, label('derived'), 64)
  const master = hkdfExtract(crypto, whole, derived)
  crypto.wipe(derived)
  crypto.wipe(agreement.prk)
  return master
}

const macOf = (crypto: HandshakeCrypto, role: Role, prk: Uint8Array, transcript: Uint8Array): Uint8Array => {
  const key = hkdfExpand(crypto, prk, label(`godwit1 confirm ${role}`), 64)
  const mac = crypto.hmac(key, transcript)
  crypto.wipe(key)
  return mac
}

const sealingKey = (crypto: HandshakeCrypto, role: Role, prk: Uint8Array): Uint8Array =>
  hkdfExpand(crypto, prk, label(`godwit1 seal ${role}`), 32)
