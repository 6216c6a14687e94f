/** The rows of `npm run bench:net`: links, files, who takes part, and what Godwit is to reach on them. */
import { GIB, MB, sizeText } from '../units.mjs'

/**
 * @typedef {{ kind: 'cable', mtu: number }
 *   | { kind: 'emulated', mtu: number, rateMbit: number, rttMs: number, lossPercent: number, queueBytes: number }
 *   } LinkSettings
 *
 * @typedef {Readonly<Record<string, { bytesPerSecond?: number, seconds?: number, cpuSendSeconds?: number,
 *   cpuReceiveSeconds?: number, sentRatio?: number, queueMs?: number }>>} Medians - by contestant, of complete runs.
 * @typedef {{ text: string, isReached: (medians: Medians) => boolean | undefined }} Goal - undefined: cannot be told.
 *
 * @typedef {object} GoodputRow - a file across a link, by everybody.
 * @property {'goodput'} kind
 * @property {string} id
 * @property {LinkSettings} link
 * @property {'memory' | 'disk'} storage
 * @property {number} bytes - of Godwit's file.
 * @property {number} peerBytes - of everybody else's.
 * @property {readonly string[]} contestants
 * @property {readonly Goal[]} goals
 *
 * @typedef {object} ShareRow - who gets which share of a link.
 * @property {'share'} kind
 * @property {string} id
 * @property {string} title
 * @property {LinkSettings} link
 * @property {'godwit' | 'tcp'} rival - of one Godwit transfer.
 * @property {readonly string[]} flags - of Godwit's.
 * @property {number} seconds - that they share it.
 * @property {readonly [number, number]} wanted - least and most percent of Godwit's; of two Godwits, of the smaller one.
 *
 * @typedef {object} MemoryRow - a large file onto a slow disk.
 * @property {'memory'} kind
 * @property {string} id
 * @property {LinkSettings} link
 * @property {number} bytes
 * @property {number} diskBytesPerSecond
 * @property {number} wantedRssBytes
 *
 * @typedef {GoodputRow | ShareRow | MemoryRow} Row
 */

const MTU = 1500
/** @type {LinkSettings} */
const CABLE = { kind: 'cable', mtu: MTU }

/** @param {number} rateMbit @param {number} rttMs @param {number} lossPercent @param {number} queueBytes @returns {LinkSettings} */
const emulated = (rateMbit, rttMs, lossPercent, queueBytes) => ({
  kind: 'emulated',
  mtu: MTU,
  rateMbit,
  rttMs,
  lossPercent,
  queueBytes,
})

/** The clean link of the rows on sharing: its queue holds one round trip. */
const SHARED = emulated(200, 40, 0, 1 * MB)

const FAR_PEERS = ['scp-bbr', 'scp-cubic', 'srt', 'uftp', 'udx', 'iperf-tcp-bbr', 'iperf-udp']

/** @param {string} who @param {number} megabytesPerSecond @returns {Goal} */
const atLeast = (who, megabytesPerSecond) => ({
  text: `${who} at least ${megabytesPerSecond} MB/s`,
  isReached: (medians) => compare(medians[who]?.bytesPerSecond, (value) => value >= megabytesPerSecond * MB),
})

/** @param {string} who @param {string} rival @returns {Goal} */
const asFastAs = (who, rival) => ({
  text: `${who} at least as fast as ${rival}`,
  isReached: (medians) => {
    const theirs = medians[rival]?.bytesPerSecond
    return theirs === undefined ? undefined : compare(medians[who]?.bytesPerSecond, (value) => value >= theirs)
  },
})

/** @param {string} who @param {'cpuSendSeconds' | 'cpuReceiveSeconds'} side @param {number} seconds @returns {Goal} */
const cpuAtMost = (who, side, seconds) => ({
  text: `${who} at most ${seconds} s of processor to ${side === 'cpuSendSeconds' ? 'send' : 'receive'}`,
  isReached: (medians) => compare(medians[who]?.[side], (value) => value <= seconds),
})

/** @param {string} who @param {number} rttMs @returns {readonly Goal[]} what holds on every emulated link. */
const thrifty = (who, rttMs) => [
  {
    text: `${who} sends at most 1.05 × the least`,
    isReached: (medians) => compare(medians[who]?.sentRatio, (value) => value <= 1.05),
  },
  {
    text: `${who} adds at most ${rttMs} ms of queue`,
    isReached: (medians) => compare(medians[who]?.queueMs, (value) => value <= rttMs),
  },
]

/** @param {number | undefined} value @param {(value: number) => boolean} holds */
const compare = (value, holds) => (value === undefined ? undefined : holds(value))

/** @param {number} rttMs @param {number} trips @returns {Goal} */
const withinTrips = (rttMs, trips) => ({
  text: `godwit within ${trips} round trips`,
  isReached: (medians) => compare(medians['godwit']?.seconds, (value) => (value * 1000) / rttMs <= trips),
})

/** @type {readonly Row[]} */
export const ROWS = [
  {
    kind: 'goodput',
    id: 'veth',
    link: CABLE,
    storage: 'memory',
    bytes: GIB,
    peerBytes: GIB,
    contestants: [
      ...['godwit', 'godwit-1lane', 'scp-cubic', 'scp-bbr', 'srt', 'uftp', 'udx'],
      ...['iperf-tcp-cubic', 'iperf-udp'],
    ],
    goals: [
      asFastAs('godwit', 'scp-cubic'),
      atLeast('godwit', 300),
      cpuAtMost('godwit-1lane', 'cpuSendSeconds', 2.2),
      cpuAtMost('godwit-1lane', 'cpuReceiveSeconds', 2.8),
    ],
  },
  {
    kind: 'goodput',
    id: 'disk',
    link: CABLE,
    storage: 'disk',
    bytes: GIB,
    peerBytes: GIB,
    contestants: ['godwit', 'scp-cubic-sync'],
    goals: [],
  },
  {
    kind: 'goodput',
    id: 'wan200',
    link: emulated(200, 100, 1, 2.5 * MB),
    storage: 'memory',
    bytes: 400 * MB,
    peerBytes: 100 * MB,
    contestants: ['godwit', ...FAR_PEERS],
    // 90 % of what 1 % of loss leaves of 25 MB/s.
    goals: [atLeast('godwit', 22.3), ...thrifty('godwit', 100)],
  },
  {
    kind: 'goodput',
    id: 'wan1000',
    link: emulated(1000, 100, 1, 4 * MB),
    storage: 'memory',
    bytes: GIB,
    peerBytes: 100 * MB,
    contestants: ['godwit', ...FAR_PEERS],
    goals: [atLeast('godwit', 85), ...thrifty('godwit', 100)],
  },
  {
    kind: 'goodput',
    id: 'lossy5',
    link: emulated(100, 200, 5, 2.5 * MB),
    storage: 'memory',
    bytes: 200 * MB,
    peerBytes: 50 * MB,
    contestants: ['godwit', 'godwit-lossy', ...FAR_PEERS],
    // 85 % of what 5 % of loss leaves of 12.5 MB/s.
    goals: [atLeast('godwit-lossy', 10.1), ...thrifty('godwit-lossy', 200)],
  },
  {
    kind: 'goodput',
    id: 'lossy10',
    link: emulated(50, 100, 10, 625_000),
    storage: 'memory',
    bytes: 100 * MB,
    peerBytes: 50 * MB,
    contestants: ['godwit', 'godwit-lossy', ...FAR_PEERS],
    // 80 % of what 10 % of loss leaves of 6.25 MB/s.
    goals: [atLeast('godwit-lossy', 4.5), ...thrifty('godwit-lossy', 100)],
  },
  {
    kind: 'goodput',
    id: 'small',
    link: emulated(200, 100, 1, 2.5 * MB),
    storage: 'memory',
    bytes: 1 * MB,
    peerBytes: 1 * MB,
    contestants: ['godwit', 'scp-bbr', 'scp-cubic'],
    goals: [withinTrips(100, 12)],
  },
  {
    kind: 'share',
    id: 'two',
    title: 'two Godwit transfers at once: share of the smaller one',
    link: SHARED,
    rival: 'godwit',
    // A transfer is then one flow, which the link can tell from the other one.
    flags: ['--lanes=1'],
    seconds: 30,
    wanted: [40, 50],
  },
  {
    kind: 'share',
    id: 'cubic',
    title: 'beside a flow of TCP CUBIC: share of Godwit',
    link: SHARED,
    rival: 'tcp',
    flags: [],
    seconds: 30,
    wanted: [30, 70],
  },
  {
    kind: 'share',
    id: 'background',
    title: 'profile background beside a flow of TCP CUBIC: share of Godwit',
    link: SHARED,
    rival: 'tcp',
    flags: ['--profile=background'],
    seconds: 30,
    wanted: [0, 20],
  },
  {
    kind: 'memory',
    id: 'memory',
    link: CABLE,
    bytes: 5 * GIB,
    diskBytesPerSecond: 20 * MB,
    wantedRssBytes: 300 * 2 ** 20,
  },
]

/** @param {LinkSettings} link */
export const linkText = (link) =>
  link.kind === 'cable'
    ? `veth, MTU ${link.mtu.toLocaleString('en-US')}, clean`
    : `${link.rateMbit} Mbit/s, ${link.rttMs} ms, ${link.lossPercent} % loss, queue ${sizeText(link.queueBytes)}`

/** The options of linksim for a link. @param {LinkSettings & { kind: 'emulated' }} link @param {number} sampleMs @param {number} seed */
export const linksimOptions = (link, sampleMs, seed) => [
  `rate=${link.rateMbit}`,
  `delay=${link.rttMs / 2}`,
  `loss=${link.lossPercent}`,
  `queue=${link.queueBytes / 1024}`,
  `sample=${sampleMs}`,
  `seed=${seed}`,
]

/**
 * The rows with smaller files and shorter times, for a quick look: their figures say whether it works, not how well.
 *
 * @param {Row} row @returns {Row}
 */
export function quickened(row) {
  if (row.kind === 'share') return { ...row, seconds: 10 }
  if (row.kind === 'memory') return { ...row, bytes: row.bytes / 20 }
  if (row.bytes <= MB) return row
  return { ...row, bytes: row.bytes / 8, peerBytes: row.peerBytes / 8 }
}
