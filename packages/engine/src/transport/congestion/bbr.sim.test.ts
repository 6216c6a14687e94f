/** The life of a BBR flow on a path in virtual time: which state follows which, and why (draft-ietf-ccwg-bbr, appendix). */
import { assert } from '@godwit/protocol/assert'
import { describe, expect, test } from 'vitest'
import type { FlowOptions } from '../../testing/flow.js'
import { FlowWorld, type PathOptions } from '../../testing/flowWorld.js'
import { SeededRandom } from '../../testing/random.js'
import { pathOf } from '../../testing/scenarioRun.js'
import { Bbr, type BbrState } from './bbr.js'
import { STANDARD_TOLERANCE } from './bbrParameters.js'
import { Cubic } from './cubic.js'

const STEP_US = 5000
const SECOND_US = 1_000_000
const RATE = 12_500_000
const RTT_US = 50_000

interface Life {
  readonly world: FlowWorld
  readonly bbr: Bbr
  /** Runs and returns the states that were passed, each once in a row. */
  run(untilUs: number): readonly BbrState[]
  runUntil(state: BbrState, untilUs: number): boolean
}

const lifeOf = (path: Partial<PathOptions>, flow: FlowOptions = {}, others: readonly FlowOptions[] = []): Life => {
  let made: Bbr | undefined
  const random = new SeededRandom(7)
  const controller = (datagramBytes: number): Bbr => {
    made = new Bbr(datagramBytes, () => random.next(), STANDARD_TOLERANCE)
    return made
  }
  const world = new FlowWorld({ seed: 3, path, flows: [{ ...flow, controller }, ...others] })
  assert(made !== undefined, 'a flow has a controller')
  const bbr: Bbr = made
  return {
    world,
    bbr,
    run: (untilUs) => {
      const states: BbrState[] = [bbr.state]
      while (world.nowUs < untilUs) {
        world.run(world.nowUs + STEP_US)
        if (states.at(-1) !== bbr.state) states.push(bbr.state)
      }
      return states
    },
    runUntil: (state, untilUs) => {
      while (world.nowUs < untilUs && bbr.state !== state) world.run(world.nowUs + 100)
      return bbr.state === state
    },
  }
}

const PATH = pathOf(100, 50, 4)

describe('a BBR flow', () => {
  test('leaves startup when the rate grows no more, with the right estimate, and drains its queue', () => {
    const life = lifeOf(PATH)
    expect(life.run(1.5 * SECOND_US).filter((state) => state !== 'down')).toEqual(['startup', 'drain', 'cruise'])
    const { rate, minRttUs } = life.bbr.model
    // Of 1,500 bytes on the link, 1,472 are packets.
    expect(rate / (RATE * (1472 / 1500))).toBeCloseTo(1, 1)
    expect(minRttUs).toBeLessThan(RTT_US + 1500)
    life.world.resetStats()
    life.run(2.2 * SECOND_US)
    expect(life.world.bottleneck.delays.meanUs).toBeLessThan(3000)
  })

  test('goes round: refill, up, down, cruise, every few seconds', () => {
    const life = lifeOf(PATH)
    life.run(1.5 * SECOND_US)
    expect(life.run(8 * SECOND_US).slice(0, 9)).toEqual([
      'cruise',
      'refill',
      'up',
      'down',
      'cruise',
      'refill',
      'up',
      'down',
      'cruise',
    ])
  })

  test('does not leave startup early for random losses below the threshold', () => {
    const life = lifeOf({ ...pathOf(1000, 100, 0.32), lossRate: 0.01 })
    life.runUntil('drain', 3 * SECOND_US)
    expect(life.bbr.model.maxRate).toBeGreaterThan(0.9 * 125_000_000)
  })

  test('leaves startup for losses all over a round, although the application limits the rate', () => {
    const life = lifeOf({ ...PATH, lossRate: 0.3 }, { app: { everyUs: 10_000, bytes: 60_000 } })
    expect(life.runUntil('drain', 3 * SECOND_US)).toBe(true)
    expect(life.bbr.model.inflightLongtermBytes).toBeLessThan(Number.POSITIVE_INFINITY)
  })

  test('gives up draining after four rounds when the path becomes slower just then', () => {
    const steady = lifeOf(PATH)
    steady.runUntil('drain', 3 * SECOND_US)
    const life = lifeOf({
      ...PATH,
      rate: [
        [0, RATE],
        [steady.world.nowUs, RATE / 5],
      ],
    })
    expect(life.runUntil('drain', 3 * SECOND_US)).toBe(true)
    const round = life.bbr.model.rounds.count
    while (life.bbr.state === 'drain') life.world.run(life.world.nowUs + 100)
    expect(life.bbr.model.rounds.count - round).toBe(4)
    const { bytesInFlight } = life.world.flow(0).sender.connection.stats
    expect(bytesInFlight).toBeGreaterThan(life.bbr.model.inflightBytes(1))
  })

  test('remembers how much in flight was too much in a shallow buffer, and comes back to it carefully', () => {
    const life = lifeOf(pathOf(100, 50, 0.2))
    life.run(8 * SECOND_US)
    const longterm = life.bbr.model.inflightLongtermBytes
    expect(longterm).toBeGreaterThan(0.9 * RATE * 0.05)
    expect(longterm).toBeLessThan(1.5 * RATE * 0.05)
    life.world.resetStats()
    life.run(20 * SECOND_US)
    const { droppedDatagrams, sentDatagrams } = life.world.bottleneck
    expect(droppedDatagrams / sentDatagrams).toBeLessThan(0.01)
    expect(life.world.flow(0).goodput(life.world.nowUs)).toBeGreaterThan(0.85 * RATE)
  })

  test('finds a tenfold rate within seconds', () => {
    const life = lifeOf({
      ...PATH,
      rate: [
        [0, RATE / 10],
        [6 * SECOND_US, RATE],
      ],
    })
    life.run(11 * SECOND_US)
    expect(life.bbr.model.rate).toBeGreaterThan(0.9 * RATE)
  })

  test('needs no probe of the round trip while it is alone, since its queue empties by itself', () => {
    const states = new Set(lifeOf(PATH).run(20 * SECOND_US))
    expect(states.has('probeRtt')).toBe(false)
  })

  test('probes the round trip beside a flow that keeps a queue, for 200 ms with half of its packets', () => {
    const life = lifeOf(PATH, {}, [{ controller: (datagramBytes) => new Cubic(datagramBytes) }])
    expect(life.runUntil('probeRtt', 15 * SECOND_US)).toBe(true)
    const fromUs = life.world.nowUs
    const bdp = life.bbr.model.bdpBytes
    life.world.run(fromUs + 150_000)
    expect(life.bbr.state).toBe('probeRtt')
    expect(life.bbr.cwndBytes).toBeLessThan(0.7 * bdp)
    expect(life.runUntil('cruise', fromUs + SECOND_US)).toBe(true)
  })

  test('keeps its estimate while the application has little to send, and uses it at once afterwards', () => {
    const life = lifeOf(PATH, { app: { everyUs: 3 * SECOND_US, bytes: 12_500_000 } })
    life.run(2 * SECOND_US)
    const before = life.bbr.model.rate
    expect(before).toBeGreaterThan(0.9 * RATE)
    life.run(9 * SECOND_US)
    life.world.resetStats()
    // The fourth burst: as fast as the path after one round trip, without a new startup.
    life.world.run(9.55 * SECOND_US)
    expect(life.bbr.model.rate).toBeGreaterThan(0.9 * before)
    expect(life.world.flow(0).goodBytes).toBeGreaterThan(0.7 * RATE * 0.45)
    expect(life.world.bottleneck.delays.meanUs).toBeLessThan(RTT_US)
  })

  test('takes a raised limit at once: what the limit slowed down says nothing about the path', () => {
    const life = lifeOf(PATH, { config: { limit: 250_000 } })
    life.run(6 * SECOND_US)
    life.world.flow(0).sender.connection.setLimit(Number.POSITIVE_INFINITY)
    life.run(7.5 * SECOND_US)
    life.world.resetStats()
    life.run(8 * SECOND_US)
    expect(life.world.flow(0).goodput(life.world.nowUs)).toBeGreaterThan(0.9 * RATE * (1430 / 1500))
  })

  test('sends a train in one go at a high rate, and few packets at a time at a low one', () => {
    const fast = lifeOf(pathOf(1000, 10, 1))
    fast.run(SECOND_US)
    expect(fast.world.flow(0).longestTrain).toBe(44)
    const slow = lifeOf(pathOf(10, 50, 2))
    slow.run(5 * SECOND_US)
    expect(slow.world.flow(0).longestTrain).toBeLessThanOrEqual(12)
  })
})
