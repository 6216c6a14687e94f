/**
 * The build: `tsc -b` over every package, then the web page, skipped while no source has changed since the last one that
 * succeeded.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { stepEnvironment } from './paths.mjs'
import { run, StepFailure } from './step.mjs'

const TIMEOUT_MS = 10 * 60_000
const ENTRIES = [join('apps', 'cli', 'dist', 'main.js'), join('apps', 'web', 'dist', 'page', 'index.html')]
/** Files beside `src` that a workspace's build reads. */
const BUILD_FILES = ['package.json', 'tsconfig.json', 'vite.config.ts', 'index.html']

/**
 * Names the state of all sources by path, size and modification time; the time of a build, not of reading every byte.
 *
 * @param {string} root @returns {string}
 */
export function buildStamp(root) {
  const hash = createHash('sha256').update(process.versions.modules)
  const add = (/** @type {string} */ path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat !== undefined) hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`)
  }
  const walk = (/** @type {string} */ folder) => {
    if (!existsSync(folder)) return
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) walk(path)
      else add(path)
    }
  }
  for (const file of ['package-lock.json', 'tsconfig.json', 'tsconfig.base.json', 'tsconfig.pure.json'])
    add(join(root, file))
  for (const group of ['packages', 'apps']) {
    for (const name of readdirSync(join(root, group))) {
      for (const file of BUILD_FILES) add(join(root, group, name, file))
      walk(join(root, group, name, 'src'))
      walk(join(root, group, name, 'public'))
    }
  }
  return hash.digest('hex')
}

/** @param {string} root */
export const isBuilt = (root) => ENTRIES.every((entry) => existsSync(join(root, entry)))

/** @param {string} root @param {string} logFile @param {boolean} checksTypes */
export async function build(root, logFile, checksTypes) {
  const args = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-b', '--pretty', 'false']
  if (!checksTypes) args.push('--noCheck')
  const options = { cwd: root, env: stepEnvironment(root), logFile, timeoutMs: TIMEOUT_MS }
  const vite = [join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build']
  const pageOptions = { ...options, cwd: join(root, 'apps', 'web') }
  if ((await run(process.execPath, args, options)) && (await run(process.execPath, vite, pageOptions))) return
  throw new StepFailure(
    'The build failed.',
    'The lines above name the place in the sources; mend it, then run this again.',
    logFile,
  )
}
