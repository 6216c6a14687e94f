/**
 * `npm run sim`: whole transfers under faults, in virtual time, a seed each: docs/simulation.md. What runs is the node as it
 * is built; see apps/node/src/simulation.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { register } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { EXIT_SET_UP, setUp } from '../setUp/setUp.mjs'

const HELP = `Usage: npm run sim -- [options]

  --seeds N        so many seeds (default 300)
  --from K         from this one on (default 1)
  --seed S         this one alone
  --trace          prints everything that happens
  --mutation NAME  in a world that is broken on purpose, so that the checker NAME has to fail:
                   filesEqual noFalseComplete logWithinDisk eventsReplayable nonceUnique memoryBounded alwaysEnds
  --failures N     ends after so many (default 5)

Seeds that failed once (tools/sim/regressions.json) always come first. The last line is "N passed, N failed".`

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutation: { type: 'string' },
    failures: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(HELP)
  process.exit(0)
}
if (!(await setUp(ROOT, { needsRedis: false, checksTypes: true }))) process.exit(EXIT_SET_UP)

/** @param {string} text @param {string} name */
const numberOf = (text, name) => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`${name} takes a whole number`)
  process.exit(2)
}

const commit = () => {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: ROOT, encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}

/** @type {readonly { seed: number }[]} */
const regressions = JSON.parse(readFileSync(resolve(ROOT, 'tools', 'sim', 'regressions.json'), 'utf8'))
const from = numberOf(values.from, '--from')
const seeds =
  values.seed !== undefined
    ? [numberOf(values.seed, '--seed')]
    : [
        ...(values.mutation === undefined ? regressions.map(({ seed }) => seed) : []),
        ...Array.from({ length: numberOf(values.seeds, '--seeds') }, (_, i) => from + i),
      ]

// Plain datagrams: the kernel's offloads are no part of what is simulated.
process.env['GODWIT_TRAINS'] = 'off'
register('./osHooks.mjs', import.meta.url)
const { isMutation } = await import('../../apps/node/dist/simulation/mutations.js')
const { simulate } = await import('../../apps/node/dist/simulation/main.js')
const { mutation } = values
if (mutation !== undefined && !isMutation(mutation)) {
  console.error(`--mutation takes one of those that --help names`)
  process.exit(2)
}
const result = await simulate({
  seeds,
  isTraced: values.trace,
  mutation,
  commit: commit(),
  print: (/** @type {string} */ line) => console.log(line),
  failuresMax: numberOf(values.failures, '--failures'),
})
console.log(`${result.passed} passed, ${result.failed.length} failed`)
process.exit(result.failed.length === 0 ? 0 : 1)
