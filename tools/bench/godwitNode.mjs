/**
 * A Godwit node under measurement: the product as a user runs it, by its command line, with a data directory of its own,
 * on this host or in a network namespace.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, processesOf } from '../../apps/cli/dist/demo/processes.js'
import { Child } from './child.mjs'
import { ROOT } from './machine.mjs'
import { resetPeakRss, usageOf } from './processUsage.mjs'

const LAUNCHER = join(ROOT, 'godwit')
const NODE_PROGRAM = join(ROOT, 'apps', 'node', 'dist', 'main.js')
const START_MS = 20_000
const END_MS = 30_000
const POLL_MS = 50

/**
 * @typedef {Readonly<Record<string, any>> & { readonly type: string }} JsonLine - a line of `--json`.
 * @typedef {{ nodeCpuSeconds: number, redisCpuSeconds: number, peakRssBytes: number }} NodeUsage - since the node began;
 * the peak since `resetPeak`.
 */

export class GodwitNode {
  #cleanUp
  #env
  #namespace
  #profileFolder
  /** @type {Child | undefined} */
  #foreground

  /**
   * @param {import('./cleanUp.mjs').CleanUp} cleanUp
   * @param {string} folder - gets `data` and `home`; belongs to this node.
   * @param {{ namespace?: string, listen?: string, profileFolder?: string }} [options] - `listen` is GODWIT_LISTEN;
   * with `profileFolder` every thread of the node writes a .cpuprofile there when it ends.
   */
  constructor(cleanUp, folder, { namespace, listen, profileFolder } = {}) {
    this.#cleanUp = cleanUp
    this.#namespace = namespace
    this.#profileFolder = profileFolder
    this.dataDir = join(folder, 'data')
    mkdirSync(join(folder, 'home'), { recursive: true })
    this.#env = {
      GODWIT_DATA_DIR: this.dataDir,
      GODWIT_RENDEZVOUS: undefined,
      GODWIT_LISTEN: listen,
      REDIS_URL: undefined,
      HOME: join(folder, 'home'),
    }
  }

  /** @param {readonly string[]} args @param {{ input?: string, onJson?: (line: JsonLine) => void }} [options] */
  command(args, { input, onJson } = {}) {
    return new Child(this.#cleanUp, process.execPath, [LAUNCHER, ...args], {
      namespace: this.#namespace,
      env: this.#env,
      ...(input === undefined ? {} : { input }),
      onLine: (text) => {
        const line = jsonLineOf(text)
        if (line !== undefined) onJson?.(line)
      },
    })
  }

  /** Runs a command to its end. Throws with what it said when it fails. @param {readonly string[]} args */
  async run(...args) {
    /** @type {JsonLine[]} */
    const lines = []
    const result = await this.command(args, { onJson: (line) => lines.push(line) }).finished
    if (result.exitCode === 0) return lines
    throw new Error(`godwit ${args[0]} ended with ${result.exitCode}:\n${result.stdout}${result.stderr}`)
  }

  async start() {
    if (this.#profileFolder !== undefined) await this.#startProfiled(this.#profileFolder)
    else await this.run('node', 'start', '--json')
  }

  /** Without its supervisor, so that nothing but the node writes profiles; its threads inherit the flag. @param {string} folder */
  async #startProfiled(folder) {
    mkdirSync(folder, { recursive: true })
    const args = ['--cpu-prof', `--cpu-prof-dir=${folder}`, NODE_PROGRAM, '--foreground']
    const options = { namespace: this.#namespace, env: this.#env }
    this.#foreground = new Child(this.#cleanUp, process.execPath, args, options)
    const deadline = performance.now() + START_MS
    while (processesOf(this.dataDir).node === undefined) {
      if (this.#foreground.isOver || performance.now() > deadline) {
        await this.#foreground.kill()
        throw new Error(`the node does not start:\n${(await this.#foreground.finished).stderr}`)
      }
      await sleep(POLL_MS)
    }
  }

  /** @param {string} path @param {readonly string[]} flags @returns {Promise<{ id: string, code: string }>} */
  async send(path, flags = []) {
    const lines = await this.run('send', '--detach', '--json', ...flags, '--', path)
    const line = lines.find(({ type }) => type === 'transfer.enqueued')
    if (line === undefined) throw new Error('send printed no transfer.enqueued')
    return { id: line.transferId, code: line.code }
  }

  /** @param {string} id @returns {Promise<JsonLine | undefined>} */
  async show(id) {
    return (await this.run('show', id, '--json'))[0]
  }

  /** @param {string} id @param {readonly string[]} states @param {number} timeoutMs @returns {Promise<boolean>} */
  async reaches(id, states, timeoutMs) {
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await sleep(POLL_MS)) {
      const view = await this.show(id)
      if (view !== undefined && states.includes(view.state)) return true
    }
    return false
  }

  /** Process ids, as far as they are known. */
  processes() {
    return processesOf(this.dataDir)
  }

  /** @returns {NodeUsage} */
  usage() {
    const { node, redis } = this.processes()
    const usage = usageOf(node)
    const redisCpuSeconds = redis.reduce((sum, pid) => sum + usageOf(pid).cpuSeconds, 0)
    return { nodeCpuSeconds: usage.cpuSeconds, redisCpuSeconds, peakRssBytes: usage.peakRssBytes }
  }

  resetPeak() {
    resetPeakRss(processesOf(this.dataDir).node)
  }

  /** Stops it and waits until its process has gone, by which time profiles are written. */
  async stop() {
    const { node } = processesOf(this.dataDir)
    if (node === undefined) return
    await this.command(['node', 'stop', '--json']).finished
    const deadline = performance.now() + END_MS
    while (isAlive(node) && performance.now() < deadline && this.#foreground?.isOver !== true) await sleep(POLL_MS)
  }
}

/** Flags that `godwit send` of this build knows. @param {import('./cleanUp.mjs').CleanUp} cleanUp @returns {Promise<(flag: string) => boolean>} */
export async function sendFlags(cleanUp) {
  const { stdout } = await new Child(cleanUp, process.execPath, [LAUNCHER, 'send', '--help'], {}).finished
  return (flag) => new RegExp(`(^|\\s)${flag}\\b`).test(stdout)
}

/** @param {string} text @returns {JsonLine | undefined} */
function jsonLineOf(text) {
  try {
    const value = JSON.parse(text)
    return typeof value?.type === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
