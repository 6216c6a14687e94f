/** What a figure depends on besides the code: the machine, its kernel, Node.js, the day, the state of the sources. */
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** @typedef {{ processor: string, cores: number, memoryGib: number, system: string, node: string, commit: string, date: string }} Machine */

/** @returns {Machine} */
export function machine() {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() || 'unknown processor',
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
  }
}

/** @param {Machine} machine */
export const machineText = ({ processor, cores, memoryGib, system, node, commit: state, date }) =>
  `${processor}, ${cores} cores, ${memoryGib} GiB, ${system}, Node.js ${node}, ${state}, ${date}`

/** The commit that is checked out, with a mark when sources differ from it. */
function commit() {
  const git = (/** @type {readonly string[]} */ ...args) =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changes = git('status', '--porcelain', '--', 'apps', 'packages')
    return `commit ${git('rev-parse', '--short=10', 'HEAD')}${changes === '' ? '' : ' with changes'}`
  } catch {
    return 'no commit'
  }
}
