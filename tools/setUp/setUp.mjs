/**
 * Everything that a fresh checkout needs, each part only where it is missing: npm packages, the build, a redis-server.
 * What is done is remembered in `.godwit/setUp.json`, so that later runs cost a look at the sources' times.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, buildStamp, isBuilt } from './build.mjs'
import { withLock } from './lock.mjs'
import { buildNative, canBuildNative, nativeStamp } from './native.mjs'
import { hasPackages, installPackages, isInstalled, packagesStamp } from './packages.mjs'
import { cacheDirOf, isWritableFolder } from './paths.mjs'
import { canFetchRedis, fetchRedis, installLine, provideRedis } from './redis.mjs'
import { StepFailure, withProgress } from './step.mjs'

/** Exit code of a set-up that failed (sysexits' EX_CONFIG): docs/errors.md. */
export const EXIT_SET_UP = 78

/**
 * @typedef {{ needsRedis: boolean, checksTypes: boolean }} Wants - checksTypes: a build without type errors, which takes
 * twice as long and which only who changes the sources needs.
 * @typedef {{ packages?: string, build?: string, checkedBuild?: string, native?: string }} Done - stamps of what was
 * finished; of the addon, of what was tried.
 */

/**
 * Sets up what is missing. Talks on stderr only.
 *
 * @param {string} root - the checkout.
 * @param {Wants} wants
 * @returns {Promise<boolean>} false when something failed; the user has been told what and what to do.
 */
export async function setUp(root, wants) {
  try {
    if (isDone(root, wants)) return true
    const cacheDir = cacheDirOf(root)
    if (!isWritableFolder(root)) {
      throw new StepFailure(
        `Godwit is not set up yet, and this user cannot write in ${root}.`,
        'Run it once as the user whom the folder belongs to.',
      )
    }
    mkdirSync(cacheDir, { recursive: true })
    const onWait = () => process.stderr.write('godwit: another run is setting up; waiting for it …\n')
    await withLock(join(cacheDir, 'setUp.lock'), onWait, async () => {
      // Somebody else may have done it while we waited.
      if (!isDone(root, wants)) await doWhatIsMissing(root, wants)
    })
    return true
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error
    process.stderr.write(`${error.explain()}\n`)
    return false
  }
}

/** @param {string} root @param {Wants} wants */
function isDone(root, { needsRedis, checksTypes }) {
  const hasRedis = provideRedis(root) || !needsRedis
  const { packages, native } = readDone(root)
  const hasAll = hasRedis && hasPackages(root) && packages === packagesStamp(root)
  return hasAll && native === nativeStamp(root) && isBuiltAs(root, checksTypes)
}

/** @param {string} root @param {boolean} checksTypes */
function isBuiltAs(root, checksTypes) {
  const done = readDone(root)
  return isBuilt(root) && (checksTypes ? done.checkedBuild : done.build) === buildStamp(root)
}

/** @param {string} root @param {Wants} wants */
async function doWhatIsMissing(root, { needsRedis, checksTypes }) {
  const done = readDone(root)
  const log = (/** @type {string} */ name) => {
    const file = join(cacheDirOf(root), 'logs', `${name}.log`)
    rmSync(file, { force: true })
    return file
  }
  const isFirst = done.packages === undefined
  if (isFirst) process.stderr.write('godwit: setting up, once. This takes about a minute.\n')
  const packages = packagesStamp(root)
  if (done.packages !== packages || !hasPackages(root)) {
    if (!isInstalled(root))
      await withProgress('installing the npm packages', () => installPackages(root, log('packages')))
    writeDone(root, { packages })
  }
  const native = nativeStamp(root)
  if (done.native !== native || done.packages !== packages) {
    if (canBuildNative())
      await withProgress('building the addon for fast packets', () => buildNative(root, log('native')))
    writeDone(root, { ...readDone(root), native })
  }
  if (!isBuiltAs(root, checksTypes)) {
    const stamp = buildStamp(root)
    const title = checksTypes ? 'building and checking the types' : 'building'
    await withProgress(title, () => build(root, log('build'), checksTypes))
    writeDone(root, { packages, native, build: stamp, ...(checksTypes ? { checkedBuild: stamp } : {}) })
  }
  if (needsRedis && !provideRedis(root)) {
    if (!canFetchRedis()) {
      throw new StepFailure(
        'Godwit keeps its jobs in Redis, and neither redis-server nor valkey-server was found.',
        `Install it with: ${installLine()}\nor set REDIS_URL or GODWIT_REDIS_SERVER, then run this again.`,
      )
    }
    await withProgress('fetching redis-server (unpacked here, not installed)', () => fetchRedis(root, log('redis')))
    provideRedis(root)
  }
  if (isFirst) process.stderr.write('godwit: ready.\n')
}

/** @param {string} root @returns {Done} */
function readDone(root) {
  try {
    const value = JSON.parse(readFileSync(join(cacheDirOf(root), 'setUp.json'), 'utf8'))
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** @param {string} root @param {Done} done */
function writeDone(root, done) {
  const file = join(cacheDirOf(root), 'setUp.json')
  writeFileSync(`${file}.new`, `${JSON.stringify(done)}\n`)
  renameSync(`${file}.new`, file)
}
