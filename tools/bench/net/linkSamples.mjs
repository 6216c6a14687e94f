/** Reads what linksim prints: how much was sent, how long the queue was, who had which share of the link. */
import { quantile } from '../statistics.mjs'

/**
 * @typedef {{ protocol: 'tcp' | 'udp', from: number, to: number, packets: number, bytes: number }} Flow - totals since
 * the link began; `from` and `to` are ports.
 * @typedef {{ seen: number, seenBytes: number, lost: number, dropped: number, passed: number, passedBytes: number,
 *   queueMeanMs: number, queueMaxMs: number, flows: readonly Flow[] }} DirectionSample - totals since the link began,
 *   but for the queue: packets' waiting time since the sample before.
 * @typedef {{ seconds: number, ab: DirectionSample, ba: DirectionSample }} LinkSample
 */

/** Bytes of file in a full packet of 1,500: IP 20, UDP 8, an encrypted protocol's header and tag 32. */
const FILE_BYTES_OF_FULL_PACKET = 1440
const FULL_PACKET_BYTES = 1500

/**
 * What went into the link from a to b between two samples.
 *
 * @param {LinkSample} before @param {LinkSample} after
 */
export function sentBetween(before, after) {
  const difference = (/** @type {'seen' | 'seenBytes' | 'lost' | 'dropped'} */ name) => after.ab[name] - before.ab[name]
  return {
    packets: difference('seen'),
    bytes: difference('seenBytes'),
    lost: difference('lost'),
    dropped: difference('dropped'),
  }
}

/**
 * The least that has to be put into the link for a file: full packets, and each that the link lost once more. What its
 * full queue dropped was too much, so it is not in the least.
 *
 * @param {number} fileBytes @param {{ packets: number, lost: number }} sent
 */
export function leastBytes(fileBytes, { packets, lost }) {
  const lossShare = packets === 0 ? 0 : lost / packets
  return (fileBytes * (FULL_PACKET_BYTES / FILE_BYTES_OF_FULL_PACKET)) / (1 - lossShare)
}

/**
 * Waiting times in the link's queue, milliseconds, over samples in which something was sent.
 *
 * @param {readonly LinkSample[]} samples - those of the steady state.
 */
export function queueOf(samples) {
  const means = []
  let most = 0
  for (let i = 1; i < samples.length; i++) {
    if (samples[i].ab.seen === samples[i - 1].ab.seen) continue
    means.push(samples[i].ab.queueMeanMs)
    most = Math.max(most, samples[i].ab.queueMaxMs)
  }
  if (means.length === 0) return undefined
  return { medianMs: quantile(means, 0.5), p95Ms: quantile(means, 0.95), mostMs: most }
}

/** A sample in which less than this share of the busiest one's bytes were sent belongs to the talk before and after. */
const ACTIVE_SHARE = 0.05

/**
 * The steady state of a run: from the first sample in which much was sent to the last, without 30 % at its beginning and
 * 5 % at its end.
 *
 * @param {readonly LinkSample[]} samples
 */
export function steadyOf(samples) {
  const sent = samples.map((sample, i) => (i === 0 ? 0 : sample.ab.seenBytes - samples[i - 1].ab.seenBytes))
  const enough = Math.max(...sent) * ACTIVE_SHARE
  const isActive = (/** @type {number} */ bytes) => bytes > 0 && bytes >= enough
  const active = samples.slice(sent.findIndex(isActive), sent.findLastIndex(isActive) + 1)
  return active.slice(Math.floor(active.length * 0.3), Math.ceil(active.length * 0.95))
}

/**
 * Bytes that each flow from a to b got through between two samples, the largest first.
 *
 * @param {LinkSample} before @param {LinkSample} after @returns {Flow[]}
 */
export function flowsBetween(before, after) {
  const same = (/** @type {Flow} */ left, /** @type {Flow} */ right) =>
    left.protocol === right.protocol && left.from === right.from && left.to === right.to
  return after.ab.flows
    .map((flow) => {
      const earlier = before.ab.flows.find((one) => same(one, flow))
      // A flow whose place in the table was taken and that came back counts anew.
      const isOlder = earlier !== undefined && earlier.bytes <= flow.bytes
      return {
        ...flow,
        packets: flow.packets - (isOlder ? earlier.packets : 0),
        bytes: flow.bytes - (isOlder ? earlier.bytes : 0),
      }
    })
    .filter(({ bytes }) => bytes > 0)
    .sort((left, right) => right.bytes - left.bytes)
}

/** The sample at or after a moment of the link's clock. @param {readonly LinkSample[]} samples @param {number} seconds */
export const sampleAt = (samples, seconds) => samples.find((sample) => sample.seconds >= seconds) ?? samples.at(-1)
