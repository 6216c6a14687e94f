/** Each scenario of congestion control reaches what it has to; `npm run sim:congestion` writes the figures down. */
import { describe, expect, test } from 'vitest'
import { runScenario, type Scenario, type ScenarioResult, UNIVERSAL_TARGET } from '../../testing/scenarioRun.js'
import { FILES, PATHS, RANDOM_LOSS, SHARED } from '../../testing/scenarios.js'

const SEED = 1
/** Flows that share a path are run for less time here than for the table. */
const SHARED_SECONDS = 40
/** The drivers' timers have a millisecond: a queue of two is none. */
const QUEUE_FLOOR_MS = 2

const titled = (scenarios: readonly Scenario[]): readonly (readonly [string, Scenario])[] =>
  scenarios.map((scenario) => [`${scenario.flows.join(' beside ')}: ${scenario.name}`, scenario])

/** At 100 ms a minute is too short for CUBIC and BBR to meet, whoever came first: the table has the figures. */
const isTooLongForCubic = ({ flows, path }: Scenario): boolean =>
  flows.includes('cubic') && flows.includes('standard') && (path.rttUs ?? 0) >= 100_000

const expectTarget = (result: ScenarioResult, { target = {} }: Scenario): void => {
  const share = result.shares[0] ?? 0
  expect(result.goodput).toBeGreaterThanOrEqual(target.goodputMin ?? 0)
  expect(result.goodputShare).toBeGreaterThanOrEqual(target.goodputShareMin ?? 0)
  expect(result.seconds).toBeLessThanOrEqual(target.secondsMax ?? Number.POSITIVE_INFINITY)
  expect(share).toBeGreaterThanOrEqual(target.shareMin ?? 0)
  expect(share).toBeLessThanOrEqual(target.shareMax ?? 1)
}

describe('a flow alone', () => {
  test.each(titled([...FILES, ...RANDOM_LOSS, ...PATHS]))('%s', (_name, scenario) => {
    const result = runScenario(scenario, SEED)
    expectTarget(result, scenario)
    expect(result.sentOverLeast).toBeLessThanOrEqual(UNIVERSAL_TARGET.sentOverLeastMax)
    const rttMs = (scenario.path.rttUs ?? 0) / 1000
    expect(result.queueMeanMs).toBeLessThanOrEqual(Math.max(QUEUE_FLOOR_MS, UNIVERSAL_TARGET.queueMeanRtts * rttMs))
  })
})

describe('flows that share a path', () => {
  test.each(titled(SHARED))('%s', (_name, scenario) => {
    const result = runScenario({ ...scenario, seconds: SHARED_SECONDS }, SEED)
    if (!isTooLongForCubic(scenario)) expectTarget(result, scenario)
    const rttMs = (scenario.path.rttUs ?? 0) / 1000
    // Whoever fills the buffer until it overflows decides about the queue, unless it is ours alone.
    if (!scenario.flows.includes('cubic')) expect(result.queueMeanMs).toBeLessThanOrEqual(rttMs)
    expect(result.goodputShare).toBeGreaterThan(scenario.flows.every((flow) => flow === 'background') ? 0.6 : 0.9)
  })
})
