/**
 * `npm run sim:congestion`: runs the scenarios of congestion control in virtual time, on the built packages, and writes
 * what they measure into docs/congestion.md. Each figure is the median over seeds, so it does not depend on the machine.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runScenario } from '@godwit/engine/testing/scenarioRun'
import { FILES, PATHS, RANDOM_LOSS, SHARED } from '@godwit/engine/testing/scenarios'
import { median } from './bench/statistics.mjs'
import { between, markdownTable } from './bench/table.mjs'

/** @typedef {import('@godwit/engine/testing/scenarioRun').Scenario} Scenario */
/** @typedef {import('@godwit/engine/testing/scenarioRun').ScenarioResult} ScenarioResult */

const HELP = `Usage: npm run sim:congestion -- [options]

  --seeds N   runs of each scenario (default 3); the median is told
  --print     tables on stdout, docs/congestion.md stays as it is`

const DOCUMENT = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs', 'congestion.md')
/** A queue below this is what the drivers' timers make of any burst. */
const QUEUE_FLOOR_MS = 2

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '3' }, print: { type: 'boolean' }, help: { type: 'boolean' } },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1)

/** @param {number} share */
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`

/** @param {number} milliseconds */
const ms = (milliseconds) => (milliseconds < 10 ? milliseconds.toFixed(1) : milliseconds.toFixed(0))

/** @param {ScenarioResult} result */
const queue = ({ queueMeanMs, queueP95Ms }) => `${ms(queueMeanMs)} / ${ms(queueP95Ms)}`

/**
 * The median of each figure over the seeds.
 *
 * @param {Scenario} scenario @returns {ScenarioResult}
 */
function measure(scenario) {
  process.stderr.write(`${scenario.flows.join(' + ')}: ${scenario.name}\n`)
  const results = seeds.map((seed) => runScenario(scenario, seed))
  /** @param {(result: ScenarioResult) => number} of */
  const of = (of) => median(results.map(of))
  return {
    seconds: of(({ seconds }) => seconds),
    goodput: of(({ goodput }) => goodput),
    goodputShare: of(({ goodputShare }) => goodputShare),
    shares: scenario.flows.map((_, index) => of(({ shares }) => shares[index] ?? 0)),
    retransmittedShare: of(({ retransmittedShare }) => retransmittedShare),
    sentOverLeast: of(({ sentOverLeast }) => sentOverLeast),
    queueMeanMs: of(({ queueMeanMs }) => queueMeanMs),
    queueP95Ms: of(({ queueP95Ms }) => queueP95Ms),
    longestTrain: of(({ longestTrain }) => longestTrain),
  }
}

/**
 * What was to be reached, and whether it was.
 *
 * @param {Scenario} scenario @param {ScenarioResult} result
 */
function target({ target = {} }, { goodput, goodputShare, seconds, shares }) {
  const { goodputMin, goodputShareMin, secondsMax, shareMin, shareMax } = target
  const share = shares[0] ?? 0
  /** @type {(readonly [text: string, isMet: boolean])[]} */
  const bounds = []
  if (goodputMin !== undefined) bounds.push([`≥ ${(goodputMin / 1e6).toFixed(1)} MB/s`, goodput >= goodputMin])
  if (goodputShareMin !== undefined) {
    bounds.push([`≥ ${percent(goodputShareMin, 0)}`, goodputShare >= goodputShareMin])
  }
  if (secondsMax !== undefined) bounds.push([`≤ ${secondsMax} s`, seconds <= secondsMax])
  if (shareMin !== undefined || shareMax !== undefined) {
    const [least, most] = [shareMin ?? 0, shareMax ?? 1]
    bounds.push([`${percent(least, 0)} to ${percent(most, 0)}`, share >= least && share <= most])
  }
  return bounds.map(([text, isMet]) => `${text}: ${isMet ? 'met' : 'missed'}`).join(', ')
}

/** @param {readonly Scenario[]} scenarios */
function aloneTable(scenarios) {
  const head = [
    'profile',
    'path',
    'goodput MB/s',
    'of the link',
    'target',
    'seconds',
    'sent again',
    'sent / least',
    'queue ms, mean / p95',
  ]
  const rows = scenarios.map((scenario) => {
    const result = measure(scenario)
    const rttMs = (scenario.path.rttUs ?? 0) / 1000
    const isQueueLong = result.queueMeanMs > Math.max(QUEUE_FLOOR_MS, rttMs)
    return [
      scenario.flows.join(' + '),
      scenario.name,
      (result.goodput / 1e6).toFixed(2),
      percent(result.goodputShare),
      target(scenario, result),
      result.seconds.toFixed(1),
      percent(result.retransmittedShare),
      `${result.sentOverLeast.toFixed(3)}${result.sentOverLeast > 1.05 ? ' (too much)' : ''}`,
      `${queue(result)}${isQueueLong ? ' (too long)' : ''}`,
    ]
  })
  return markdownTable(head, rows)
}

/** @param {readonly Scenario[]} scenarios */
function sharedTable(scenarios) {
  const head = ['flows', 'path', 'shares', 'target for the first', 'of the link', 'sent again', 'queue ms, mean / p95']
  const rows = scenarios.map((scenario) => {
    const result = measure(scenario)
    return [
      scenario.flows.join(' + '),
      scenario.name,
      result.shares.map((share) => (100 * share).toFixed(0)).join(' : '),
      target(scenario, result),
      percent(result.goodputShare),
      percent(result.retransmittedShare),
      queue(result),
    ]
  })
  return markdownTable(head, rows)
}

/** @type {readonly (readonly [name: string, table: () => string])[]} */
const tables = [
  ['files', () => aloneTable(FILES)],
  ['loss', () => aloneTable(RANDOM_LOSS)],
  ['paths', () => aloneTable(PATHS)],
  ['shared', () => sharedTable(SHARED)],
]

let document = values.print ? '' : readFileSync(DOCUMENT, 'utf8')
for (const [name, table] of tables) {
  const text = table()
  if (values.print) console.log(`\n${name}\n\n${text}`)
  else document = between(document, name, text)
}
if (!values.print) {
  writeFileSync(DOCUMENT, document)
  console.error(`written: ${DOCUMENT}`)
}
