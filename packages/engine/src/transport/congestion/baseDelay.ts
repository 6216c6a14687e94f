/**
 * Round trip without a queue, and the queue of now, for LEDBAT++: the smallest sample of the last ten minutes, and the
 * smallest of the last four samples (RFC 6817 §2.4.2, §3.4.2).
 */

const HISTORY_MINUTES = 10
const MINUTE_US = 60_000_000
const CURRENT_SAMPLES = 4

export class BaseDelay {
  /** Minima of single minutes, newest at `#minute`. */
  readonly #minima = new Float64Array(HISTORY_MINUTES).fill(Number.POSITIVE_INFINITY)
  readonly #samples = new Float64Array(CURRENT_SAMPLES).fill(Number.POSITIVE_INFINITY)
  #minute = 0
  #minuteStartUs = -1
  #sampleCount = 0
  /** Microseconds; Infinity before the first sample. */
  baseUs = Number.POSITIVE_INFINITY
  queueUs = 0

  onSample(nowUs: number, rttUs: number): void {
    if (this.#minuteStartUs < 0) this.#minuteStartUs = nowUs
    if (nowUs >= this.#minuteStartUs + MINUTE_US) {
      this.#minuteStartUs = nowUs
      this.#minute = (this.#minute + 1) % HISTORY_MINUTES
      this.#minima[this.#minute] = Number.POSITIVE_INFINITY
    }
    this.#minima[this.#minute] = Math.min(this.#minima[this.#minute] ?? rttUs, rttUs)
    this.#samples[this.#sampleCount % CURRENT_SAMPLES] = rttUs
    this.#sampleCount += 1
    this.baseUs = smallest(this.#minima)
    this.queueUs = Math.max(0, smallest(this.#samples) - this.baseUs)
  }

  reset(): void {
    this.#minima.fill(Number.POSITIVE_INFINITY)
    this.#samples.fill(Number.POSITIVE_INFINITY)
    this.#minute = 0
    this.#minuteStartUs = -1
    this.#sampleCount = 0
    this.baseUs = Number.POSITIVE_INFINITY
    this.queueUs = 0
  }
}

const smallest = (values: Float64Array): number => {
  let min = Number.POSITIVE_INFINITY
  for (let i = 0; i < values.length; i++) min = Math.min(min, values[i] ?? min)
  return min
}
