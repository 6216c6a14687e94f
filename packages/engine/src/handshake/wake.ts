/**
 * Waking a receiver: a sender that has started again, or goes on after a pause, has no session with it and asks it to
 * come for one. Without that, the receiver would notice only when its session has been silent for IDLE_TIMEOUT_MS.
 *
 * A wake ends a session that may look alive, so the rendezvous must not be able to make one. Between two that have
 * paired it carries a MAC of the stored resumption secret. It is made only while the sender has no session, and every
 * new session comes with the next generation's secret: a wake that was kept back and is said later means nothing.
 */
import { concatBytes } from '@godwit/protocol/bytes'
import { bareWake, encodeWakeBody, type SignedWake } from '@godwit/protocol/wakeMessage'
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'
import { hkdfExpand, label } from './hkdf.js'
import type { ResumptionSecret, ResumptionSecrets } from './resumption.js'

type WakeCrypto = Pick<HandshakeCrypto, 'hmac' | 'wipe' | 'isEqual'>

/**
 * What a sender posts to a receiver that it has no session with. Two messages while it is not known which of two secrets
 * the receiver has.
 *
 * @param secrets - what is stored for this receiver; null before the two have paired.
 */
export const wakesFor = (crypto: WakeCrypto, secrets: ResumptionSecrets | null): readonly Uint8Array[] => {
  if (secrets === null) return [bareWake()]
  const { current, previous } = secrets
  return (previous === null ? [current] : [current, previous]).map((secret) => {
    const body = bodyOf(secret)
    return concatBytes(body, macOf(crypto, secret, body))
  })
}

/**
 * Whether a receiver has to act on a wake.
 *
 * @param secret - its current one, which its session was agreed on with; null before the two have paired, when there is
 * no session to lose and a bare wake will do.
 */
export const isWakeFor = (crypto: WakeCrypto, secret: ResumptionSecret | null, wake: SignedWake | null): boolean => {
  if (secret === null || wake === null) return secret === null && wake === null
  if (wake.generation !== secret.generation || !crypto.isEqual(wake.resumptionId, secret.id)) return false
  return crypto.isEqual(macOf(crypto, secret, bodyOf(secret)), wake.mac)
}

const bodyOf = ({ id, generation }: ResumptionSecret): Uint8Array => encodeWakeBody({ resumptionId: id, generation })

const macOf = (crypto: WakeCrypto, { secret }: ResumptionSecret, body: Uint8Array): Uint8Array => {
  const key = hkdfExpand(crypto, secret, label('godwit1 wake'), 32)
  const mac = crypto.hmac(key, body)
  crypto.wipe(key)
  return mac
}
