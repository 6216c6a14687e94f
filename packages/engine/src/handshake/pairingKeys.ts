/**
 * What both sides of a pairing compute alike: the stretched passphrase, the channel identifier, the agreement.
 */
import { assert } from '@godwit/protocol/assert'
import { concatBytes } from '@godwit/protocol/bytes'
import { encodeUtf8 } from '@godwit/protocol/bytesText'
import type { CodeWords } from '@godwit/protocol/words'
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'
import type { Agreement } from './confirmation.js'
import { type CpacePoints, type CpaceShare, cpaceGenerator, cpaceKey, cpaceShare, lengthPrefixed } from './cpace.js'
import { hkdfExtract, label } from './hkdf.js'

/** The only version and suite so far: CPace on ristretto255 with SHA-512, X25519, ChaCha20-Poly1305. */
export const HANDSHAKE_VERSION = 1
export const HANDSHAKE_SUITE = 1

/** The bytes of a code's words that are stretched. Secret. */
export const wordsPassphrase = (words: CodeWords): Uint8Array => label(words.join('-'))

/** The bytes of a user's own password, normalised by `normalizePassword`. Secret. */
export const passwordPassphrase = (normalPassword: string): Uint8Array => {
  const bytes = encodeUtf8(normalPassword)
  assert(bytes !== undefined, 'a normalised password is Unicode')
  return bytes
}

/** PRS = scrypt(passphrase, "godwit1 prs" ‖ room salt): what CPace is run with, of use for this room only. */
export const stretchPassphrase = (
  crypto: HandshakeCrypto,
  passphrase: Uint8Array,
  roomSalt: Uint8Array,
): Promise<Uint8Array> => crypto.stretch(passphrase, concatBytes(label('godwit1 prs'), roomSalt))

/** The sender's stretched passphrase: computed once for all receivers, then kept in memory as long as the room is open. */
export class RoomPassphrase {
  readonly roomSalt: Uint8Array
  readonly #crypto: HandshakeCrypto
  readonly #passphrase: Uint8Array
  #stretched: Promise<Uint8Array> | null = null
  #isWiped = false

  /** Takes over `passphrase`, which `wipe` overwrites. */
  constructor(crypto: HandshakeCrypto, passphrase: Uint8Array, roomSalt: Uint8Array) {
    this.#crypto = crypto
    this.#passphrase = passphrase
    this.roomSalt = roomSalt
  }

  /** A copy for one run, which the caller wipes; undefined once the room is closed. Rejects as `stretch` does. */
  async stretched(): Promise<Uint8Array | undefined> {
    if (this.#isWiped) return undefined
    this.#stretched ??= stretchPassphrase(this.#crypto, this.#passphrase, this.roomSalt)
    try {
      const stretched = await this.#stretched
      // What was overwritten meanwhile is a passphrase that everybody knows.
      return this.#isWiped ? undefined : stretched.slice()
    } catch (reason) {
      this.#stretched = null
      throw reason
    }
  }

  /** When the room is closed: nobody can begin with it any more, and what is in memory is overwritten. */
  async wipe(): Promise<void> {
    this.#isWiped = true
    const stretched = await this.#stretched?.catch(() => undefined)
    // Not before: it may be under way in another thread.
    this.#crypto.wipe(this.#passphrase)
    if (stretched !== undefined) this.#crypto.wipe(stretched)
  }
}

/** What both have said in m0 and m1. */
export interface Greeting {
  readonly m0: Uint8Array
  readonly m1: Uint8Array
  readonly sessionId: Uint8Array
  readonly roomSalt: Uint8Array
}

/** sid = nR ‖ nS. */
export const greeting = (
  m0: Uint8Array,
  m1: Uint8Array,
  receiverNonce: Uint8Array,
  senderNonce: Uint8Array,
  roomSalt: Uint8Array,
): Greeting => ({ m0, m1, sessionId: concatBytes(receiverNonce, senderNonce), roomSalt })

/** CI = lv("godwit1", "R", "S", room salt, H(lv(m0, m1))): a changed m0 or m1 leads to different generators. */
export const pairingShare = (crypto: HandshakeCrypto, hello: Greeting, prs: Uint8Array): CpaceShare | undefined => {
  const said = crypto.hash(lengthPrefixed(hello.m0, hello.m1))
  const channel = lengthPrefixed(label('godwit1'), label('R'), label('S'), hello.roomSalt, said)
  return cpaceShare(crypto, cpaceGenerator(crypto, prs, channel, hello.sessionId))
}

/**
 * th3 = H(lv("godwit1 th3", m0, m1, Ya, Yb)), prk = Extract(th3, ISK); the scalar is wiped. Undefined when the other
 * side's point is not acceptable.
 */
export const pairingAgreement = (
  crypto: HandshakeCrypto,
  hello: Greeting,
  scalar: Uint8Array,
  otherPoint: Uint8Array,
  points: CpacePoints,
): Agreement | undefined => {
  const key = cpaceKey(crypto, scalar, otherPoint, hello.sessionId, points)
  if (key === undefined) return undefined
  const transcript = crypto.hash(
    lengthPrefixed(label('godwit1 th3'), hello.m0, hello.m1, points.initiator, points.responder),
  )
  const prk = hkdfExtract(crypto, transcript, key)
  crypto.wipe(key)
  return { prk, transcript }
}

/** What the sender signs with its room key: that it answers this run. */
export const roomKeyStatement = (transcriptAfterM4: Uint8Array): Uint8Array =>
  lengthPrefixed(label('godwit1 room key'), transcriptAfterM4)
