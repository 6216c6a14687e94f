/**
 * The scenarios of congestion control: links that lose by chance, in bursts or not at all; shallow and bloated buffers;
 * changing rates; applications and acknowledgements that come in bursts; and others on the same link. With what each
 * has to reach.
 */
import { mbit, pathOf, type Scenario, type Target } from './scenarioRun.js'

const MEGABYTE = 1_000_000

/** Whole files over the links of the benchmark. */
const LINK_200 = { rate: mbit(200), rttUs: 100_000, lossRate: 0.01, bufferBytes: 2.5 * MEGABYTE }
const LINK_1000 = { rate: mbit(1000), rttUs: 100_000, lossRate: 0.01, bufferBytes: 4 * MEGABYTE }
const LINK_100 = { rate: mbit(100), rttUs: 200_000, lossRate: 0.05, bufferBytes: 2.5 * MEGABYTE }
const LINK_50 = { rate: mbit(50), rttUs: 100_000, lossRate: 0.1, bufferBytes: 0.625 * MEGABYTE }

const file = (
  name: string,
  path: Scenario['path'],
  flow: 'standard' | 'lossy',
  bytes: number,
  target: Target = {},
): Scenario => ({
  name,
  path: { ...path, ackLossRate: path.lossRate ?? 0 },
  flows: [flow],
  flow: { bytes },
  warmUpSeconds: 0,
  seconds: 200,
  target,
})

export const FILES: readonly Scenario[] = [
  file('400 MB over 200 Mbit/s, 100 ms, 1 % loss, 2.5 MB buffer', LINK_200, 'standard', 400 * MEGABYTE, {
    goodputMin: 0.9 * mbit(200) * 0.99,
  }),
  file('1 GiB over 1 Gbit/s, 100 ms, 1 % loss, 4 MB buffer', LINK_1000, 'standard', 2 ** 30, {
    goodputMin: 85 * MEGABYTE,
  }),
  file('200 MB over 100 Mbit/s, 200 ms, 5 % loss, 2.5 MB buffer', LINK_100, 'lossy', 200 * MEGABYTE, {
    goodputMin: 0.85 * mbit(100) * 0.95,
  }),
  file('200 MB over 100 Mbit/s, 200 ms, 5 % loss, 2.5 MB buffer', LINK_100, 'standard', 200 * MEGABYTE),
  file('100 MB over 50 Mbit/s, 100 ms, 10 % loss, 625 KB buffer', LINK_50, 'lossy', 100 * MEGABYTE, {
    goodputMin: 0.8 * mbit(50) * 0.9,
  }),
  file('10 MB over 50 Mbit/s, 100 ms, 10 % loss, 625 KB buffer', LINK_50, 'standard', 10 * MEGABYTE),
  file('1 MB over 200 Mbit/s, 100 ms, 1 % loss, 2.5 MB buffer', LINK_200, 'standard', MEGABYTE, { secondsMax: 1.2 }),
]

const STEADY = { warmUpSeconds: 5, seconds: 25 } as const

/** Parts of the goodput that a profile keeps at a rate of random loss; absent where it is not made for that much. */
const UNDER_LOSS = {
  standard: { 0: 0.93, 1: 0.93, 2: 0.9, 5: 0.8 },
  lossy: { 0: 0.93, 1: 0.93, 2: 0.93, 5: 0.93, 10: 0.9, 15: 0.9 },
  background: { 0: 0.75 },
} as const

export const RANDOM_LOSS: readonly Scenario[] = (['standard', 'lossy', 'background'] as const).flatMap((flow) => {
  const least: Readonly<Record<number, number>> = UNDER_LOSS[flow]
  return [0, 1, 2, 5, 10, 15].map((percent): Scenario => {
    const goodputShareMin = least[percent]
    return {
      name: `100 Mbit/s, 50 ms, 1 BDP, ${percent} % loss`,
      path: { ...pathOf(100, 50, 1), lossRate: percent / 100, ackLossRate: percent / 100 },
      flows: [flow],
      ...STEADY,
      target: goodputShareMin === undefined ? {} : { goodputShareMin },
    }
  })
})

const alone = (
  name: string,
  path: Scenario['path'],
  goodputShareMin: number,
  more: Partial<Scenario> = {},
): Scenario => ({ name, path, flows: ['standard'], ...STEADY, target: { goodputShareMin }, ...more })

const PATH_100 = pathOf(100, 50, 1)
const LOCAL = { warmUpSeconds: 1, seconds: 3 } as const

export const PATHS: readonly Scenario[] = [
  alone('100 Mbit/s, 50 ms, shallow buffer of 0.1 BDP', pathOf(100, 50, 0.1), 0.85),
  alone('100 Mbit/s, 50 ms, shallow buffer of 0.1 BDP', pathOf(100, 50, 0.1), 0.85, { flows: ['lossy'] }),
  alone('100 Mbit/s, 50 ms, bloated buffer of 10 BDP', pathOf(100, 50, 10), 0.93),
  alone(
    '100 Mbit/s, 50 ms, 1 BDP, bursts of 40 losses, 1 in 5,000',
    { ...PATH_100, burstRate: 1 / 5000, burstDatagrams: 40 },
    0.8,
  ),
  alone(
    '100, from 10 s on 50, from 18 s on 100 Mbit/s, 50 ms, 1 BDP',
    {
      ...PATH_100,
      rate: [
        [0, mbit(100)],
        [10_000_000, mbit(50)],
        [18_000_000, mbit(100)],
      ],
    },
    0.85,
  ),
  alone('100 Mbit/s, 50 ms, 1 BDP, acknowledgements every 20 ms', { ...PATH_100, ackHoldUs: 20_000 }, 0.9),
  alone('100 Mbit/s, 50 ms, 1 BDP, an application of 2.5 MB a second', PATH_100, 0.199, {
    flow: { app: { everyUs: 1_000_000, bytes: 2.5 * MEGABYTE } },
  }),
  alone('50 Mbit/s, 600 ms, 1 BDP, 0.5 % loss', { ...pathOf(50, 600, 1), lossRate: 0.005 }, 0.9, {
    warmUpSeconds: 15,
  }),
  alone('1 Mbit/s, 100 ms, 4 BDP', pathOf(1, 100, 4), 0.9),
  alone('1 Gbit/s, 0.2 ms, 1 MB buffer', pathOf(1000, 0.2, 40), 0.93, LOCAL),
  alone('8 Gbit/s, 0.05 ms, 4 MB buffer', pathOf(8000, 0.05, 80), 0.93, LOCAL),
  alone('8 Gbit/s, 0.05 ms, 4 MB buffer, datagrams of 65,507 bytes', pathOf(8000, 0.05, 80), 0.93, {
    ...LOCAL,
    flow: { config: { datagramBytes: 65_507, trainPackets: 1 } },
  }),
]

const TOGETHER = [
  [100, 20, 1],
  [100, 40, 0.5],
  [100, 40, 1],
  [100, 40, 2],
  [200, 100, 1],
] as const

const SHARES: readonly (readonly [flows: Scenario['flows'], target: Target])[] = [
  [['standard', 'standard'], { shareMin: 0.4, shareMax: 0.6 }],
  [['standard', 'cubic'], { shareMin: 0.3, shareMax: 0.7 }],
  [['cubic', 'standard'], { shareMin: 0.3, shareMax: 0.7 }],
  [['lossy', 'cubic'], {}],
  [['background', 'cubic'], { shareMax: 0.2 }],
  [['cubic', 'background'], { shareMin: 0.8 }],
  [['background', 'background'], {}],
]

/** The second flow begins 2 s after the first. */
export const SHARED: readonly Scenario[] = SHARES.flatMap(([flows, target]) =>
  TOGETHER.map(
    ([rate, rtt, bdp]): Scenario => ({
      name: `${rate} Mbit/s, ${rtt} ms, ${bdp} BDP`,
      path: pathOf(rate, rtt, bdp),
      flows,
      gapSeconds: 2,
      warmUpSeconds: 10,
      seconds: 60,
      target,
    }),
  ),
)

/** Scenarios with the titles that their tests have. */
export const titled = (scenarios: readonly Scenario[]): readonly (readonly [title: string, scenario: Scenario])[] =>
  scenarios.map((scenario) => [`${scenario.flows.join(' beside ')}: ${scenario.name}`, scenario])
