/**
 * The one narrow place of a path, which several flows share: a drop-tail queue in front of a link whose rate may change,
 * with random loss and bursts of losses ahead of it. It decides when a datagram leaves; bytes are carried by
 * `flowWorld.ts`.
 */
import { assert } from '@godwit/protocol/assert'
import { DelayStats } from './delayStats.js'
import type { SeededRandom } from './random.js'

export interface BottleneckOptions {
  /** Bytes a second; or `[fromUs, rate]` steps, the first from 0. */
  readonly rate: number | readonly (readonly [fromUs: number, rate: number])[]
  /** Bytes that may wait; what finds no room is dropped. */
  readonly bufferBytes: number
  /** Probability that a datagram is lost, whatever the queue. */
  readonly lossRate: number
  /** Probability for each datagram that a burst of losses begins, and how many datagrams it takes. */
  readonly burstRate: number
  readonly burstDatagrams: number
  /** Whether what is lost by chance had used the link before: behind the queue, not ahead of it. */
  readonly isLossBehind: boolean
}

/** Bytes of IP and UDP headers that each datagram takes on the link. */
export const DATAGRAM_OVERHEAD_BYTES = 28
const QUEUE_INITIAL = 1024

export class Bottleneck {
  readonly #options: BottleneckOptions
  readonly #random: SeededRandom
  readonly #steps: readonly (readonly [fromUs: number, rate: number])[]
  /** When what waits will have left, and how large it is: rings, oldest first. */
  #leaveUs = new Float64Array(QUEUE_INITIAL)
  #bytes = new Float64Array(QUEUE_INITIAL)
  #head = 0
  #count = 0
  #queuedBytes = 0
  #freeAtUs = 0
  #burstLeft = 0

  /** Time that datagrams waited for the link. */
  readonly delays = new DelayStats()
  /** Datagrams and their bytes on the link; what was lost by chance, and what found no room. */
  sentDatagrams = 0
  sentBytes = 0
  lostDatagrams = 0
  droppedDatagrams = 0

  constructor(options: BottleneckOptions, random: SeededRandom) {
    this.#options = options
    this.#random = random
    this.#steps = typeof options.rate === 'number' ? [[0, options.rate]] : options.rate
    assert(this.#steps[0]?.[0] === 0, 'the link has a rate from the beginning')
  }

  /** Bytes that the link can carry between two times. */
  capacity(fromUs: number, untilUs: number): number {
    return this.#steps.reduce((sum, [stepUs, rate], index) => {
      const startUs = Math.max(fromUs, stepUs)
      const endUs = Math.min(untilUs, this.#steps[index + 1]?.[0] ?? Number.POSITIVE_INFINITY)
      return sum + (Math.max(0, endUs - startUs) * rate) / 1e6
    }, 0)
  }

  /** When the datagram has left the link; -1 where it is lost. */
  pass(nowUs: number, datagramBytes: number): number {
    const { bufferBytes, isLossBehind } = this.#options
    const bytes = datagramBytes + DATAGRAM_OVERHEAD_BYTES
    const isLost = this.#isLost()
    if (isLost) this.lostDatagrams += 1
    if (isLost && !isLossBehind) return -1
    this.#leave(nowUs)
    if (this.#queuedBytes + bytes > bufferBytes && this.#count > 0) {
      this.droppedDatagrams += 1
      return -1
    }
    const startUs = Math.max(nowUs, this.#freeAtUs)
    this.delays.add(startUs - nowUs)
    this.#freeAtUs = this.#serve(startUs, bytes)
    this.#enqueue(this.#freeAtUs, bytes)
    this.sentDatagrams += 1
    this.sentBytes += bytes
    return isLost ? -1 : this.#freeAtUs
  }

  /** Counts from here on only: what came before was the start. */
  resetStats(): void {
    this.delays.reset()
    this.sentDatagrams = 0
    this.sentBytes = 0
    this.lostDatagrams = 0
    this.droppedDatagrams = 0
  }

  #isLost(): boolean {
    const { lossRate, burstRate, burstDatagrams } = this.#options
    if (this.#burstLeft > 0) {
      this.#burstLeft -= 1
      return true
    }
    if (this.#random.happens(burstRate)) {
      this.#burstLeft = burstDatagrams - 1
      return true
    }
    return this.#random.happens(lossRate)
  }

  /** When `bytes` that begin to leave at `startUs` are out, over changes of the rate. */
  #serve(startUs: number, bytes: number): number {
    const steps = this.#steps
    let step = steps.length - 1
    while (step > 0 && (steps[step]?.[0] ?? 0) > startUs) step -= 1
    let atUs = startUs
    let left = bytes
    for (;;) {
      const rate = (steps[step]?.[1] ?? 0) / 1e6
      const untilUs = steps[step + 1]?.[0] ?? Number.POSITIVE_INFINITY
      if (left <= (untilUs - atUs) * rate) return atUs + left / rate
      left -= (untilUs - atUs) * rate
      atUs = untilUs
      step += 1
    }
  }

  #enqueue(leaveUs: number, bytes: number): void {
    if (this.#count === this.#leaveUs.length) this.#grow()
    const at = (this.#head + this.#count) & (this.#leaveUs.length - 1)
    this.#leaveUs[at] = leaveUs
    this.#bytes[at] = bytes
    this.#count += 1
    this.#queuedBytes += bytes
  }

  #leave(nowUs: number): void {
    while (this.#count > 0 && (this.#leaveUs[this.#head] ?? 0) <= nowUs) {
      this.#queuedBytes -= this.#bytes[this.#head] ?? 0
      this.#head = (this.#head + 1) & (this.#leaveUs.length - 1)
      this.#count -= 1
    }
  }

  #grow(): void {
    const grow = (old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(2 * old.length)
      for (let i = 0; i < this.#count; i++) grown[i] = old[(this.#head + i) & (old.length - 1)] ?? 0
      return grown
    }
    this.#leaveUs = grow(this.#leaveUs)
    this.#bytes = grow(this.#bytes)
    this.#head = 0
  }
}
