/** Builds linksim with the system's C compiler into `.godwit/linksim/`, where it is missing or older than its source. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheDirOf, findProgram } from '../setUp/paths.mjs'

const SOURCE = fileURLToPath(new URL('./linksim.c', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Why linksim cannot be built or run here; undefined when it can. */
export function linksimMissing() {
  if (process.platform !== 'linux') return 'the link emulator needs Linux'
  if (statSync('/dev/net/tun', { throwIfNoEntry: false }) === undefined) return 'there is no /dev/net/tun'
  if (compiler() === undefined) return 'no C compiler (cc) is installed'
  return undefined
}

/** @returns {string} the program's path. */
export function buildLinksim() {
  const program = join(cacheDirOf(ROOT), 'linksim', 'linksim')
  const built = statSync(program, { throwIfNoEntry: false })
  if (built !== undefined && built.mtimeMs > statSync(SOURCE).mtimeMs) return program
  const cc = compiler()
  if (cc === undefined) throw new Error('no C compiler (cc) is installed')
  mkdirSync(dirname(program), { recursive: true })
  const { status, stderr } = spawnSync(cc, ['-O2', '-Wall', '-Wextra', '-o', program, SOURCE], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`linksim could not be compiled:\n${stderr}`)
  return program
}

const compiler = () => ['cc', 'gcc', 'clang'].map(findProgram).find((found) => found !== undefined)
