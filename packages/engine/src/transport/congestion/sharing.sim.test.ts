/** Flows that share a path leave each other what they have to; `npm run sim:congestion` writes the figures down. */
import { expect, test } from 'vitest'
import { runScenario, type Scenario, UNIVERSAL_TARGET } from '../../testing/scenarioRun.js'
import { SHARED, titled } from '../../testing/scenarios.js'

const SEED = 1
/** Where one profile always gives way there is nothing to wait for; the others are run as long as for the table. */
const YIELDING_SECONDS = 25
/** A guard against runs without an end: how long a run takes says nothing here, and the machine may be busy. */
const TIMEOUT_MS = 180_000

const secondsOf = ({ flows, seconds }: Scenario): number => (flows.includes('background') ? YIELDING_SECONDS : seconds)

/** At 100 ms a minute is too short for CUBIC and BBR to meet, whoever came first: the table has the figures. */
const isTooLongForCubic = ({ flows, path }: Scenario): boolean =>
  flows.includes('cubic') && flows.includes('standard') && (path.rttUs ?? 0) >= 100_000

// Without losses by chance `lossy` is `standard`: only the table shows both.
test.each(titled(SHARED.filter(({ flows }) => !flows.includes('lossy'))))(
  '%s',
  (_name, scenario) => {
    const { flows, path, target = {} } = scenario
    const { shares, queueMeanMs, goodputShare } = runScenario({ ...scenario, seconds: secondsOf(scenario) }, SEED)
    if (!isTooLongForCubic(scenario)) {
      expect(shares[0]).toBeGreaterThanOrEqual(target.shareMin ?? 0)
      expect(shares[0]).toBeLessThanOrEqual(target.shareMax ?? 1)
    }
    const rttMs = (path.rttUs ?? 0) / 1000
    // Whoever fills the buffer until it overflows decides about the queue, unless it is ours alone.
    if (!flows.includes('cubic')) expect(queueMeanMs).toBeLessThanOrEqual(UNIVERSAL_TARGET.queueMeanRtts * rttMs)
    expect(goodputShare).toBeGreaterThan(flows.every((flow) => flow === 'background') ? 0.6 : 0.9)
  },
  TIMEOUT_MS,
)
