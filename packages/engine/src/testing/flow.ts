/** One flow of a `FlowWorld`: its two connections, what they carry, and what is measured of it. */
import type { ConnectionConfig } from '../transport/config.js'
import type { CongestionController } from '../transport/congestion/controller.js'
import { Connection } from '../transport/connection.js'
import { Flight } from './flight.js'
import { FlowSink, FlowSource } from './flowChunks.js'
import { plainKeys } from './plainProtection.js'
import type { SeededRandom } from './random.js'

export interface FlowOptions {
  /** Congestion control of another kind than that of `config.profile`. */
  readonly controller?: (datagramBytes: number) => CongestionController
  readonly config?: Partial<ConnectionConfig>
  /** Bytes of the file; Infinity by default. */
  readonly bytes?: number
  readonly startUs?: number
  /** An application that produces so many bytes each time, and nothing in between. */
  readonly app?: { readonly everyUs: number; readonly bytes: number }
  /** Round trip on top of the path's. */
  readonly extraRttUs?: number
}

/** Datagrams as on Ethernet, trains as Linux takes them. */
const FLOW_CONFIG: Partial<ConnectionConfig> = { datagramBytes: 1472, trainPackets: 44 }

export interface FlowEnd {
  readonly connection: Connection
  /** What is on its way to it. */
  readonly flight: Flight
  /** When its timer fires. */
  wakeUs: number
}

export class Flow {
  readonly options: FlowOptions
  readonly sender: FlowEnd
  readonly receiver: FlowEnd
  readonly source: FlowSource
  readonly sink = new FlowSink()
  readonly #startUs: number
  #isBegun = false
  #markUs = 0
  #markAcked = 0
  #markSent = 0
  #markRetransmitted = 0
  /** When the application produces next; Infinity where it is no limit. */
  nextAppUs = Number.POSITIVE_INFINITY
  /** When the flow has something to do. */
  nextUs: number
  /** When the sender's path answered, and data may flow; -1 before that. */
  establishedUs = -1
  /** The longest train, in packets. */
  longestTrain = 0

  constructor(options: FlowOptions, random: SeededRandom) {
    this.options = options
    this.#startUs = options.startUs ?? 0
    this.nextUs = this.#startUs
    const { app } = options
    const bytes = options.bytes ?? Number.POSITIVE_INFINITY
    this.source = new FlowSource(bytes, app === undefined ? bytes : 0)
    if (app !== undefined) this.nextAppUs = this.#startUs
    const firstId = random.bytes(8)
    const secondId = random.bytes(8)
    const connection = (local: Uint8Array, remote: Uint8Array, isSender: boolean): Connection =>
      new Connection({
        lane: 0,
        localConnectionId: local,
        remoteConnectionId: remote,
        keys: plainKeys,
        randomBytes: (count) => random.bytes(count),
        nowUs: this.#startUs,
        config: { ...FLOW_CONFIG, ...options.config },
        ...(isSender ? { source: this.source } : { sink: this.sink }),
        ...(isSender && options.controller !== undefined ? { controller: options.controller } : {}),
      })
    this.sender = { connection: connection(firstId, secondId, true), flight: new Flight(), wakeUs: this.#startUs }
    this.receiver = { connection: connection(secondId, firstId, false), flight: new Flight(), wakeUs: this.#startUs }
    this.#markUs = this.#startUs
  }

  /** The first turn: both ends look for each other. */
  begin(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    for (const end of [this.sender, this.receiver]) {
      end.connection.addCandidate(0)
    }
    this.receiver.connection.grantCredit(Number.MAX_SAFE_INTEGER)
  }

  produce(nowUs: number): void {
    const { app } = this.options
    if (app === undefined) return
    this.source.produce(app.bytes)
    this.sender.connection.wake()
    this.nextAppUs = nowUs + app.everyUs
  }

  /** Looks when there is something to do again. */
  settle(): void {
    const { sender, receiver } = this
    this.nextUs = Math.min(sender.flight.nextUs, receiver.flight.nextUs, sender.wakeUs, receiver.wakeUs, this.nextAppUs)
  }

  noteTrain(packets: number): void {
    if (packets > this.longestTrain) this.longestTrain = packets
  }

  /** Measures from here on. */
  mark(nowUs: number): void {
    this.#markUs = Math.max(nowUs, this.#startUs)
    this.#markAcked = this.source.ackedBytes
    const { stats } = this.sender.connection
    this.#markSent = stats.bytesSent
    this.#markRetransmitted = stats.bytesRetransmitted
  }

  /** Bytes of chunks a second that were acknowledged since the mark. */
  goodput(nowUs: number): number {
    return ((this.source.ackedBytes - this.#markAcked) * 1e6) / Math.max(1, nowUs - this.#markUs)
  }

  /** Bytes of chunks acknowledged since the mark. */
  get goodBytes(): number {
    return this.source.ackedBytes - this.#markAcked
  }

  /** Bytes of packets sent since the mark. */
  get sentBytes(): number {
    return this.sender.connection.stats.bytesSent - this.#markSent
  }

  /** Bytes of chunks that were sent again since the mark. */
  get retransmittedBytes(): number {
    return this.sender.connection.stats.bytesRetransmitted - this.#markRetransmitted
  }
}
