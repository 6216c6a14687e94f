/**
 * The secrets from which a broken session is taken up again, and their rotation.
 *
 * Every handshake yields a new secret. The responder stores it before it sends its last message and the initiator
 * before it uses the session, each together with the one it replaces; the old one is erased at the first authentic
 * datagram under the new keys, because that datagram proves that the other side has stored the new one too. Whatever
 * dies in between, both sides still share one of the two:
 *
 * ```
 *                         initiator (receiver)      responder (sender)
 * before                  g                         g
 * r2 accepted, stored     g                         g+1, g            r3 may be lost: the next run begins from g
 * r3 accepted, stored     g+1, g                    g+1, g
 * first datagram          g+1                       g+1
 * ```
 */
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'

export interface ResumptionSecret {
  /** 16 bytes, public: which secret is meant. */
  readonly id: Uint8Array
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** 1 after pairing, then one more with each run. */
  readonly generation: number
}

/** What one side stores for one peer. */
export interface ResumptionSecrets {
  readonly current: ResumptionSecret
  /** The one before, until the new one is known to be stored on both sides. */
  readonly previous: ResumptionSecret | null
}

/** The highest generation; a pair that gets there pairs anew. */
export const GENERATION_MAX = 0xffff_fffe

/** The stored secret that `id` and `generation` name; undefined for erased, unknown and mismatched ones. */
export const findResumption = (
  crypto: Pick<HandshakeCrypto, 'isEqual'>,
  secrets: ResumptionSecrets,
  id: Uint8Array,
  generation: number,
): ResumptionSecret | undefined =>
  [secrets.current, secrets.previous].find(
    (secret) => secret !== null && secret.generation === generation && crypto.isEqual(secret.id, id),
  ) ?? undefined

/** After a run from `used`: to be stored before the session is used, or the peer told of it. */
export const rotated = (used: ResumptionSecret, fresh: ResumptionSecret): ResumptionSecrets => ({
  current: fresh,
  previous: used,
})

/** After the first authentic datagram under the keys of `current`: to be stored; the old secret is gone. */
export const confirmUse = (secrets: ResumptionSecrets): ResumptionSecrets => ({
  current: secrets.current,
  previous: null,
})
