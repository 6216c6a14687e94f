/**
 * A redis-server for the nodes: one that is there, else on Debian and Ubuntu one fetched without root, else the line
 * that installs it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fetchDebianRedis, fetchedRedis } from './debianRedis.mjs'
import { cacheDirOf, findProgram, isExecutable } from './paths.mjs'
import { StepFailure } from './step.mjs'

/**
 * Install lines by the ID or ID_LIKE of os-release(5).
 *
 * @type {readonly [readonly string[], string][]}
 */
const INSTALL_LINES = [
  [['debian', 'ubuntu'], 'sudo apt-get install redis-server'],
  [['fedora', 'rhel', 'centos'], 'sudo dnf install valkey'],
  [['arch'], 'sudo pacman -S valkey'],
  [['alpine'], 'sudo apk add redis'],
  [['suse', 'opensuse'], 'sudo zypper install redis'],
  [['nixos'], 'nix-shell -p redis'],
]

/** @param {string} root */
export const redisDirOf = (root) => join(cacheDirOf(root), 'redis')

/**
 * Finds what the nodes will start and makes it findable: a server of our own is put on this process's PATH, which the
 * nodes inherit.
 *
 * @param {string} root @returns {boolean} whether nothing needs to be fetched.
 */
export function provideRedis(root) {
  if ((process.env.REDIS_URL ?? '') !== '') return true
  const named = process.env.GODWIT_REDIS_SERVER ?? ''
  if (named !== '') {
    if (isExecutable(named)) return true
    throw new StepFailure(
      `GODWIT_REDIS_SERVER names ${named}, which is not a program.`,
      'Correct it or unset it, then run this again.',
    )
  }
  const installed = findProgram('redis-server') ?? findProgram('valkey-server')
  if (installed !== undefined) {
    addToPath(dirname(installed))
    return true
  }
  const fetched = fetchedRedis(redisDirOf(root))
  if (fetched === undefined) return false
  process.env.GODWIT_REDIS_DIR = redisDirOf(root)
  addToPath(dirname(fetched))
  return true
}

/** @param {string} folder */
function addToPath(folder) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((part) => part !== '')
  if (!folders.includes(folder)) process.env.PATH = [...folders, folder].join(delimiter)
}

/** Whether this system is one whose packages can be fetched and unpacked without root. */
export const canFetchRedis = () =>
  process.platform === 'linux' &&
  systemNames().some((name) => name === 'debian' || name === 'ubuntu') &&
  ['apt-get', 'apt-cache', 'dpkg', 'ldd'].every((program) => findProgram(program) !== undefined)

/** @param {string} root @param {string} logFile */
export const fetchRedis = (root, logFile) => fetchDebianRedis(root, redisDirOf(root), logFile, installLine())

/** @returns {string} the one line that installs a server on this system. */
export function installLine() {
  if (process.platform === 'darwin') return 'brew install redis'
  const names = systemNames()
  const found = INSTALL_LINES.find(([systems]) => systems.some((system) => names.includes(system)))
  return found?.[1] ?? 'install redis (6.2 or later) or valkey with the package manager of this system'
}

/** @returns {string[]} */
function systemNames() {
  const file = ['/etc/os-release', '/usr/lib/os-release'].find((path) => existsSync(path))
  if (file === undefined) return []
  const values = readFileSync(file, 'utf8').matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)
  return [...values].flatMap((match) => match[1].split(/\s+/))
}
