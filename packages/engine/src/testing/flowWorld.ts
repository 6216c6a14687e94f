/**
 * Several flows over one bottleneck, in virtual time: each flow is two production connections with a sender's source and
 * a receiver's sink; the drivers' loops, timers of whole milliseconds, trains and joined reads are those of a node.
 * What is measured is the share of the link, the queue and what was sent again.
 *
 * For rough paths with reordering, corruption and migration there is `pair.ts`; here a path keeps order.
 */
import { assert } from '@godwit/protocol/assert'
import type { Connection } from '../transport/connection.js'
import type { Transmit } from '../transport/types.js'
import { Bottleneck, type BottleneckOptions } from './bottleneck.js'
import { FlightBuffers } from './flight.js'
import { Flow, type FlowEnd, type FlowOptions } from './flow.js'
import { SeededRandom } from './random.js'

export interface PathOptions extends BottleneckOptions {
  /** Round trip without any queue. */
  readonly rttUs: number
  /** Probability that a datagram of the receiver is lost. */
  readonly ackLossRate: number
  /** The way back releases what it holds at multiples of this; 0 for at once. */
  readonly ackHoldUs: number
  /** Granularity of the drivers' timers; 0 for exact ones. */
  readonly timerUs: number
  /** Datagrams of one train that arrive within this are one read. */
  readonly joinUs: number
}

export const CLEAN_PATH: PathOptions = {
  rate: 12_500_000,
  bufferBytes: 500_000,
  rttUs: 40_000,
  lossRate: 0,
  burstRate: 0,
  burstDatagrams: 1,
  isLossBehind: false,
  ackLossRate: 0,
  ackHoldUs: 0,
  timerUs: 1000,
  joinUs: 250,
}

export interface FlowWorldOptions {
  readonly seed: number
  readonly path: Partial<PathOptions>
  readonly flows: readonly FlowOptions[]
}

/** A wait below this is spent polling, as the node's loop does it. */
const POLL_US = 300
const DATAGRAM_MAX = 65_507
/** Trains that one drain may send: more is a spin. */
const DRAIN_MAX = 100_000

export class FlowWorld {
  readonly path: PathOptions
  readonly bottleneck: Bottleneck
  readonly flows: readonly Flow[]
  readonly #random: SeededRandom
  readonly #buffers = new FlightBuffers()
  readonly #out = new Uint8Array(DATAGRAM_MAX)
  readonly #transmit: Transmit = { pathId: 0, length: 0, segmentBytes: 0, isMtuProbe: false }
  nowUs = 0
  steps = 0

  constructor(options: FlowWorldOptions) {
    this.path = { ...CLEAN_PATH, ...options.path }
    this.#random = new SeededRandom(options.seed)
    this.bottleneck = new Bottleneck(this.path, this.#random)
    this.flows = options.flows.map((flow) => new Flow(flow, this.#random))
  }

  flow(index: number): Flow {
    const flow = this.flows[index]
    assert(flow !== undefined, 'there is such a flow')
    return flow
  }

  /** Runs until `untilUs` or `isDone`; returns whether it was done. */
  run(untilUs: number, isDone: () => boolean = () => false): boolean {
    while (!isDone()) {
      let nextUs = Number.POSITIVE_INFINITY
      for (const flow of this.flows) nextUs = Math.min(nextUs, flow.nextUs)
      if (nextUs > untilUs) {
        this.nowUs = Math.max(this.nowUs, untilUs)
        return false
      }
      this.nowUs = Math.max(this.nowUs, nextUs)
      this.steps += 1
      for (const flow of this.flows) if (flow.nextUs <= this.nowUs) this.#turn(flow)
    }
    return true
  }

  /** Measures from here on. */
  resetStats(): void {
    this.bottleneck.resetStats()
    for (const flow of this.flows) flow.mark(this.nowUs)
  }

  #turn(flow: Flow): void {
    const nowUs = this.nowUs
    flow.begin()
    const { sender, receiver } = flow
    if (flow.nextAppUs <= nowUs) {
      flow.produce(nowUs)
      this.#drain(flow, sender)
    }
    for (const end of [sender, receiver]) {
      if (end.flight.nextUs <= nowUs) {
        this.#arrive(end)
        this.#drain(flow, end)
      } else if (end.wakeUs <= nowUs) {
        end.connection.handleTimeout(nowUs)
        this.#drain(flow, end)
      }
    }
    flow.settle()
  }

  /** Everything that has arrived by now. */
  #arrive(end: FlowEnd): void {
    while (end.flight.nextUs <= this.nowUs) {
      const length = end.flight.nextLength
      const buffer = end.flight.take()
      end.connection.handleRead(this.nowUs, 0, buffer, length)
      this.#buffers.give(buffer)
    }
  }

  #drain(flow: Flow, end: FlowEnd): void {
    const { connection } = end
    let sent = 0
    while (connection.pollTransmit(this.nowUs, this.#out, this.#transmit)) {
      if (end === flow.sender) this.#forth(flow, this.#transmit)
      else this.#back(flow, this.#transmit)
      sent += 1
      assert(sent < DRAIN_MAX, 'pollTransmit comes to an end')
    }
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      if (event.type === 'established' && end === flow.sender) flow.establishedUs = this.nowUs
    }
    end.wakeUs = this.#wakeUs(connection)
  }

  /** A train goes through the bottleneck; what is left of it arrives in reads of what came close together. */
  #forth(flow: Flow, { length, segmentBytes }: Transmit): void {
    let buffer = this.#buffers.take()
    let filled = 0
    let firstUs = 0
    let lastUs = 0
    const delayUs = flow.options.extraRttUs ?? 0
    const oneWayUs = (this.path.rttUs + delayUs) / 2
    flow.noteTrain(Math.ceil(length / segmentBytes))
    for (let at = 0; at < length; at += segmentBytes) {
      const end = Math.min(at + segmentBytes, length)
      const leftUs = this.bottleneck.pass(this.nowUs, end - at)
      if (leftUs < 0) continue
      if (filled > 0 && leftUs - firstUs > this.path.joinUs) {
        flow.receiver.flight.push(Math.ceil(lastUs + oneWayUs), buffer, filled)
        buffer = this.#buffers.take()
        filled = 0
      }
      if (filled === 0) firstUs = leftUs
      lastUs = leftUs
      buffer.set(this.#out.subarray(at, end), filled)
      filled += end - at
    }
    if (filled > 0) flow.receiver.flight.push(Math.ceil(lastUs + oneWayUs), buffer, filled)
    else this.#buffers.give(buffer)
  }

  #back(flow: Flow, { length }: Transmit): void {
    if (this.#random.happens(this.path.ackLossRate)) return
    const { rttUs, ackHoldUs } = this.path
    const atUs = this.nowUs + (rttUs + (flow.options.extraRttUs ?? 0)) / 2
    const buffer = this.#buffers.take()
    buffer.set(this.#out.subarray(0, length))
    flow.sender.flight.push(ackHoldUs > 0 ? Math.ceil(atUs / ackHoldUs) * ackHoldUs : Math.ceil(atUs), buffer, length)
  }

  #wakeUs(connection: Connection): number {
    const dueUs = connection.pollTimeout()
    const waitUs = Math.max(dueUs - this.nowUs, 1)
    const { timerUs } = this.path
    if (timerUs === 0 || waitUs < POLL_US || dueUs === Number.POSITIVE_INFINITY) return this.nowUs + waitUs
    return this.nowUs + Math.ceil(waitUs / timerUs) * timerUs
  }
}
