/**
 * redis-server from the Debian or Ubuntu archive without root: apt with lists and a cache of our own, then the packages
 * unpacked side by side. Nothing is installed; signatures are checked by apt as always.
 *
 * Layout of the folder: `bin/redis-server` (starts the server with its libraries), `root/` (the unpacked packages),
 * `apt/` (removed when done).
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, isExecutable, stepEnvironment } from './paths.mjs'
import { run, StepFailure } from './step.mjs'

const UPDATE_TIMEOUT_MS = 5 * 60_000
const DOWNLOAD_TIMEOUT_MS = 5 * 60_000
const UNPACK_TIMEOUT_MS = 60_000
/** Rounds of fetching libraries that libraries need. */
const LIBRARY_ROUNDS_MAX = 4

/** @param {string} folder @returns {string | undefined} the server that an earlier run fetched. */
export function fetchedRedis(folder) {
  const server = join(folder, 'bin', 'redis-server')
  return isExecutable(server) ? server : undefined
}

/** @param {string} root @param {string} folder @param {string} logFile @param {string} installLine */
export async function fetchDebianRedis(root, folder, logFile, installLine) {
  const failure = (/** @type {string} */ what) =>
    new StepFailure(
      what,
      `Install it with: ${installLine}\nor set REDIS_URL or GODWIT_REDIS_SERVER, then run this again.`,
      logFile,
    )
  // Everything is made beside its place and moved there at the end, so that a broken run leaves nothing half done.
  const making = `${folder}.making`
  rmSync(making, { recursive: true, force: true })
  const archives = join(making, 'apt', 'debs')
  for (const part of ['apt/lists/partial', 'apt/cache/archives/partial', 'apt/debs', 'root', 'bin']) {
    mkdirSync(join(making, part), { recursive: true })
  }
  const env = stepEnvironment(root)
  mkdirSync(env.HOME, { recursive: true })
  env.PATH = `${env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`
  const aptOptions = [
    `-oDir::State::Lists=${join(making, 'apt', 'lists')}`,
    `-oDir::Cache=${join(making, 'apt', 'cache')}`,
    '-oAPT::Sandbox::User=',
  ]
  const program = (/** @type {string} */ name) => findProgram(name) ?? name
  const apt = (/** @type {string[]} */ args, /** @type {number} */ timeoutMs) =>
    run(program('apt-get'), [...aptOptions, '-q', ...args], { cwd: archives, env, logFile, timeoutMs })

  const dependenciesOf = (/** @type {string[]} */ names) => {
    const args = [
      ...aptOptions,
      'depends',
      '--no-recommends',
      '--no-suggests',
      '--no-conflicts',
      '--no-breaks',
      '--no-replaces',
      '--no-enhances',
      ...names,
    ]
    const text = execFileSync(program('apt-cache'), args, {
      cwd: archives,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return [...text.matchAll(/Depends: ([a-z0-9][a-z0-9+.-]+)/g)].map((match) => match[1])
  }
  const fetchAndUnpack = async (/** @type {string[]} */ names) => {
    if (!(await apt(['download', ...names], DOWNLOAD_TIMEOUT_MS)))
      throw failure(`apt-get could not download ${names.join(', ')}.`)
    for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
      const args = ['-x', join(archives, file), join(making, 'root')]
      if (!(await run(program('dpkg'), args, { cwd: archives, env, logFile, timeoutMs: UNPACK_TIMEOUT_MS }))) {
        throw failure(`${file} could not be unpacked.`)
      }
      rmSync(join(archives, file))
    }
  }

  // A source that cannot be reached fails the whole update, though the archive itself may have answered: the download decides.
  await apt(['update'], UPDATE_TIMEOUT_MS)
  let fetched = ['redis-server', 'redis-tools']
  await fetchAndUnpack(fetched)
  const server = join(making, 'root', 'usr', 'bin', 'redis-server')
  const known = new Set(fetched)
  for (
    let round = 0;
    round < LIBRARY_ROUNDS_MAX && missingLibraries(making, server, program('ldd')).length > 0;
    round++
  ) {
    // The C library itself always belongs to the system.
    fetched = dependenciesOf(fetched).filter((name) => name.startsWith('lib') && name !== 'libc6' && !known.has(name))
    if (fetched.length === 0) break
    for (const name of fetched) known.add(name)
    await fetchAndUnpack([...new Set(fetched)])
  }
  const missing = missingLibraries(making, server, program('ldd'))
  if (missing.length > 0) throw failure(`The fetched redis-server misses ${missing.join(', ')}.`)

  rmSync(join(making, 'apt'), { recursive: true, force: true })
  writeFileSync(join(making, 'bin', 'redis-server'), wrapper(making), { mode: 0o755 })
  chmodSync(join(making, 'bin', 'redis-server'), 0o755)
  rmSync(folder, { recursive: true, force: true })
  renameSync(making, folder)
  const started = await run(join(folder, 'bin', 'redis-server'), ['--version'], {
    cwd: folder,
    env,
    logFile,
    timeoutMs: 10_000,
  })
  if (!started) {
    rmSync(folder, { recursive: true, force: true })
    throw failure('The fetched redis-server does not start.')
  }
}

/**
 * Library folders of the unpacked packages, relative to the folder.
 *
 * @param {string} folder
 */
function libraryFolders(folder) {
  return ['usr/lib', 'lib'].flatMap((base) => {
    const path = join(folder, 'root', base)
    if (!existsSync(path)) return []
    const triplets = readdirSync(path).filter((name) => name.includes('-linux-'))
    return [...triplets.map((name) => `root/${base}/${name}`), `root/${base}`]
  })
}

/** @param {string} folder @param {string} server @param {string} ldd @returns {string[]} */
function missingLibraries(folder, server, ldd) {
  const libraries = libraryFolders(folder)
    .map((path) => join(folder, path))
    .join(':')
  const env = { ...process.env, LD_LIBRARY_PATH: libraries, LC_ALL: 'C' }
  const text = execFileSync(ldd, [server], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return [...text.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1])
}

/**
 * A script that becomes the server: same process id, its libraries beside it. The name counts: in Debian redis-server
 * is a link to redis-check-rdb, which decides by it what it is.
 *
 * @param {string} folder
 */
function wrapper(folder) {
  const libraries = libraryFolders(folder)
    .map((path) => `$here/${path}`)
    .join(':')
  return `#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH="${libraries}" exec "$here/root/usr/bin/redis-server" "$@"
`
}
