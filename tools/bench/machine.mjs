/** What a figure depends on besides the code: the machine, its kernel, Node.js, the day, the state of the sources. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * @typedef {object} Machine
 * @property {string} processor
 * @property {number} cores
 * @property {number} memoryGib
 * @property {string} system
 * @property {number} socketBufferKib - what the kernel grants a socket at the most; 0 where that is not known.
 * @property {string} node
 * @property {string} commit
 * @property {string} date
 */

/** @returns {Machine} */
export function machine() {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() || 'unknown processor',
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    socketBufferKib: socketBufferKib(),
    node: process.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
  }
}

/** @param {Machine} machine */
export function machineText(machine) {
  const { processor, cores, memoryGib, socketBufferKib: buffer, node, date } = machine
  const kernel = buffer === 0 ? machine.system : `${machine.system} (socket buffers up to ${buffer} KiB)`
  return `${processor}, ${cores} cores, ${memoryGib} GiB, ${kernel}, Node.js ${node}, ${machine.commit}, ${date}`
}

function socketBufferKib() {
  try {
    return Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8')) / 1024
  } catch {
    return 0
  }
}

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
