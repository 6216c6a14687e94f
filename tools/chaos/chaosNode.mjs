/**
 * One computer of a chaos world: a data directory with its supervisor, node and Redis, as a user's command starts them,
 * and what can be done to them. Its API is called from within its network namespace.
 */
import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { processesOf } from '../../apps/cli/dist/demo/processes.js'
import { isRunning } from '../../packages/redis/dist/processes.js'
import { ROOT } from '../bench/machine.mjs'

const SUPERVISOR = join(ROOT, 'apps', 'node', 'dist', 'supervisor.js')
const AGENT = fileURLToPath(new URL('./apiAgent.mjs', import.meta.url))
const CLOCK = fileURLToPath(new URL('./clockShift.mjs', import.meta.url))
const POLL_MS = 20
const START_MS = 30_000
/** Sizes of the append-only file that are remembered: what it was a second ago. */
const SIZES_KEPT = 60

/** @typedef {import('./network.mjs').Side} Side */

/** @param {string | undefined} namespace @param {readonly string[]} words @returns {[string, string[]]} */
export const within = (namespace, words) =>
  namespace === undefined ? [words[0], words.slice(1)] : ['ip', ['netns', 'exec', namespace, ...words]]

/** @param {number | undefined} pid @param {NodeJS.Signals} name */
export function signal(pid, name) {
  if (pid === undefined) return
  try {
    process.kill(pid, name)
  } catch {
    // It is gone already.
  }
}

/** @param {readonly (number | undefined)[]} pids */
export async function untilGone(pids) {
  for (const deadline = performance.now() + 5000; performance.now() < deadline; await sleep(5)) {
    if (!pids.some((pid) => pid !== undefined && isRunning(pid))) return
  }
  throw new Error(`processes ${pids.join(', ')} survive SIGKILL`)
}

export class ChaosNode {
  /** @type {Map<number, (answer: { status?: number, body?: string, error?: string }) => void>} */
  #calls = new Map()
  #lastCall = 0
  #agent
  #env
  /** @type {{ at: number, bytes: number }[]} */
  #sizes = []

  /**
   * @param {import('../bench/cleanUp.mjs').CleanUp} cleanUp @param {Side} side @param {string} folder
   * @param {string | undefined} namespace
   */
  constructor(cleanUp, side, folder, namespace) {
    this.side = side
    this.namespace = namespace
    this.dataDir = join(folder, side === 'sender' ? 's' : 'r')
    this.planFile = join(folder, `crash-${side}`)
    this.clockFile = join(folder, `clock-${side}`)
    mkdirSync(this.dataDir, { mode: 0o700 })
    mkdirSync(join(folder, `home-${side}`))
    this.#env = {
      PATH: process.env['PATH'],
      HOME: join(folder, `home-${side}`),
      GODWIT_DATA_DIR: this.dataDir,
      GODWIT_CRASH_PLAN: this.planFile,
      GODWIT_CHAOS_CLOCK: this.clockFile,
      GODWIT_DEVICE_NAME: side,
      NODE_OPTIONS: `--import=${CLOCK}`,
      ...(namespace === undefined ? { GODWIT_LISTEN: '127.0.0.1' } : {}),
    }
    const [program, args] = within(namespace, [process.execPath, AGENT])
    this.#agent = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#agent.stdin.on('error', () => {})
    cleanUp.add(() => this.#agent.kill('SIGKILL'))
    createInterface({ input: this.#agent.stdout }).on('line', (line) => {
      const answer = JSON.parse(line)
      this.#calls.get(answer.id)?.(answer)
      this.#calls.delete(answer.id)
    })
  }

  /** Starts the supervisor, which starts the rest; as after a reboot. */
  start() {
    const log = openSync(join(this.dataDir, 'node.log'), 'a', 0o600)
    const [program, args] = within(this.namespace, [process.execPath, SUPERVISOR])
    const child = spawn(program, args, { env: this.#env, detached: true, stdio: ['ignore', log, log] })
    child.on('error', () => {})
    child.unref()
  }

  get pids() {
    return processesOf(this.dataDir)
  }

  /** Processes of this computer that run: supervisor, node, Redis servers and a rendezvous that the node hosts. */
  get living() {
    const { supervisor, node, redis } = this.pids
    return [supervisor, node, ...redis, this.hostedRendezvous].filter((pid) => pid !== undefined && isRunning(pid))
  }

  /** The process of the rendezvous that this node hosts. @returns {number | undefined} */
  get hostedRendezvous() {
    const { node } = this.pids
    if (node === undefined) return undefined
    try {
      const children = readFileSync(`/proc/${node}/task/${node}/children`, 'utf8').trim().split(' ').map(Number)
      return children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--own-rooms-only'))
    } catch {
      return undefined
    }
  }

  get redisSocket() {
    const folder = join(this.dataDir, 'redis')
    if (!existsSync(folder)) return undefined
    const name = readdirSync(folder).find((entry) => entry.endsWith('.sock'))
    return name === undefined ? undefined : join(folder, name)
  }

  /**
   * Calls a procedure of the API. Rejects when nobody answers or the answer is an error.
   *
   * @param {'query' | 'mutation'} kind @param {string} procedure @param {object} input @returns {Promise<any>}
   */
  async call(kind, procedure, input, timeoutMs = 25_000) {
    const { url } = JSON.parse(readFileSync(join(this.dataDir, 'node.json'), 'utf8'))
    const token = readFileSync(join(this.dataDir, 'token'), 'utf8').trim()
    const id = ++this.#lastCall
    const query = kind === 'query' ? `?input=${encodeURIComponent(JSON.stringify(input))}` : ''
    const request = {
      id,
      url: `${url}/trpc/${procedure}${query}`,
      token,
      method: kind === 'query' ? 'GET' : 'POST',
      timeoutMs,
      ...(kind === 'query' ? {} : { body: JSON.stringify(input) }),
    }
    const answer = await new Promise((resolve) => {
      this.#calls.set(id, resolve)
      this.#agent.stdin.write(`${JSON.stringify(request)}\n`)
    })
    if (answer.error !== undefined) throw new Error(`${procedure}: ${answer.error}`)
    const body = JSON.parse(answer.body)
    if (answer.status !== 200) {
      const { code, message } = body.error?.data?.godwit ?? { code: answer.status, message: body.error?.message }
      throw Object.assign(new Error(`${procedure}: ${code}: ${message}`), { code })
    }
    return body.result.data
  }

  /** Resolves when the API answers; @param {number | undefined} besides - a pid whose answer does not count. */
  async ready(besides = undefined) {
    for (const deadline = performance.now() + START_MS; performance.now() < deadline; await sleep(POLL_MS)) {
      const { node } = this.pids
      if (node === undefined || node === besides || !isRunning(node)) continue
      try {
        return await this.call('query', 'node.status', {}, 1000)
      } catch {
        // Not yet.
      }
    }
    throw new Error(`the node of the ${this.side} does not come up`)
  }

  /** The transfer as the API shows it; undefined while it cannot be asked. @param {string} transferId @returns {Promise<any>} */
  async view(transferId) {
    try {
      return await this.call('query', 'transfers.get', { transferId }, 1500)
    } catch {
      return undefined
    }
  }

  /** Remembers how long the append-only file is now. */
  lookAtAof() {
    const file = this.aofTail()
    if (file === undefined) return
    try {
      this.#sizes.push({ at: performance.now(), bytes: statSync(file).size })
    } catch {
      // Between two files.
    }
    if (this.#sizes.length > SIZES_KEPT) this.#sizes.shift()
  }

  /** Size that the append-only file had `ms` ago; undefined where that is not known. @param {number} ms */
  aofBytesAgo(ms) {
    const before = performance.now() - ms
    return this.#sizes.findLast(({ at }) => at <= before)?.bytes
  }

  /** The file that Redis appends to. */
  aofTail() {
    const folder = join(this.dataDir, 'redis', 'appendonlydir')
    if (existsSync(folder)) {
      const tails = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'))
      const number = (/** @type {string} */ name) => Number(/\.(\d+)\.incr/.exec(name)?.[1] ?? 0)
      const last = tails.sort((a, b) => number(a) - number(b)).at(-1)
      return last === undefined ? undefined : join(folder, last)
    }
    const single = join(this.dataDir, 'redis', 'appendonly.aof')
    return existsSync(single) ? single : undefined
  }

  /** Cuts the append-only file; no server may run. @param {(bytes: number) => number} newSize */
  cutAof(newSize) {
    const file = this.aofTail()
    if (file !== undefined) truncateSync(file, Math.max(0, newSize(statSync(file).size)))
    this.#sizes = []
  }

  deleteAof() {
    for (const name of ['appendonlydir', 'appendonly.aof', 'dump.rdb']) {
      rmSync(join(this.dataDir, 'redis', name), { recursive: true, force: true })
    }
    this.#sizes = []
  }

  /** @param {number} ms */
  shiftClock(ms) {
    writeFileSync(this.clockFile, String(ms))
  }
}
