/**
 * The embedded Redis: a private server process on a unix socket, started, watched and ended here.
 *
 * It outlives the process that started it (its own session, so that Ctrl-C in a terminal does not reach it) and is
 * adopted by the next one. It is started again whenever it dies, until `stop`. The data directory belongs to one
 * supervisor at a time: the caller holds its lock.
 */
import { spawn } from 'node:child_process'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { assert } from '@godwit/protocol/assert'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { repairAof, saysDamaged } from './aofRepair.js'
import type { RedisFacts, RedisTarget } from './connection.js'
import { judgeFacts } from './connection.js'
import { commandLineOf, endProcess, isRunning } from './processes.js'
import type { SearchDir, ServerBinary } from './serverBinary.js'
import { findServerBinary } from './serverBinary.js'
import { probeServer } from './serverProbe.js'
import { chooseSocketPath } from './socketPath.js'

/** Milliseconds that the server has to end by itself. */
const STOP_GRACE_MS = 5000
/** Milliseconds between looks at the server. */
const WATCH_INTERVAL_MS = 200
/** Milliseconds between questions whether it is ready. */
const READY_POLL_MS = 25
/** Milliseconds before a server that keeps dying is started again, at the most. */
const RESPAWN_DELAY_MAX_MS = 5000
/** Milliseconds that a server has to live for its death not to count as one of a series. */
const STEADY_LIFE_MS = 10_000
/** Deaths in a row after which `ready` gives up waiting (starting goes on). */
const DEATHS_MAX = 5
/** Repairs of one supervisor's life: each leaves a copy, and a disk that goes on damaging files needs its user. */
const REPAIRS_MAX = 3
/** Bytes of the log file above which it is put aside at the next start. */
const LOG_MAX_BYTES = 4 * 1024 * 1024

export type EmbeddedRedisEvent =
  | { readonly type: 'spawned' | 'adopted' | 'died'; readonly pid: number }
  /** A server on our socket that hung or was not ours was ended. */
  | { readonly type: 'ended'; readonly pid: number }
  /** The server refused its append-only file: it was copied aside, then cut or begun anew. */
  | { readonly type: 'repaired'; readonly copy: string; readonly outcome: 'cut' | 'begunAnew' }

export interface EmbeddedRedisOptions {
  /** The node's data directory, absolute; the server's files go to `<dataDir>/redis`. */
  readonly dataDir: string
  /** Unpacked packages to look into after PATH. */
  readonly searchDirs?: readonly SearchDir[]
  readonly env?: NodeJS.ProcessEnv
  readonly onEvent?: (event: EmbeddedRedisEvent) => void
}

export class EmbeddedRedis {
  readonly target: RedisTarget & { readonly kind: 'socket' }
  readonly #options: EmbeddedRedisOptions
  readonly #dir: string
  readonly #binary: ServerBinary
  #pid: number | undefined
  #startedAt = 0
  /** Where in its log the life of the present server begins. */
  #logStart = 0
  #deaths = 0
  #repairs = 0
  /** Whether the file was cut since a server last lived. */
  #wasCut = false
  readonly #stopping = new AbortController()
  #watching: Promise<void> | undefined

  private constructor(options: EmbeddedRedisOptions, dir: string, socketPath: string, binary: ServerBinary) {
    this.#options = options
    this.#dir = dir
    this.target = { kind: 'socket', path: socketPath }
    this.#binary = binary
  }

  /**
   * Adopts the server that was left behind or starts one, and keeps it running. Fails with ERR_REDIS_MISSING or
   * ERR_DATA_DIR; whether the server answers is told by `ready`.
   */
  static async start(options: EmbeddedRedisOptions): Promise<Result<EmbeddedRedis>> {
    const env = options.env ?? process.env
    let dir = join(options.dataDir, 'redis')
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 })
      // Redis tells its directory with links resolved.
      dir = realpathSync(dir)
    } catch (error) {
      return fail('ERR_DATA_DIR', error instanceof Error ? error.message : undefined)
    }
    const socketPath = chooseSocketPath(dir, env)
    if (!socketPath.ok) return socketPath
    const binary = findServerBinary(env, options.searchDirs ?? [])
    if (!binary.ok) return binary
    const redis = new EmbeddedRedis(options, dir, socketPath.value, binary.value)
    if (!(await redis.#adopt())) redis.#spawn()
    redis.#watching = redis.#watch()
    return ok(redis)
  }

  /** The server's process id; undefined while none runs. */
  get pid(): number | undefined {
    return this.#pid
  }

  get logPath(): string {
    return join(this.#dir, 'redis.log')
  }

  /** Waits until the server has loaded its log and answers. @param timeoutMs - loading takes about a second per 500 MB. */
  async ready(timeoutMs = 60_000): Promise<Result<RedisFacts>> {
    for (let waitedMs = 0; waitedMs < timeoutMs && this.#deaths < DEATHS_MAX; waitedMs += READY_POLL_MS) {
      const probe = await probeServer(this.target.path)
      if (probe.state === 'ready' && probe.dir === this.#dir) return judgeFacts(probe.facts)
      await delay(READY_POLL_MS)
    }
    return fail('ERR_REDIS_UNREACHABLE', `the embedded server does not answer, see ${this.logPath}`)
  }

  /** Ends the server and waits for its end; SIGKILL after 5 s. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
    if (this.#pid !== undefined) await endProcess(this.#pid, STOP_GRACE_MS)
    this.#pid = undefined
    rmSync(this.target.path, { force: true })
  }

  /** Stops watching and leaves the server running, for the next supervisor to adopt. */
  async leave(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
  }

  /** True when a live server of this directory was found. One that hangs, or is another directory's, is ended. */
  async #adopt(): Promise<boolean> {
    const probe = await probeServer(this.target.path)
    if ((probe.state === 'ready' || probe.state === 'loading') && probe.dir === this.#dir && isRunning(probe.pid)) {
      this.#pid = probe.pid
      this.#startedAt = Date.now()
      this.#options.onEvent?.({ type: 'adopted', pid: probe.pid })
      return true
    }
    const answering = probe.state === 'ready' || probe.state === 'loading' ? probe.pid : undefined
    for (const pid of new Set([answering, this.#pidOfFile()])) {
      // Ids are given out again: only what is a server on our socket is ended.
      if (pid === undefined || !isRunning(pid) || !commandLineOf(pid).includes(this.target.path)) continue
      await endProcess(pid, STOP_GRACE_MS)
      this.#options.onEvent?.({ type: 'ended', pid })
    }
    return false
  }

  #pidOfFile(): number | undefined {
    try {
      const pid = Number(readFileSync(join(this.#dir, 'redis.pid'), 'utf8').trim())
      return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined
    } catch {
      return undefined
    }
  }

  #spawn(): void {
    // A socket left by a killed server would be in the way.
    rmSync(this.target.path, { force: true })
    this.#putLogAside()
    const env = this.#options.env ?? process.env
    const log = openSync(this.logPath, 'a', 0o600)
    this.#logStart = fstatSync(log).size
    const child = spawn(this.#binary.path, serverFlags(this.#dir, this.target.path), {
      cwd: this.#dir,
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        PATH: env['PATH'],
        TZ: env['TZ'],
        LD_LIBRARY_PATH: this.#binary.lib ?? env['LD_LIBRARY_PATH'],
      },
    })
    closeSync(log)
    // What cannot be started at all has no pid; the watch sees that nothing runs and tries again.
    child.on('error', () => undefined)
    child.unref()
    this.#startedAt = Date.now()
    this.#pid = child.pid
    if (child.pid !== undefined) this.#options.onEvent?.({ type: 'spawned', pid: child.pid })
  }

  #putLogAside(): void {
    try {
      if (statSync(this.logPath).size > LOG_MAX_BYTES) renameSync(this.logPath, `${this.logPath}.1`)
    } catch {
      // There is none yet.
    }
  }

  /** Looks at the process again and again: an adopted one is nobody's child, so there is no event to wait for. */
  async #watch(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#pause(WATCH_INTERVAL_MS)
      if (this.#stopping.signal.aborted || (this.#pid !== undefined && isRunning(this.#pid))) continue
      if (this.#pid !== undefined) this.#options.onEvent?.({ type: 'died', pid: this.#pid })
      this.#pid = undefined
      const wasSteady = Date.now() - this.#startedAt >= STEADY_LIFE_MS
      this.#deaths = wasSteady ? 1 : this.#deaths + 1
      if (wasSteady) this.#wasCut = false
      if (this.#deaths > 1) await this.#pause(Math.min(100 * 2 ** this.#deaths, RESPAWN_DELAY_MAX_MS))
      await this.#repair()
      if (!this.#stopping.signal.aborted) this.#spawn()
    }
  }

  /** A server that will never load its log would be started for ever. */
  async #repair(): Promise<void> {
    if (this.#repairs >= REPAIRS_MAX || !saysDamaged(this.logPath, this.#logStart)) return
    this.#repairs += 1
    const stamp = new Date().toISOString().replaceAll(':', '-')
    const repair = await repairAof(this.#dir, this.#binary, stamp, !this.#wasCut)
    this.#wasCut = repair?.outcome === 'cut'
    if (repair !== undefined) this.#options.onEvent?.({ type: 'repaired', ...repair })
  }

  /** Waits without keeping the process alive, and no longer than until `stop`. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { ref: false, signal: this.#stopping.signal }).catch(() => undefined)
  }
}

/** All that the server is told: no configuration file of the system is read. */
const serverFlags = (dir: string, socketPath: string): readonly string[] => {
  assert(socketPath.startsWith('/'), `socket path ${socketPath}`)
  return Object.entries({
    port: '0',
    unixsocket: socketPath,
    unixsocketperm: '700',
    dir,
    pidfile: join(dir, 'redis.pid'),
    daemonize: 'no',
    databases: '1',
    // An append is answered once it is on the disk.
    appendonly: 'yes',
    appendfsync: 'always',
    // The last command of a log may be cut off by a crash: it was never answered.
    'aof-load-truncated': 'yes',
    save: '',
    // Anything else would let jobs and events vanish.
    'maxmemory-policy': 'noeviction',
    'always-show-logo': 'no',
  }).flatMap(([flag, value]) => [`--${flag}`, value])
}
