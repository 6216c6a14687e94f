/**
 * CPace with ristretto255 and SHA-512 (draft-irtf-cfrg-cpace-14, suite CPACE-RISTR255-SHA512, initiator and responder):
 * from a short secret both know, a key that nobody without it can compute, and one guess a run for who tries.
 *
 * This is the draft's arithmetic alone. What goes into the channel identifier and how the key is confirmed is in the
 * pairing machines.
 */
import { concatBytes } from '@godwit/protocol/bytes'
import type { HandshakeCrypto } from '../ports/handshakeCrypto.js'
import { label } from './hkdf.js'

const DSI = label('CPaceRistretto255')
const DSI_ISK = label('CPaceRistretto255_ISK')
/** SHA-512's block: the password and its padding fill the first. */
const HASH_BLOCK_BYTES = 128
const NO_ASSOCIATED_DATA = new Uint8Array(0)

/** The draft's `lv_cat` (appendix A.1.1): each part behind its length in LEB128. Injective, unlike plain joining. */
export const lengthPrefixed = (...parts: readonly Uint8Array[]): Uint8Array =>
  concatBytes(...parts.flatMap((part) => [leb128(part.length), part]))

const leb128 = (value: number): Uint8Array => {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push(rest > 127 ? (rest & 127) | 128 : rest)
    rest >>>= 7
  } while (rest > 0)
  return Uint8Array.from(bytes)
}

/** The group element that the password picks (`calculate_generator`, §7.3): 32 bytes, secret. */
export const cpaceGenerator = (
  crypto: HandshakeCrypto,
  password: Uint8Array,
  channelIdentifier: Uint8Array,
  sessionId: Uint8Array,
): Uint8Array => {
  const prefixedBytes = lengthPrefixed(password).length + lengthPrefixed(DSI).length
  const padding = new Uint8Array(Math.max(0, HASH_BLOCK_BYTES - 1 - prefixedBytes))
  const generatorString = lengthPrefixed(DSI, password, padding, channelIdentifier, sessionId)
  const generator = crypto.ristrettoFromHash(crypto.hash(generatorString))
  crypto.wipe(generatorString)
  return generator
}

/** One side's share of a run. */
export interface CpaceShare {
  /** Secret; wiped by `cpaceKey`. */
  readonly scalar: Uint8Array
  /** What the other side gets: 32 bytes. */
  readonly point: Uint8Array
}

/** Draws a scalar and multiplies the generator with it, which is then wiped. Undefined with negligible probability. */
export const cpaceShare = (crypto: HandshakeCrypto, generator: Uint8Array): CpaceShare | undefined => {
  const scalar = crypto.ristrettoRandomScalar()
  const point = crypto.ristrettoMultiply(scalar, generator)
  crypto.wipe(generator)
  return point === undefined ? undefined : { scalar, point }
}

/** Both shares of a run, by role. */
export interface CpacePoints {
  readonly initiator: Uint8Array
  readonly responder: Uint8Array
}

/**
 * The intermediate session key (ISK, §6.2): 64 bytes. Undefined when the other side's point is not one or gives the
 * identity: the run then ends, as `scalar_mult_vfy` demands.
 */
export const cpaceKey = (
  crypto: HandshakeCrypto,
  scalar: Uint8Array,
  otherPoint: Uint8Array,
  sessionId: Uint8Array,
  points: CpacePoints,
  associated: CpacePoints = { initiator: NO_ASSOCIATED_DATA, responder: NO_ASSOCIATED_DATA },
): Uint8Array | undefined => {
  const shared = crypto.ristrettoMultiply(scalar, otherPoint)
  crypto.wipe(scalar)
  if (shared === undefined) return undefined
  const input = concatBytes(
    lengthPrefixed(DSI_ISK, sessionId, shared),
    lengthPrefixed(points.initiator, associated.initiator),
    lengthPrefixed(points.responder, associated.responder),
  )
  const key = crypto.hash(input)
  crypto.wipe(shared)
  crypto.wipe(input)
  return key
}
