/**
 * Observed addresses: how a node learns from the rendezvous which address its data-plane socket has as seen from
 * outside. One datagram each way; the token comes from `server.observeToken`. An answer is half as long as its request,
 * so the port amplifies nothing.
 *
 * ```
 * request, 64 bytes                          answer, 32 bytes
 *  0  magic F7 'G' 'O' 'Q'             4      0  magic F7 'G' 'O' 'A'             4
 *  4  token                           32      4  nonce of the request             8
 * 36  nonce                            8     12  family: 4 or 6                   1
 * 44  zeros                           20     13  zero                             1
 *                                            14  port, big-endian                 2
 *                                            16  address; IPv4: 4 bytes, zeros   16
 * ```
 *
 * Both come and go on sockets that carry packets too. The first byte tells them apart: read as a packet header's, it has
 * version 3 (packet.ts).
 */
import { assert } from './assert.js'
import { formatIp, parseIpv4, parseIpv6 } from './candidatesIp.js'

export const OBSERVE_REQUEST_BYTES = 64
export const OBSERVE_ANSWER_BYTES = 32
export const OBSERVE_TOKEN_BYTES = 32
export const OBSERVE_NONCE_BYTES = 8

const REQUEST_MAGIC = [0xf7, 0x47, 0x4f, 0x51] as const
const ANSWER_MAGIC = [0xf7, 0x47, 0x4f, 0x41] as const

export interface ObserveRequest {
  /** `OBSERVE_TOKEN_BYTES`; a view of the datagram when decoded. */
  readonly token: Uint8Array
  /** `OBSERVE_NONCE_BYTES`, random: an answer from elsewhere does not know it. */
  readonly nonce: Uint8Array
}

export interface ObservedAddress {
  readonly family: 'ipv4' | 'ipv6'
  /** Canonical text, without a zone. */
  readonly ip: string
  /** UDP port. */
  readonly port: number
}

/** A fresh datagram of `OBSERVE_REQUEST_BYTES`. */
export const encodeObserveRequest = ({ token, nonce }: ObserveRequest): Uint8Array => {
  assert(token.length === OBSERVE_TOKEN_BYTES && nonce.length === OBSERVE_NONCE_BYTES, 'a token and a nonce')
  const datagram = new Uint8Array(OBSERVE_REQUEST_BYTES)
  datagram.set(REQUEST_MAGIC)
  datagram.set(token, 4)
  datagram.set(nonce, 36)
  return datagram
}

/** Undefined for anything that is not a request. Whether the token is good is for the rendezvous to say. */
export const decodeObserveRequest = (datagram: Uint8Array): ObserveRequest | undefined => {
  if (datagram.length !== OBSERVE_REQUEST_BYTES || !hasMagic(datagram, REQUEST_MAGIC)) return undefined
  if (!datagram.subarray(44).every((byte) => byte === 0)) return undefined
  return { token: datagram.subarray(4, 36), nonce: datagram.subarray(36, 44) }
}

/**
 * A fresh datagram of `OBSERVE_ANSWER_BYTES`; undefined when `address` is not an IP address. An IPv4 address in IPv6
 * clothes (`::ffff:192.0.2.1`, from a dual-stack socket) is answered as IPv4.
 */
export const encodeObserveAnswer = (
  nonce: Uint8Array,
  address: { readonly ip: string; readonly port: number },
): Uint8Array | undefined => {
  assert(nonce.length === OBSERVE_NONCE_BYTES, 'a nonce')
  const text = address.ip.replace(/%.*$/, '')
  const bytes = parseIpv4(text) ?? parseIpv6(text)
  if (bytes === undefined) return undefined
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255
  const ip = isMapped && bytes[11] === 255 ? bytes.subarray(12) : bytes
  const datagram = new Uint8Array(OBSERVE_ANSWER_BYTES)
  datagram.set(ANSWER_MAGIC)
  datagram.set(nonce, 4)
  datagram[12] = ip.length === 4 ? 4 : 6
  datagram[14] = address.port >>> 8
  datagram[15] = address.port & 0xff
  datagram.set(ip, 16)
  return datagram
}

/** Whether a datagram may be an answer at all: cheap enough for anything that comes in. */
export const looksLikeObserveAnswer = (datagram: Uint8Array, length: number): boolean =>
  length === OBSERVE_ANSWER_BYTES && hasMagic(datagram, ANSWER_MAGIC)

/** The address that an answer tells; undefined for anything that is not the answer to the request with `nonce`. */
export const decodeObserveAnswer = (datagram: Uint8Array, nonce: Uint8Array): ObservedAddress | undefined => {
  if (datagram.length !== OBSERVE_ANSWER_BYTES || !hasMagic(datagram, ANSWER_MAGIC)) return undefined
  if (nonce.length !== OBSERVE_NONCE_BYTES || nonce.some((byte, index) => datagram[4 + index] !== byte))
    return undefined
  const family = datagram[12]
  const port = (datagram[14] ?? 0) * 256 + (datagram[15] ?? 0)
  if ((family !== 4 && family !== 6) || datagram[13] !== 0 || port === 0) return undefined
  if (family === 6) return { family: 'ipv6', ip: formatIp(datagram.subarray(16)), port }
  if (!datagram.subarray(20).every((byte) => byte === 0)) return undefined
  return { family: 'ipv4', ip: formatIp(datagram.subarray(16, 20)), port }
}

const hasMagic = (datagram: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, index) => datagram[index] === byte)
