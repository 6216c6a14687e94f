/**
 * `npm run chaos`: real nodes, real Redis servers, a real rendezvous, and faults that a seed chooses. Tells what each run
 * did, and of one that failed the seed, the commit, its faults, and where its data directories are kept.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { runAndCleanUp, UsageError } from '../bench/cleanUp.mjs'
import { machine } from '../bench/machine.mjs'
import { networkMissing } from './network.mjs'
import { describeFault, FAULT_KINDS, planOf } from './plan.mjs'
import { summarize, summaryText } from './report.mjs'
import { runOnce } from './run.mjs'
import { ChaosWorld } from './world.mjs'

const HELP = `Usage: npm run chaos -- [--runs N] [--seed S] [--kind KIND ...] [--long] [--no-network] [--json FILE]

  --runs N      runs (20)
  --minutes N   no run begins after this time
  --seed S      seed of the first run; the next one has the next seed (drawn when it is not given)
  --kind KIND   only this kind of fault; may be given again. One of: ${FAULT_KINDS.join(', ')}
  --long        faults that last 40 to 70 s
  --no-large    never a file of 160 MiB and more (else 6 % of the runs send one)
  --no-network  without network namespaces, and so without faults of the network
  --json FILE   writes what was measured

Network namespaces need root and iproute2.`

/** Runs that one world serves for: what piles up over many would hide what a run does. */
const RUNS_PER_WORLD = 40

/** @param {import('../bench/cleanUp.mjs').CleanUp} cleanUp @returns {Promise<number>} */
async function main(cleanUp) {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '20' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      kind: { type: 'string', multiple: true },
      long: { type: 'boolean', default: false },
      large: { type: 'boolean', default: true },
      'no-network': { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowNegative: true,
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const runs = wholeNumber('--runs', values.runs)
  const endsAt =
    values.minutes === undefined
      ? Number.POSITIVE_INFINITY
      : performance.now() + wholeNumber('--minutes', values.minutes) * 60_000
  const firstSeed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : wholeNumber('--seed', values.seed)
  const unknown = values.kind?.find((kind) => !FAULT_KINDS.some((known) => known === kind))
  if (unknown !== undefined) throw new UsageError(`no fault is called ${unknown}: ${FAULT_KINDS.join(', ')}`)
  const missing = values['no-network'] ? 'told so' : networkMissing()
  const hasNetwork = missing === undefined
  if (!hasNetwork) console.log(`without network namespaces, on loopback: ${missing}`)
  const { commit } = machine()
  console.log(`${runs} runs from seed ${firstSeed} at ${commit}`)
  const options = { kinds: values.kind, isLong: values.long, hasNetwork, hasLarge: values.large }

  /** @type {import('./run.mjs').RunResult[]} */
  const results = []
  /** @type {ChaosWorld | undefined} */
  let world
  for (let number = 0; number < runs && performance.now() < endsAt; number++) {
    if (world !== undefined && (world.isKept || number % RUNS_PER_WORLD === 0)) {
      await world.dispose()
      world = undefined
    }
    if (world === undefined) {
      world = new ChaosWorld(hasNetwork)
      await world.start(cleanUp)
    }
    const plan = planOf(firstSeed + number, options)
    const result = await runOnce(world, plan, number)
    results.push(result)
    tell(number, result)
    if (result.problems.length > 0) {
      world.isKept = true
      world.note('failure.json', { seed: plan.seed, commit, plan, problems: result.problems, folders: result.folders })
      console.log(`  replay: npm run chaos -- --runs 1 --seed ${plan.seed} (${commit}); kept: ${world.folder}`)
    }
  }
  await world?.dispose()
  const summary = summarize(results)
  console.log(`\n${summaryText(summary)}`)
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ commit, firstSeed, summary, results }, null, 1)}\n`)
  console.log(`${summary.passed} passed, ${summary.failed} failed`)
  return summary.failed === 0 ? 0 : 1
}

/** @param {number} number @param {import('./run.mjs').RunResult} result */
function tell(number, { plan, shape, problems, resumes, missed, seconds }) {
  const mark = problems.length === 0 ? 'ok  ' : 'FAIL'
  const faults = plan.faults.map(describeFault).join('; ')
  const resumed = resumes.map(({ ms }) => `${(ms / 1000).toFixed(1)} s`).join(', ')
  const notes = [
    plan.isOwnRendezvous ? 'own rendezvous' : '',
    resumed === '' ? '' : `resumed after ${resumed}`,
    missed === 0 ? '' : `${missed} did not come about`,
  ].filter((note) => note !== '')
  console.log(
    `${mark} ${number + 1} seed ${plan.seed} ${shape} (${seconds.toFixed(1)} s): ${faults}${notes.length === 0 ? '' : ` [${notes.join(', ')}]`}`,
  )
  for (const problem of problems.slice(0, 12)) console.log(`     ${problem}`)
}

/** @param {string} flag @param {string} text */
function wholeNumber(flag, text) {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} takes a whole number`)
  return Number(text)
}

await runAndCleanUp(main)
