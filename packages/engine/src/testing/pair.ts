/**
 * Two connections, a link each way and a virtual clock: the driver's loop as the node runs it, step by step and with a
 * bound on the steps, so that a transport that spins fails a test instead of hanging it.
 *
 * A path id is the address number of the other end. An address that no end owns swallows what is sent to it.
 */
import { assert } from '@godwit/protocol/assert'
import type { ConnectionConfig } from '../transport/config.js'
import { Connection } from '../transport/connection.js'
import type { ChunkSink, ChunkSource, ConnectionEvent, Transmit } from '../transport/types.js'
import { checksumKeys } from './checksumProtection.js'
import { SeededRandom } from './random.js'
import { VirtualClock } from './virtualClock.js'
import { CLEAN_LINK, type LinkOptions, VirtualLink } from './virtualLink.js'

export interface EndOptions {
  readonly source?: ChunkSource
  readonly sink?: ChunkSink
  readonly config?: Partial<ConnectionConfig>
  /** Addresses of the other end that are probed; by default the one it has. */
  readonly candidates?: readonly number[]
}

export interface PairOptions {
  readonly seed: number
  readonly link?: Partial<LinkOptions>
  /** From the second end to the first, where it differs. */
  readonly backLink?: Partial<LinkOptions>
  readonly first?: EndOptions
  readonly second?: EndOptions
  /** Trains arrive as one read each, as with UDP_GRO. */
  readonly isJoined?: boolean
}

const DATAGRAM_MAX = 65_507
/** Packets that one drain may send: more is a spin. */
const DRAIN_MAX = 100_000

interface Arrival {
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
}

/** One end: a connection, its addresses, and what it said. */
export class End {
  readonly connection: Connection
  readonly link: VirtualLink
  /** Addresses that reach it; it sends from the first. */
  addresses: number[]
  readonly events: ConnectionEvent[] = []
  /** Bytes of the peer's control stream, in order. */
  readonly controlChunks: Uint8Array[] = []
  controlBytes = 0
  /** Bytes still to be written to the control stream. */
  controlToSend: Uint8Array = new Uint8Array(0)
  /** Trains of more than one packet. */
  trains = 0
  /** Highest values seen. */
  maxPackets = 0
  maxLostSegments = 0

  constructor(connection: Connection, link: VirtualLink, addresses: number[]) {
    this.connection = connection
    this.link = link
    this.addresses = addresses
  }

  control(): Uint8Array {
    const whole = new Uint8Array(this.controlBytes)
    let at = 0
    for (const part of this.controlChunks) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  has(type: ConnectionEvent['type']): boolean {
    return this.events.some((event) => event.type === type)
  }
}

export class Pair {
  readonly clock = new VirtualClock<Arrival | (() => void)>()
  readonly first: End
  readonly second: End
  readonly #isJoined: boolean
  readonly #out = new Uint8Array(DATAGRAM_MAX)
  readonly #transmit: Transmit = { pathId: 0, length: 0, segmentBytes: 0, isMtuProbe: false }
  steps = 0

  constructor(options: PairOptions) {
    this.#isJoined = options.isJoined ?? false
    const random = new SeededRandom(options.seed)
    const deliver = (atUs: number, from: number, to: number, bytes: Uint8Array): void =>
      this.clock.schedule(atUs, { from, to, bytes })
    const forth: LinkOptions = { ...CLEAN_LINK, ...options.link }
    const back: LinkOptions = { ...forth, ...options.backLink }
    const [firstKeys, secondKeys] = checksumKeys(options.seed)
    const firstId = random.bytes(8)
    const secondId = random.bytes(8)
    const end = (
      own: EndOptions,
      keys: typeof firstKeys,
      local: Uint8Array,
      remote: Uint8Array,
      link: LinkOptions,
      address: number,
      peerAddress: number,
    ): End => {
      const connection = new Connection({
        lane: 3,
        localConnectionId: local,
        remoteConnectionId: remote,
        keys,
        randomBytes: (count) => random.bytes(count),
        nowUs: 0,
        ...(own.source === undefined ? {} : { source: own.source }),
        ...(own.sink === undefined ? {} : { sink: own.sink }),
        ...(own.config === undefined ? {} : { config: own.config }),
      })
      for (const candidate of own.candidates ?? [peerAddress]) connection.addCandidate(candidate, 'host')
      return new End(connection, new VirtualLink(link, random, deliver), [address])
    }
    this.first = end(options.first ?? {}, firstKeys, firstId, secondId, forth, 1, 2)
    this.second = end(options.second ?? {}, secondKeys, secondId, firstId, back, 2, 1)
  }

  get nowUs(): number {
    return this.clock.nowUs
  }

  /** Something that happens at a time. */
  at(atUs: number, action: () => void): void {
    this.clock.schedule(atUs, action)
  }

  /** Runs until `isDone`, at most until `untilUs` and for `maxSteps`. Returns whether it was done. */
  run(isDone: () => boolean, untilUs: number, maxSteps = 2_000_000): boolean {
    this.drain()
    while (!isDone()) {
      const nextUs = Math.min(
        this.clock.nextUs,
        this.first.connection.pollTimeout(),
        this.second.connection.pollTimeout(),
      )
      if (nextUs > untilUs) {
        this.clock.nowUs = untilUs
        return false
      }
      this.steps += 1
      assert(this.steps <= maxSteps, `the pair takes more than ${maxSteps} steps`)
      this.#step(nextUs)
    }
    return true
  }

  /** Takes everything that both ends have to send and to say. */
  drain(): void {
    this.#drain(this.first)
    this.#drain(this.second)
  }

  #step(nextUs: number): void {
    if (this.clock.nextUs <= nextUs) {
      const entry = this.clock.take(nextUs)
      if (typeof entry === 'function') entry()
      else if (entry !== undefined) this.#arrive(entry)
    } else {
      this.clock.nowUs = Math.max(this.clock.nowUs, nextUs)
      for (const end of [this.first, this.second]) {
        if (end.connection.pollTimeout() <= this.clock.nowUs) end.connection.handleTimeout(this.clock.nowUs)
      }
    }
    this.drain()
  }

  #arrive({ from, to, bytes }: Arrival): void {
    for (const end of [this.first, this.second]) {
      if (!end.addresses.includes(to)) continue
      end.connection.handleRead(this.nowUs, from, bytes, bytes.length)
    }
  }

  #drain(end: End): void {
    const { connection } = end
    for (;;) {
      if (end.controlToSend.length > 0) {
        end.controlToSend = end.controlToSend.subarray(connection.writeControl(end.controlToSend))
      }
      let sent = 0
      while (connection.pollTransmit(this.nowUs, this.#out, this.#transmit)) {
        const { pathId, length, segmentBytes } = this.#transmit
        if (length > segmentBytes) end.trains += 1
        const from = end.addresses[0] ?? -1
        end.link.send(this.nowUs, from, pathId, this.#out.subarray(0, length), segmentBytes, this.#isJoined)
        sent += 1
        assert(sent < DRAIN_MAX, 'pollTransmit comes to an end')
      }
      let events = 0
      for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
        events += 1
        if (event.type !== 'control') {
          end.events.push(event)
          continue
        }
        end.controlChunks.push(event.bytes.slice())
        end.controlBytes += event.bytes.length
      }
      end.maxPackets = Math.max(end.maxPackets, connection.memory.packets)
      end.maxLostSegments = Math.max(end.maxLostSegments, connection.memory.lostSegments)
      // Reading control bytes may allow a grant: what it makes possible is sent in the same turn.
      if (events === 0) return
    }
  }
}
