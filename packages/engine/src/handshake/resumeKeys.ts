/** What both sides of a resumption compute alike. */

import { assert } from '@godwit/protocol/assert'
import { concatBytes } from '@godwit/protocol/bytes'
import { RESUMPTION_ID_BYTES } from '@godwit/protocol/handshakeMessages'
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'
import type { Agreement } from './confirmation.js'
import { lengthPrefixed } from './cpace.js'
import { hkdfExpand, hkdfExtract, label } from './hkdf.js'
import type { ResumptionSecret } from './resumption.js'

/** The MAC of r0 and r1 under a key made of the stored secret: who sends them is known before anything is computed. */
export const resumeMac = (
  crypto: HandshakeCrypto,
  name: 'r0' | 'r1',
  secret: ResumptionSecret,
  covered: Uint8Array,
): Uint8Array => {
  assert(secret.id.length === RESUMPTION_ID_BYTES, 'a resumption id has 16 bytes')
  const key = hkdfExpand(crypto, secret.secret, label(`godwit1 ${name}`), 32)
  const mac = crypto.hmac(key, covered)
  crypto.wipe(key)
  return mac
}

/**
 * thr = H(lv("godwit1 thr", r0, r1)), prk = Extract(thr, secret ‖ X25519); the ephemeral key is wiped. Who steals the
 * stored secret later cannot compute it. Undefined when the other side's key gives zero.
 */
export const resumeAgreement = (
  crypto: HandshakeCrypto,
  r0: Uint8Array,
  r1: Uint8Array,
  secret: ResumptionSecret,
  ephemeralSecretKey: Uint8Array,
  otherPublicKey: Uint8Array,
): Agreement | undefined => {
  const shared = crypto.x25519(ephemeralSecretKey, otherPublicKey)
  crypto.wipe(ephemeralSecretKey)
  if (shared === undefined) return undefined
  const transcript = crypto.hash(lengthPrefixed(label('godwit1 thr'), r0, r1))
  const keyMaterial = concatBytes(secret.secret, shared)
  const prk = hkdfExtract(crypto, transcript, keyMaterial)
  crypto.wipe(shared)
  crypto.wipe(keyMaterial)
  return { prk, transcript }
}
