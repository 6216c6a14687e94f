/**
 * What `./test` does once Node.js runs: the set-up, then every check and test, part by part, and one last line with the
 * counts of all parts: `N passed, N failed`, with `, N skipped` where something could not run here.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT_SET_UP, setUp } from './setUp/setUp.mjs'

const HELP = `Usage: ./test [unit | e2e | sim] [PATTERN...]

  ./test            sets up what is missing, builds, checks the format and runs every test
  ./test unit       unit, property, simulator and Redis tests only
  ./test e2e        the repository's own tests and the end-to-end tests only
  ./test sim        300 simulated transfers under faults, and those seeds that failed once, only
  ./test PATTERN    the tests in files whose path contains PATTERN, of both kinds

End-to-end tests in network namespaces need root, ip and nft. Where these are missing the tests are counted as skipped;
with CI=true they fail instead.`

/** Simulated transfers of one run. */
const SEEDS = 300

/** @typedef {{ name: string, passed: number, failed: number, skipped: number }} Outcome */

/** @param {string} root @param {string[]} args @returns {Promise<number>} the exit code. */
export async function runTests(root, args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(HELP)
    return 0
  }
  const kind = ['unit', 'e2e', 'sim'].find((one) => one === args[0])
  const patterns = kind === undefined ? args : args.slice(1)
  if (!(await setUp(root, { needsRedis: true, checksTypes: true }))) {
    console.log('0 passed, 1 failed')
    return EXIT_SET_UP
  }
  /** @type {Outcome[]} */
  const outcomes = [{ name: 'build and types', passed: 1, failed: 0, skipped: 0 }]
  if (kind === undefined && patterns.length === 0) {
    const biome = join('node_modules', '@biomejs', 'biome', 'bin', 'biome')
    const tsc = join('node_modules', 'typescript', 'bin', 'tsc')
    outcomes.push(await check(root, 'format and lint', [biome, 'check', '.']))
    outcomes.push(await check(root, 'types of the tests', [tsc, '-p', 'tests']))
    outcomes.push(await check(root, 'types of the tools', [tsc, '-p', 'tools']))
  }
  const isWanted = (/** @type {string} */ one) => kind === undefined || kind === one
  if (isWanted('unit')) outcomes.push(await vitest(root, 'unit', 'vitest.config.ts', patterns))
  if (isWanted('sim') && patterns.length === 0) outcomes.push(await simulation(root))
  if (isWanted('e2e')) outcomes.push(await vitest(root, 'end to end', join('tests', 'vitest.config.ts'), patterns))
  return report(outcomes)
}

/** @param {readonly Outcome[]} outcomes @returns {number} */
function report(outcomes) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  console.log('')
  for (const outcome of outcomes) {
    sum.passed += outcome.passed
    sum.failed += outcome.failed
    sum.skipped += outcome.skipped
    console.log(`${outcome.name}: ${lineOf(outcome)}`)
  }
  console.log(lineOf(sum))
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
const lineOf = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`

/** @param {string} root @param {string} name @param {string[]} args @returns {Promise<Outcome>} */
async function check(root, name, args) {
  const isOk = await runNode(root, args, {})
  return { name, passed: isOk ? 1 : 0, failed: isOk ? 0 : 1, skipped: 0 }
}

/** @param {string} root @param {string} name @param {string} config @param {readonly string[]} patterns @returns {Promise<Outcome>} */
async function vitest(root, name, config, patterns) {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'))
  const resultFile = join(folder, 'result.json')
  try {
    console.log(`\n${name}`)
    const reporter = join(root, 'tools', 'testing', 'plainReporter.mjs')
    const args = [join('node_modules', 'vitest', 'vitest.mjs'), 'run', '--config', config, `--reporter=${reporter}`]
    const isOk = await runNode(root, [...args, '--passWithNoTests', ...patterns], {
      GODWIT_TEST_RESULT: resultFile,
      VITE_CONFIG_NATIVE_IGNORE_WARNING: 'true',
    })
    const counts = JSON.parse(readFileSync(resultFile, 'utf8'))
    // A run that broke without a failed test must not pass.
    return { name, ...counts, failed: isOk ? counts.failed : Math.max(1, counts.failed) }
  } catch {
    return { name, passed: 0, failed: 1, skipped: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Transfers in virtual time; a seed counts as a test. @param {string} root @returns {Promise<Outcome>} */
async function simulation(root) {
  console.log('\nsimulation')
  let last = ''
  const isOk = await runNode(root, [join('tools', 'sim', 'sim.mjs'), '--seeds', String(SEEDS)], {}, (text) => {
    last = (last + text).slice(-200)
  })
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(last)
  const failed = Number(counts?.[2] ?? 0)
  return {
    name: 'simulation',
    passed: Number(counts?.[1] ?? 0),
    failed: isOk ? failed : Math.max(1, failed),
    skipped: 0,
  }
}

/**
 * @param {string} root @param {string[]} args @param {Record<string, string>} extra
 * @param {(text: string) => void} [onOutput] sees what the program prints @returns {Promise<boolean>}
 */
function runNode(root, args, extra, onOutput) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...extra },
      stdio: ['ignore', onOutput === undefined ? 'inherit' : 'pipe', 'inherit'],
    })
    child.stdout?.on('data', (/** @type {Buffer} */ bytes) => {
      process.stdout.write(bytes)
      onOutput?.(bytes.toString())
    })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
}
