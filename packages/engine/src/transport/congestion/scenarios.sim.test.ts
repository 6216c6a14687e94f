/** A flow alone reaches on each path what it has to; `npm run sim:congestion` writes the figures down. */
import { expect, test } from 'vitest'
import { runScenario, UNIVERSAL_TARGET } from '../../testing/scenarioRun.js'
import { FILES, PATHS, RANDOM_LOSS, titled } from '../../testing/scenarios.js'

const SEED = 1
/** The drivers' timers have a millisecond: a queue of two is none. */
const QUEUE_FLOOR_MS = 2
/** A guard against runs without an end: how long a run takes says nothing here, and the machine may be busy. */
const TIMEOUT_MS = 180_000

test.each(titled([...FILES, ...RANDOM_LOSS, ...PATHS]))(
  '%s',
  (_name, scenario) => {
    const { target = {}, path } = scenario
    const result = runScenario(scenario, SEED)
    expect(result.goodput).toBeGreaterThanOrEqual(target.goodputMin ?? 0)
    expect(result.goodputShare).toBeGreaterThanOrEqual(target.goodputShareMin ?? 0)
    expect(result.seconds).toBeLessThanOrEqual(target.secondsMax ?? Number.POSITIVE_INFINITY)
    expect(result.sentOverLeast).toBeLessThanOrEqual(UNIVERSAL_TARGET.sentOverLeastMax)
    const rttMs = (path.rttUs ?? 0) / 1000
    expect(result.queueMeanMs).toBeLessThanOrEqual(Math.max(QUEUE_FLOOR_MS, UNIVERSAL_TARGET.queueMeanRtts * rttMs))
  },
  TIMEOUT_MS,
)
