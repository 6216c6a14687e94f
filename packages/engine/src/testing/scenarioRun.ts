/**
 * Runs one scenario of congestion control and measures it: what the tests hold to bounds and `npm run sim:congestion`
 * writes into a table. A scenario is data; see `scenarios.ts`.
 */
import { Cubic } from '../transport/congestion/cubic.js'
import type { CongestionProfile } from '../transport/congestion/profile.js'
import type { FlowOptions } from './flow.js'
import { CLEAN_PATH, FlowWorld, type PathOptions } from './flowWorld.js'

/** A flow of ours under a profile, or CUBIC as a model of somebody else's TCP. */
export type FlowKind = CongestionProfile | 'cubic'

export interface Scenario {
  readonly name: string
  readonly path: Partial<PathOptions>
  readonly flows: readonly FlowKind[]
  /** For all flows; the second and later ones may begin later. */
  readonly flow?: Omit<FlowOptions, 'controller' | 'startUs'>
  readonly gapSeconds?: number
  /** Measured from here on; 0 for the whole transfer. */
  readonly warmUpSeconds: number
  /** The end, at the latest: a flow with `bytes` ends when they have arrived. */
  readonly seconds: number
  /** What has to be reached, besides what `UNIVERSAL_TARGET` says. */
  readonly target?: Target
}

/** Bounds on a `ScenarioResult`; what is absent is not bounded. */
export interface Target {
  readonly goodputMin?: number
  readonly goodputShareMin?: number
  readonly secondsMax?: number
  /** Of the first flow. */
  readonly shareMin?: number
  readonly shareMax?: number
}

/** Of every flow alone: the queue takes no longer than the round trip, and little is sent that need not be. */
export const UNIVERSAL_TARGET = { queueMeanRtts: 1, sentOverLeastMax: 1.05 } as const

export interface ScenarioResult {
  /** Seconds from the first path's answer to the end. */
  readonly seconds: number
  /** Bytes of files a second of all flows together, and as a part of what the link carries less random loss. */
  readonly goodput: number
  readonly goodputShare: number
  /** Part of the goodput that each flow has. */
  readonly shares: readonly number[]
  /** Bytes of files that were sent again, as a part of those that arrived, by the first flow. */
  readonly retransmittedShare: number
  /** Bytes of files that the first flow sent, over the least that random loss allows. */
  readonly sentOverLeast: number
  /** Milliseconds that datagrams waited for the link. */
  readonly queueMeanMs: number
  readonly queueP95Ms: number
  /** The longest train, in packets. */
  readonly longestTrain: number
}

export const runScenario = (scenario: Scenario, seed: number): ScenarioResult => {
  const gapUs = (scenario.gapSeconds ?? 0) * 1e6
  const world = new FlowWorld({
    seed,
    path: scenario.path,
    flows: scenario.flows.map((kind, index) => ({
      ...scenario.flow,
      startUs: index * gapUs,
      ...(kind === 'cubic'
        ? { controller: (datagramBytes: number) => new Cubic(datagramBytes) }
        : { config: { ...scenario.flow?.config, profile: kind } }),
    })),
  })
  const first = world.flow(0)
  if (scenario.warmUpSeconds > 0) {
    world.run(scenario.warmUpSeconds * 1e6)
    world.resetStats()
  }
  world.run(scenario.seconds * 1e6, () => world.flows.every(({ source }) => source.isAllAcked))
  const fromUs = scenario.warmUpSeconds > 0 ? scenario.warmUpSeconds * 1e6 : Math.max(first.establishedUs, 0)
  const goodBytes = world.flows.reduce((sum, flow) => sum + flow.goodBytes, 0)
  const lossRate = scenario.path.lossRate ?? CLEAN_PATH.lossRate
  const delays = world.bottleneck.delays
  return {
    seconds: (world.nowUs - fromUs) / 1e6,
    goodput: (goodBytes * 1e6) / (world.nowUs - fromUs),
    goodputShare: goodBytes / (world.bottleneck.capacity(fromUs, world.nowUs) * (1 - lossRate)),
    shares: world.flows.map((flow) => flow.goodBytes / Math.max(1, goodBytes)),
    retransmittedShare: first.retransmittedBytes / Math.max(1, first.goodBytes),
    sentOverLeast: ((first.goodBytes + first.retransmittedBytes) * (1 - lossRate)) / Math.max(1, first.goodBytes),
    queueMeanMs: delays.meanUs / 1000,
    queueP95Ms: delays.percentileUs(0.95) / 1000,
    longestTrain: first.longestTrain,
  }
}

/** Bytes a second of a rate in Mbit/s. */
export const mbit = (rate: number): number => rate * 125_000

/** A path of a rate and round trip, with a buffer as a multiple of their product. */
export const pathOf = (rateMbit: number, rttMs: number, bufferBdp: number): Partial<PathOptions> => ({
  rate: mbit(rateMbit),
  rttUs: rttMs * 1000,
  bufferBytes: (mbit(rateMbit) * rttMs * bufferBdp) / 1000,
})
