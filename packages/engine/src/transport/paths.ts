/**
 * Where the peer can be reached: candidates, their challenges and which path carries the data.
 *
 * Each path is probed with 64-byte authentic PATH_CHALLENGEs, every 50 ms at first and then more slowly; that is also
 * what opens a NAT. No data goes to a path that has not answered. The first to answer is taken. Later the connection
 * moves (RFC 9000 §9, without roles):
 * - to a new address from which the newest authentic data came, as soon as it has answered;
 * - away from a path that is suspected (two probe timeouts, or data that arrives on another path only) and leaves three
 *   challenges unanswered, to the first of the others that answers.
 */
import { equalBytes } from '@godwit/protocol/bytes'
import { CHALLENGE_BYTES, FRAME_PATH_CHALLENGE, FRAME_PATH_RESPONSE, writePathFrame } from '@godwit/protocol/frames'
import { CANDIDATES_MAX } from '@godwit/protocol/limits'
import type { PathKind } from './types.js'

const PROBE_FIRST_US = 50_000
const PROBE_LAST_US = 500_000
const PROBE_BACKOFF = 1.5
/** Paths known at once: the candidates and as many addresses that the peer came from. */
const PATHS_MAX = 2 * CANDIDATES_MAX
/** Challenges of one path that may still be answered. */
const CHALLENGES_KEPT = 4
const UNANSWERED_MAX = 3
/** Silence on the data's path after which data elsewhere makes it suspect. */
const SILENCE_US = 500_000
/** A path that has just proved itself is not suspected again before. */
const TRUST_US = 5_000_000
/** Moves to new addresses are at least this far apart. */
const MIGRATION_INTERVAL_US = 1_000_000

interface Path {
  readonly id: number
  kind: PathKind
  isValidated: boolean
  /** Came up after the connection was established: a move of the peer. */
  isNewcomer: boolean
  /** The last challenges, newest last. */
  readonly challenges: { bytes: Uint8Array; sentUs: number }[]
  /** When the next challenge is due; Infinity for none. */
  nextProbeUs: number
  intervalUs: number
  probeUntilUs: number
  /** Challenges sent since the last answer. */
  unanswered: number
  /** The peer's challenge that waits for an answer. */
  response: Uint8Array | undefined
  lastReceivedUs: number
  /** The newest packet with more than probes in it that came here; -1 for none. */
  newestContent: number
}

/** What a packet or an answer changed. */
export type PathChange = 'none' | 'established' | 'changed'

export class Paths {
  readonly #randomBytes: (count: number) => Uint8Array
  readonly #probeForUs: number
  #paths: Path[] = []
  #active: Path | undefined
  #isSuspect = false
  #trustUntilUs = 0
  #lastMigrationUs = Number.NEGATIVE_INFINITY

  /** Round trip of the challenge that was answered last. */
  responseRttUs = 0

  /** @param probeForUs - how long a path that does not answer is probed. */
  constructor(randomBytes: (count: number) => Uint8Array, probeForUs: number) {
    this.#randomBytes = randomBytes
    this.#probeForUs = probeForUs
  }

  /** The path that carries the data; undefined before one has answered. */
  get active(): { readonly id: number; readonly kind: PathKind } | undefined {
    return this.#active
  }

  has(id: number): boolean {
    return this.#find(id) !== undefined
  }

  /** Begins to probe an address. False when there are too many. */
  addCandidate(nowUs: number, id: number, kind: PathKind): boolean {
    const known = this.#find(id)
    if (known !== undefined) {
      known.kind = kind
      return true
    }
    let named = 0
    for (const path of this.#paths) if (path.kind !== 'peerReflexive') named += 1
    if (kind !== 'peerReflexive' && named >= CANDIDATES_MAX) return false
    return this.#add(nowUs, id, kind) !== undefined
  }

  /** An authentic packet came. `hasContent`: it carried more than probes; `isNewest`: no higher number came before. */
  onPacket(nowUs: number, id: number, packetNumber: number, hasContent: boolean, isNewest: boolean): PathChange {
    const path = this.#find(id) ?? this.#add(nowUs, id, 'peerReflexive')
    if (path === undefined) return 'none'
    path.lastReceivedUs = nowUs
    if (!hasContent || !isNewest) return 'none'
    path.newestContent = packetNumber
    const active = this.#active
    if (active === undefined || active === path || !path.isValidated) return 'none'
    if (path.isNewcomer) return this.#follow(nowUs, path)
    if (nowUs - active.lastReceivedUs > SILENCE_US) this.suspect(nowUs)
    return 'none'
  }

  /** The peer's challenge: the answer leaves on the path it came on. */
  onChallenge(id: number, source: Uint8Array, start: number): void {
    const path = this.#find(id)
    if (path !== undefined) path.response = source.slice(start, start + CHALLENGE_BYTES)
  }

  /** An answer. It proves the path that the challenge was sent on, whichever it comes back on (RFC 9000 §8.2.2). */
  onResponse(nowUs: number, source: Uint8Array, start: number): PathChange {
    const bytes = source.subarray(start, start + CHALLENGE_BYTES)
    for (const path of this.#paths) {
      const challenge = path.challenges.find((sent) => equalBytes(sent.bytes, bytes))
      if (challenge === undefined) continue
      path.challenges.length = 0
      path.isValidated = true
      path.unanswered = 0
      if (!this.#isSuspect) path.nextProbeUs = Number.POSITIVE_INFINITY
      this.responseRttUs = Math.max(1, nowUs - challenge.sentUs)
      return this.#onAnswered(nowUs, path)
    }
    return 'none'
  }

  /** The path that carries the data may be dead: every path is challenged again. */
  suspect(nowUs: number): void {
    if (this.#isSuspect || this.#active === undefined || nowUs < this.#trustUntilUs) return
    this.#isSuspect = true
    for (const path of this.#paths) {
      path.unanswered = 0
      this.#startProbing(nowUs, path)
    }
  }

  /** The id of a path on which a probe or an answer is due; -1 for none. */
  due(nowUs: number): number {
    for (const path of this.#paths) if (path.response !== undefined || path.nextProbeUs <= nowUs) return path.id
    return -1
  }

  /** When the next probe is due; Infinity for never. */
  get nextUs(): number {
    let nextUs = Number.POSITIVE_INFINITY
    for (const path of this.#paths) nextUs = path.response === undefined ? Math.min(nextUs, path.nextProbeUs) : 0
    return nextUs
  }

  /** Writes what is due on a path and returns the position behind it. */
  write(nowUs: number, id: number, target: Uint8Array, at: number): number {
    const path = this.#find(id)
    if (path === undefined) return at
    if (path.response !== undefined) {
      at = writePathFrame(target, at, FRAME_PATH_RESPONSE, path.response)
      path.response = undefined
    }
    if (path.nextProbeUs > nowUs) return at
    const bytes = this.#randomBytes(CHALLENGE_BYTES)
    if (path.challenges.length === CHALLENGES_KEPT) path.challenges.shift()
    path.challenges.push({ bytes, sentUs: nowUs })
    path.unanswered += 1
    path.nextProbeUs = nowUs + path.intervalUs
    if (path.nextProbeUs > path.probeUntilUs) path.nextProbeUs = Number.POSITIVE_INFINITY
    path.intervalUs = Math.min(PROBE_LAST_US, Math.ceil(path.intervalUs * PROBE_BACKOFF))
    return writePathFrame(target, at, FRAME_PATH_CHALLENGE, bytes)
  }

  #onAnswered(nowUs: number, path: Path): PathChange {
    const active = this.#active
    if (active === undefined) {
      this.#active = path
      this.#trust(nowUs)
      return 'established'
    }
    if (active === path) {
      if (this.#isSuspect) this.#trust(nowUs)
      return 'none'
    }
    if (path.isNewcomer) return this.#follow(nowUs, path)
    if (this.#isSuspect && active.unanswered >= UNANSWERED_MAX) return this.#moveTo(nowUs, path)
    return 'none'
  }

  /** Follows the peer to a new address, if the newest data came from there. */
  #follow(nowUs: number, path: Path): PathChange {
    if (path.newestContent <= (this.#active?.newestContent ?? -1)) return 'none'
    if (nowUs - this.#lastMigrationUs < MIGRATION_INTERVAL_US) return 'none'
    return this.#moveTo(nowUs, path)
  }

  #moveTo(nowUs: number, path: Path): PathChange {
    path.isNewcomer = false
    this.#active = path
    this.#lastMigrationUs = nowUs
    this.#trust(nowUs)
    return 'changed'
  }

  #trust(nowUs: number): void {
    this.#trustUntilUs = this.#isSuspect ? nowUs + TRUST_US : nowUs
    this.#isSuspect = false
    for (const path of this.#paths) if (path.isValidated) path.nextProbeUs = Number.POSITIVE_INFINITY
  }

  #startProbing(nowUs: number, path: Path): void {
    path.nextProbeUs = nowUs
    path.intervalUs = PROBE_FIRST_US
    path.probeUntilUs = nowUs + this.#probeForUs
  }

  #find(id: number): Path | undefined {
    for (const path of this.#paths) if (path.id === id) return path
    return undefined
  }

  #add(nowUs: number, id: number, kind: PathKind): Path | undefined {
    if (this.#paths.length >= PATHS_MAX && !this.#evict()) return undefined
    const path: Path = {
      id,
      kind,
      isValidated: false,
      isNewcomer: this.#active !== undefined && kind === 'peerReflexive',
      challenges: [],
      nextProbeUs: nowUs,
      intervalUs: PROBE_FIRST_US,
      probeUntilUs: nowUs + this.#probeForUs,
      unanswered: 0,
      response: undefined,
      lastReceivedUs: nowUs,
      newestContent: -1,
    }
    this.#paths.push(path)
    return path
  }

  /** Forgets the address that was silent for longest, never a candidate and never the data's path. */
  #evict(): boolean {
    let oldest: Path | undefined
    for (const path of this.#paths) {
      if (path === this.#active || path.kind !== 'peerReflexive') continue
      if (oldest === undefined || path.lastReceivedUs < oldest.lastReceivedUs) oldest = path
    }
    this.#paths = this.#paths.filter((path) => path !== oldest)
    return oldest !== undefined
  }
}
