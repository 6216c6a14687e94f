/**
 * One direction of a network in virtual time: rate, queue, delay, jitter, loss (single and in bursts), duplication,
 * corruption and times of darkness. Deterministic for a seed. Ends that send into it are named by address numbers.
 */
import type { SeededRandom } from './random.js'

export interface LinkOptions {
  /** Bytes a second; Infinity for no bottleneck. */
  readonly rate: number
  /** One way. */
  readonly delayUs: number
  /** A datagram is late by up to this: later ones overtake it. */
  readonly jitterUs: number
  /** Bytes that wait for the bottleneck; more are dropped. */
  readonly queueBytes: number
  readonly lossRate: number
  /** Probability for each datagram that a burst of losses begins, and how many datagrams it takes. */
  readonly burstRate: number
  readonly burstDatagrams: number
  readonly duplicateRate: number
  readonly corruptRate: number
  /** [from, to) in microseconds: nothing gets through. */
  readonly blackouts: readonly (readonly [fromUs: number, toUs: number])[]
}

export const CLEAN_LINK: LinkOptions = {
  rate: 12_500_000,
  delayUs: 10_000,
  jitterUs: 0,
  queueBytes: 256 * 1024,
  lossRate: 0,
  burstRate: 0,
  burstDatagrams: 8,
  duplicateRate: 0,
  corruptRate: 0,
  blackouts: [],
}

/** What arrives: one read, which holds one datagram or a train that stayed together. */
export interface Delivery {
  readonly atUs: number
  /** Order among deliveries of one instant. */
  readonly sequence: number
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
}

export class VirtualLink {
  readonly #options: LinkOptions
  readonly #random: SeededRandom
  readonly #deliver: (atUs: number, from: number, to: number, bytes: Uint8Array) => void
  #freeAtUs = 0
  #burstLeft = 0

  datagrams = 0
  dropped = 0
  /** Bytes of the largest datagram that gets through. */
  mtuBytes = Number.POSITIVE_INFINITY

  constructor(
    options: LinkOptions,
    random: SeededRandom,
    deliver: (atUs: number, from: number, to: number, bytes: Uint8Array) => void,
  ) {
    this.#options = options
    this.#random = random
    this.#deliver = deliver
  }

  /**
   * Sends a train, split into datagrams of `segmentBytes` as the kernel does it. With `isJoined` what is left of it
   * arrives as one read, as UDP_GRO does it.
   */
  send(nowUs: number, from: number, to: number, train: Uint8Array, segmentBytes: number, isJoined: boolean): void {
    const arrived: Uint8Array[] = []
    let lastUs = nowUs
    for (let at = 0; at < train.length; at += segmentBytes) {
      const bytes = train.slice(at, at + segmentBytes)
      const atUs = this.#pass(nowUs, bytes)
      if (atUs < 0) continue
      if (this.#random.happens(this.#options.corruptRate)) this.#corrupt(bytes)
      if (this.#random.happens(this.#options.duplicateRate)) {
        this.#deliver(atUs + this.#random.below(5000), from, to, bytes.slice())
      }
      if (isJoined) {
        arrived.push(bytes)
        lastUs = Math.max(lastUs, atUs)
      } else {
        this.#deliver(atUs, from, to, bytes)
      }
    }
    if (arrived.length > 0) this.#deliver(lastUs, from, to, join(arrived))
  }

  /** When a datagram arrives; -1 when it does not. */
  #pass(nowUs: number, bytes: Uint8Array): number {
    const { rate, delayUs, jitterUs, queueBytes, lossRate, burstRate, burstDatagrams, blackouts } = this.#options
    this.datagrams += 1
    const startUs = Math.max(nowUs, this.#freeAtUs)
    const isQueueFull = ((startUs - nowUs) * rate) / 1e6 > queueBytes
    if (this.#burstLeft > 0) this.#burstLeft -= 1
    else if (this.#random.happens(burstRate)) this.#burstLeft = burstDatagrams
    const isLost =
      isQueueFull ||
      bytes.length > this.mtuBytes ||
      this.#burstLeft > 0 ||
      this.#random.happens(lossRate) ||
      blackouts.some(([fromUs, toUs]) => nowUs >= fromUs && nowUs < toUs)
    if (isLost) {
      this.dropped += 1
      return -1
    }
    this.#freeAtUs = startUs + (bytes.length * 1e6) / rate
    return Math.ceil(this.#freeAtUs + delayUs + (jitterUs > 0 ? this.#random.below(jitterUs) : 0))
  }

  #corrupt(bytes: Uint8Array): void {
    const flips = 1 + this.#random.below(3)
    for (let i = 0; i < flips; i++) {
      const at = this.#random.below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.below(8))
    }
  }
}

const join = (parts: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
