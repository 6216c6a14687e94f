/** What happens in a run: which faults, to whom and when. Everything follows from the seed. */
import { CRASH_POINTS } from '../../apps/node/dist/lifecycle/crashPoint.js'
import { Chance } from './random.mjs'
import { SHAPE_NAMES, shapeOf } from './shapes.mjs'

/**
 * @typedef {import('./network.mjs').Side} Side
 * @typedef {{ kind: string, side: Side, at: { fraction: number, delayMs: number }, ms: number, point: string, passes: number,
 *   bytes: number, withNode: boolean }} Fault - `at`: when the receiver has this share of the bytes (below 0: as soon as
 *   both were told of the transfer) and `delayMs` have passed; `ms`: how long it lasts; `point` and `passes`: of a crash
 *   point; `bytes`: of a tail that is cut off; `withNode`: whether the node dies too.
 * @typedef {{ seed: number, shape: string, isOwnRendezvous: boolean, faults: Fault[] }} Plan
 * @typedef {{ kinds?: readonly string[] | undefined, isLong: boolean, hasNetwork: boolean, hasLarge: boolean }} PlanOptions
 */

/** Kinds of faults and how often each is drawn. */
const KINDS = /** @type {const} */ ([
  [14, 'killNode'],
  [8, 'killRedis'],
  [6, 'killNodeAndRedis'],
  [5, 'killMachine'],
  [5, 'killRendezvous'],
  [4, 'killEverything'],
  [30, 'crashPoint'],
  [5, 'stopNode'],
  [3, 'stopRedis'],
  [6, 'linkDown'],
  [4, 'changeAddress'],
  [4, 'redisLostLastSecond'],
  [4, 'redisTruncated'],
  [4, 'redisFlushed'],
  [4, 'redisDeleted'],
  [4, 'clockBack'],
])

/** Kinds in which a process is ended by SIGKILL. */
export const KILLS = KINDS.map(([, kind]) => kind).filter((kind) => /^kill|^crash|^redis(?!Flushed)/.test(kind))
export const FAULT_KINDS = KINDS.map(([, kind]) => kind)
const NETWORK_KINDS = ['linkDown', 'changeAddress']

/** Points that are passed more than once in a run: any of their first passes may be the one. @type {Record<string, number>} */
const PASSES_MAX = {
  resumptionStored: 2,
  chunkWritten: 5,
  partsSynced: 3,
  chunkHashesSynced: 3,
  chunksAckedAppended: 3,
  durableAckHandedOver: 3,
  durableAckTaken: 3,
  durableAckAppended: 3,
}
/** Points that only what is in folders passes. */
const FOLDERS_ONLY = /^finalize: (folder|file in its folder)/
/** Points that only files beside folders pass. */
const FILES_ONLY = /^finalize: (file published|part unlinked)/
/** Points that only one side passes. */
const SENDER_ONLY = [
  'durableAckTaken',
  'durableAckAppended',
  'completionTaken',
  'completionAppended',
  'completionConfirmed',
  'roomClosed',
]
const BOTH = [
  'recordWritten',
  'transferEnqueuedAppended',
  'roomAnswered',
  'roomEnteredAppended',
  'resumptionStored',
  'sessionOpenedAppended',
]
/** Points that these runs do not reach: only a target that does not know link(2), or has others' files, does. */
const OUT_OF_REACH = ['finalize: names: claimed', 'finalize: names: another number', 'finalize: file name taken']

/** @param {number} seed @param {PlanOptions} options @returns {Plan} */
export function planOf(seed, { kinds, isLong, hasNetwork, hasLarge }) {
  const chance = new Chance(seed)
  // The first draw of neighbouring seeds is alike.
  for (let n = 0; n < 8; n++) chance.next()
  const isOwnRendezvous = chance.happens(0.4)
  const shape = chance.happens(0.06) && hasLarge ? 'large' : chance.pick(SHAPE_NAMES)
  const count = chance.weighted([
    [70, 1],
    [20, 2],
    [10, 3],
  ])
  const usable = KINDS.filter(
    ([, kind]) =>
      (kinds === undefined || kinds.includes(kind)) &&
      (hasNetwork || !NETWORK_KINDS.includes(kind)) &&
      // A code carries the address of a rendezvous that the sender hosts: it has to keep it.
      !(isOwnRendezvous && kind === 'changeAddress'),
  )
  const faults = Array.from({ length: count }, () =>
    drawFault(chance, chance.weighted(usable.length > 0 ? usable : KINDS), isLong, shape),
  )
  faults.sort((a, b) => a.at.fraction - b.at.fraction)
  // A node looks for one planned crash at a time.
  const seen = new Set()
  return {
    seed,
    shape,
    isOwnRendezvous,
    faults: faults.filter(({ kind, side }) => kind !== 'crashPoint' || (!seen.has(side) && seen.add(side))),
  }
}

/** @param {Chance} chance @param {string} kind @param {boolean} isLong @param {string} shape @returns {Fault} */
function drawFault(chance, kind, isLong, shape) {
  const { hasFolders, hasFiles } = shapeOf(shape)
  const reached = CRASH_POINTS.filter(
    (name) =>
      !OUT_OF_REACH.includes(name) && (hasFolders || !FOLDERS_ONLY.test(name)) && (hasFiles || !FILES_ONLY.test(name)),
  )
  const point = chance.pick(reached)
  const side = /** @type {Side} */ (chance.pick(['sender', 'receiver']))
  return {
    kind,
    side: kind !== 'crashPoint' || BOTH.includes(point) ? side : SENDER_ONLY.includes(point) ? 'sender' : 'receiver',
    at: {
      fraction:
        kind === 'crashPoint'
          ? -1
          : chance.weighted([
              [15, -1],
              [70, chance.next() * 0.7],
              [15, 0.999],
            ]),
      delayMs: chance.below(400),
    },
    ms: isLong ? chance.between(40_000, 70_000) : chance.between(300, kind === 'stopRedis' ? 2000 : 4000),
    point,
    passes: chance.between(1, PASSES_MAX[point] ?? 1),
    bytes: chance.between(1, 3000),
    withNode: chance.happens(0.4),
  }
}

/** Whether a side's log loses events in this plan. @param {Plan} plan @param {Side} side */
export const losesLog = (plan, side) => plan.faults.some((fault) => fault.side === side && /^redis/.test(fault.kind))

/** One line for a fault, for people. @param {Fault} fault */
export function describeFault({ kind, side, at, ms, point, passes, bytes, withNode }) {
  const where = kind === 'killEverything' || kind === 'killRendezvous' ? '' : ` of the ${side}`
  const when =
    at.fraction < 0 ? `${at.delayMs} ms after the start` : `${at.delayMs} ms after ${Math.round(at.fraction * 100)} %`
  if (kind === 'crashPoint') return `SIGKILL${where} at crash point ${point}, pass ${passes}`
  const extra = [
    /^stop|link|killMachine|killEverything|killRendezvous/.test(kind) ? ` for ${ms} ms` : '',
    kind === 'redisTruncated' ? ` by ${bytes} bytes` : '',
    withNode && /^redis(?!Flushed)|clock/.test(kind) ? ' with a kill of its node' : '',
  ].join('')
  return `${kind}${where}${extra}, ${when}`
}
