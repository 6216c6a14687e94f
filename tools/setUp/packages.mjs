/**
 * The npm packages: whether `node_modules` is what `package-lock.json` says, and `npm ci` where it is not.
 *
 * Install scripts stay off: every native package that Godwit uses brings its binaries along, and code of strangers that
 * runs during an installation is the commonest way of being robbed.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheDirOf, findProgram, stepEnvironment } from './paths.mjs'
import { run, StepFailure } from './step.mjs'

const TIMEOUT_MS = 15 * 60_000

/** @param {string} root @returns {string} the stamp of a finished installation. */
export const packagesStamp = (root) =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')

/** @param {string} root @returns {boolean} whether some installation was finished: npm writes its record last. */
export const hasPackages = (root) => existsSync(join(root, 'node_modules', '.package-lock.json'))

/**
 * Whether the packages on disk are those of the lock: npm's own record of what it installed names the same versions, and
 * they are there (npm keeps its record also where it only wrote the lock).
 *
 * @param {string} root
 */
export function isInstalled(root) {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    const present = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages
    return Object.entries(wanted).every(
      ([path, entry]) =>
        !path.startsWith('node_modules/') ||
        entry.optional === true ||
        (present[path]?.version === entry.version && existsSync(join(root, path, 'package.json'))),
    )
  } catch {
    return false
  }
}

/** @param {string} root @param {string} logFile */
export async function installPackages(root, logFile) {
  const npm = findNpm()
  if (npm === undefined) {
    throw new StepFailure(
      `npm was not found beside Node.js (${process.execPath}) nor on PATH.`,
      'Install it (Debian and Ubuntu: sudo apt-get install npm), then run this again.',
    )
  }
  const env = stepEnvironment(root)
  if (env.HOME !== process.env.HOME) {
    mkdirSync(env.HOME, { recursive: true })
    env.npm_config_cache = join(cacheDirOf(root), 'npm-cache')
  }
  // npm starts `node` by name for some of its work.
  env.PATH = [dirname(process.execPath), env.PATH ?? ''].filter((part) => part !== '').join(':')
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=warn']
  const isOk = await run(process.execPath, [npm, ...args], { cwd: root, env, logFile, timeoutMs: TIMEOUT_MS })
  // 140 MB that nobody would look for here.
  rmSync(join(cacheDirOf(root), 'npm-cache'), { recursive: true, force: true })
  if (isOk) return
  throw new StepFailure(
    'The packages could not be installed.',
    'Check that this machine reaches the npm registry (npm ping), then run this again.',
    logFile,
  )
}

/** @returns {string | undefined} npm-cli.js of the npm that belongs to this Node.js, else of one on PATH. */
function findNpm() {
  const folders = new Set([dirname(process.execPath), dirname(realpathSync(process.execPath))])
  const beside = [...folders].flatMap((folder) => [
    join(folder, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ])
  const onPath = findProgram('npm')
  const candidates = [...beside, '/usr/share/nodejs/npm/bin/npm-cli.js']
  if (onPath !== undefined) candidates.push(realpathSync(onPath))
  return candidates.find((file) => file.endsWith('.js') && existsSync(file))
}
