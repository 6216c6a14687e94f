/**
 * Times an operation: repeats it until a sample takes long enough for the clock, throws the first samples away (the
 * compiler is still at work), and gives the median of the rest.
 */
import { median } from '../statistics.mjs'

const SAMPLE_MS = 60
const WARM_UP_MS = 150
const SAMPLES = 7

/**
 * @typedef {{ name: string, bytes?: number, unit?: string, run: (times: number) => void }} Operation - `run` does it
 * `times` times; `bytes` are those that one time handles; `unit` names what one time is where it is not plain.
 * @typedef {{ name: string, nanoseconds: number, unit: string, bytesPerSecond?: number }} Measurement
 */

/** @param {Operation} operation @returns {Measurement} */
export function measure({ name, bytes, unit = 'op', run }) {
  let times = 1
  let elapsedMs = 0
  const warmUntil = performance.now() + WARM_UP_MS
  // Doubling ends with a sample of the right length, and warms up on the way.
  while (elapsedMs < SAMPLE_MS || performance.now() < warmUntil) {
    elapsedMs = timed(run, times)
    if (elapsedMs < SAMPLE_MS) times *= 2
  }
  const samples = Array.from({ length: SAMPLES }, () => timed(run, times))
  const nanoseconds = (median(samples) * 1e6) / times
  return { name, nanoseconds, unit, ...(bytes === undefined ? {} : { bytesPerSecond: (bytes * 1e9) / nanoseconds }) }
}

/** @param {(times: number) => void} run @param {number} times @returns {number} milliseconds. */
function timed(run, times) {
  const startedAt = performance.now()
  run(times)
  return performance.now() - startedAt
}
