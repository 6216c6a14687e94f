/**
 * Which packet numbers were accepted before: a sliding bitmap in words, as in RFC 6479, so that moving on clears whole
 * words and shifts nothing.
 *
 * Ask `isFresh` before a packet is opened and call `mark` only when its tag was right; a forged number changes nothing.
 */
import { assert } from './assert.js'
import { REPLAY_WINDOW_PACKETS } from './limits.js'

export class ReplayWindow {
  readonly #words: Uint32Array
  readonly #wordMask: number
  readonly #windowPackets: number
  #highest = -1

  /** @param windowPackets - numbers behind the highest that are told apart; older ones count as seen. */
  constructor(windowPackets = REPLAY_WINDOW_PACKETS) {
    assert(windowPackets >= 32, 'a replay window holds at least one word')
    // One word more than the window needs, since the newest word is only partly used (RFC 6479 §3).
    let words = 2
    while (words * 32 < windowPackets + 32) words *= 2
    this.#words = new Uint32Array(words)
    this.#wordMask = words - 1
    this.#windowPackets = windowPackets
  }

  /** The highest number marked; -1 before the first. */
  get highest(): number {
    return this.#highest
  }

  /** Whether `packetNumber` is neither marked nor older than the window. */
  isFresh(packetNumber: number): boolean {
    if (packetNumber > this.#highest) return true
    if (packetNumber + this.#windowPackets <= this.#highest) return false
    const word = this.#words[(packetNumber >>> 5) & this.#wordMask] ?? 0
    return ((word >>> (packetNumber & 31)) & 1) === 0
  }

  /** Notes an authentic packet. The caller has asked `isFresh`. */
  mark(packetNumber: number): void {
    const words = this.#words
    const wordNumber = packetNumber >>> 5
    if (packetNumber > this.#highest) {
      const newest = this.#highest < 0 ? -1 : this.#highest >>> 5
      const steps = Math.min(wordNumber - newest, words.length)
      for (let i = 0; i < steps; i++) words[(wordNumber - i) & this.#wordMask] = 0
      this.#highest = packetNumber
    }
    const index = wordNumber & this.#wordMask
    words[index] = (words[index] ?? 0) | (1 << (packetNumber & 31))
  }
}
