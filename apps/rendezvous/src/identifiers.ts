/**
 * Tokens and ids. A node makes its tokens; the rendezvous keeps their SHA-256 only and derives ids from it, so the same
 * token always gets the same room or the same receiver, without a table that says so.
 */
import { createHash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of a token, hex. */
export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('hex')

/** Whether two token hashes are equal, in a time that does not tell where they differ. */
export const areHashesEqual = (left: string, right: string): boolean => {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The room that belongs to an owner's token. */
export const roomIdOf = (ownerTokenHash: string): string => `rm${shortDigest('room', ownerTokenHash)}`

/** The receiver in a room that belongs to a receiver's token. */
export const receiverIdOf = (roomId: string, tokenHash: string): string =>
  `rc${shortDigest('receiver', roomId, tokenHash)}`

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** The first 80 bits of a SHA-256 as 16 characters of base32 (RFC 4648 §6, lower case). */
const shortDigest = (...parts: readonly string[]): string => {
  const digest = createHash('sha256').update(parts.join('\n')).digest()
  let bits = BigInt(`0x${digest.subarray(0, 10).toString('hex')}`)
  let text = ''
  for (let index = 0; index < 16; index += 1) {
    text = (ALPHABET[Number(bits & 31n)] ?? '') + text
    bits >>= 5n
  }
  return text
}
