/**
 * Candidates: the addresses at which a node's data plane may be reached, as the two sides tell each other inside the
 * sealed part of the handshake. Probing them is the transport's work.
 *
 * ```
 * list       count 1, then each candidate
 * candidate  kind 1 (0 host, 1 observed) | family 1 (4 or 6) | address 4 or 16 | port 2
 * ```
 */
import { assert } from './assert.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { formatIp, parseIpv4, parseIpv6 } from './candidatesIp.js'
import { CANDIDATES_MAX } from './limits.js'

export interface Candidate {
  /** `host`: an address of the machine itself; `observed`: as the rendezvous saw it from outside. */
  readonly kind: 'host' | 'observed'
  readonly family: 'ipv4' | 'ipv6'
  /** Canonical text, without a zone. */
  readonly ip: string
  /** UDP port. */
  readonly port: number
}

export interface CandidatePolicy {
  /** Loopback addresses are used only when both nodes are known to run on one machine (tests, the demo). */
  readonly allowsLoopback: boolean
}

/** Ports of services that answer strangers over UDP with more than they got; memcached, SSDP, mDNS, Source games. */
const REFLECTOR_PORTS: ReadonlySet<number> = new Set([1900, 5353, 11_211, 27_015])

/**
 * Whether 64-byte probes may go to `candidate`. Refused are addresses that are not one machine's (unspecified,
 * multicast, broadcast, reserved), IPv6 link-local ones (their zone means nothing on the other side), IPv4 addresses in
 * IPv6 clothes, and ports of well-known services, which a peer might name to have us disturb them.
 */
export const isUsableCandidate = (candidate: Candidate, policy: CandidatePolicy): boolean => {
  const { port } = candidate
  if (!Number.isInteger(port) || port < 1024 || port > 65_535 || REFLECTOR_PORTS.has(port)) return false
  const bytes = ipBytes(candidate)
  if (bytes === undefined) return false
  return candidate.family === 'ipv4' ? isUsableIpv4(bytes, policy) : isUsableIpv6(bytes, policy)
}

/** The candidates that may be probed, each once, at most CANDIDATES_MAX. */
export const usableCandidates = (candidates: readonly Candidate[], policy: CandidatePolicy): Candidate[] => {
  const seen = new Set<string>()
  const usable: Candidate[] = []
  for (const candidate of candidates) {
    const key = `${candidate.ip} ${candidate.port}`
    if (seen.has(key) || usable.length === CANDIDATES_MAX || !isUsableCandidate(candidate, policy)) continue
    seen.add(key)
    usable.push(candidate)
  }
  return usable
}

/** Writes at most CANDIDATES_MAX candidates of our own. */
export const writeCandidates = (writer: ByteWriter, candidates: readonly Candidate[]): void => {
  assert(candidates.length <= CANDIDATES_MAX, 'no more candidates than the limit')
  writer.u8(candidates.length)
  for (const candidate of candidates) {
    const bytes = ipBytes(candidate)
    assert(bytes !== undefined, 'a candidate of our own has an IP address')
    writer
      .u8(candidate.kind === 'host' ? 0 : 1)
      .u8(candidate.family === 'ipv4' ? 4 : 6)
      .bytes(bytes)
      .u16(candidate.port)
  }
}

/** Reads a list as it was written, usable or not; undefined when it is not one. */
export const readCandidates = (reader: ByteReader): Candidate[] | undefined => {
  const count = reader.u8()
  if (count === undefined || count > CANDIDATES_MAX) return undefined
  const candidates: Candidate[] = []
  for (let i = 0; i < count; i++) {
    const kind = reader.u8()
    const family = reader.u8()
    if ((kind !== 0 && kind !== 1) || (family !== 4 && family !== 6)) return undefined
    const bytes = reader.bytes(family === 4 ? 4 : 16)
    const port = reader.u16()
    if (bytes === undefined || port === undefined) return undefined
    candidates.push({
      kind: kind === 0 ? 'host' : 'observed',
      family: family === 4 ? 'ipv4' : 'ipv6',
      ip: formatIp(bytes),
      port,
    })
  }
  return candidates
}

const ipBytes = (candidate: Candidate): Uint8Array | undefined =>
  candidate.family === 'ipv4' ? parseIpv4(candidate.ip) : parseIpv6(candidate.ip)

const isUsableIpv4 = (bytes: Uint8Array, policy: CandidatePolicy): boolean => {
  const first = bytes[0] ?? 0
  if (first === 127) return policy.allowsLoopback
  // 0.0.0.0/8 is "this network"; 224.0.0.0/4 multicast; 240.0.0.0/4 reserved, with broadcast at its end (RFC 6890).
  return first !== 0 && first < 224
}

const isUsableIpv6 = (bytes: Uint8Array, policy: CandidatePolicy): boolean => {
  const first = bytes[0] ?? 0
  const second = bytes[1] ?? 0
  if (first === 0xff) return false
  if (first === 0xfe && (second & 0xc0) === 0x80) return false
  // ::/96 and ::ffff:0:0/96: unspecified, loopback, and embedded IPv4 (RFC 4291 §2.5).
  const isLow = bytes.subarray(0, 10).every((byte) => byte === 0)
  if (!isLow) return true
  const isLoopback = bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1
  return isLoopback && policy.allowsLoopback
}
