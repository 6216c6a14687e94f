/**
 * A rendezvous that the node hosts as a child process, for senders that name none. It listens on all addresses, keeps
 * its ports over restarts of either process (codes carry them), and lives on the node's own Redis.
 *
 * The child ends when its standard input does, so one that a killed node left behind goes by itself; the next one waits
 * until the port is free again.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Failure, fail, isErrorCode, ok, type Result } from '@godwit/protocol/errors'
import { z } from 'zod'

export type HostedRendezvousEvent =
  | { readonly type: 'ready'; readonly pid: number; readonly port: number }
  | { readonly type: 'died'; readonly pid: number }
  | { readonly type: 'failed'; readonly failure: Failure }

export interface HostedRendezvousOptions {
  /** The node's data directory, absolute: `rendezvous.json` and `rendezvous.log` go there. */
  readonly dataDir: string
  /** As REDIS_URL: a URL, or the path of a unix socket. */
  readonly redisUrl: string
  /** The child's script; by default that of `@godwit/rendezvous`. */
  readonly entry?: string
  /** The IP address that the child listens on; all of IPv4 by default. */
  readonly host?: string
  readonly env?: NodeJS.ProcessEnv
  readonly onEvent?: (event: HostedRendezvousEvent) => void
}

/** Milliseconds until a child has to be ready. */
const READY_TIMEOUT_MS = 20_000
/** Milliseconds in which the port of last time is waited for: a child left behind needs a moment to go. */
const OLD_PORT_PATIENCE_MS = 6000
/** Milliseconds that a child has to end by itself. */
const STOP_GRACE_MS = 5000
const RESPAWN_DELAY_MIN_MS = 200
const RESPAWN_DELAY_MAX_MS = 5000
/** Milliseconds after which a child's death does not count as one of a series. */
const STEADY_LIFE_MS = 30_000
/** Bytes of the log above which it is put aside at the next start. */
const LOG_MAX_BYTES = 4 * 1024 * 1024

const port = z.number().int().min(1).max(65_535)
const savedPorts = z.object({ port })
const childLine = z.discriminatedUnion('type', [
  z.object({ type: z.literal('rendezvous.ready'), port, udpPort: port }),
  z.object({ type: z.literal('rendezvous.failed'), code: z.string() }),
])

export class HostedRendezvous {
  readonly #options: HostedRendezvousOptions
  /** Also while it is not ready yet. */
  #child: ChildProcess | undefined
  #port: number
  #deaths = 0
  #isStopping = false
  #respawn: NodeJS.Timeout | undefined

  private constructor(options: HostedRendezvousOptions, port: number) {
    this.#options = options
    this.#port = port
  }

  /**
   * Starts the child on the ports of last time, or on free ones; keeps it running until `stop`. Should the old port
   * stay taken by another program, a new one is taken and the codes that carry the old one are lost.
   */
  static async start(options: HostedRendezvousOptions): Promise<Result<HostedRendezvous>> {
    const hosted = new HostedRendezvous(options, readPort(options.dataDir))
    const patienceEndsAt = performance.now() + OLD_PORT_PATIENCE_MS
    for (;;) {
      const started = await hosted.#spawn()
      if (started.ok) return ok(hosted)
      const isPortTaken = started.failure.code === 'ERR_PORT_TAKEN' && hosted.#port !== 0
      if (!isPortTaken) return started
      if (performance.now() < patienceEndsAt) await delay(RESPAWN_DELAY_MIN_MS)
      else hosted.#port = 0
    }
  }

  /** The TCP and the UDP port. */
  get port(): number {
    return this.#port
  }

  /** For this machine's own node. */
  get url(): string {
    const host = this.#options.host ?? '0.0.0.0'
    return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${this.#port}`
  }

  /** Undefined while no child runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Ends the child and waits for its end. */
  async stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#respawn)
    const child = this.#child
    this.#child = undefined
    if (child !== undefined) await endChild(child)
  }

  async #spawn(): Promise<Result<void>> {
    const { host = '0.0.0.0', dataDir, redisUrl } = this.#options
    const env = this.#options.env ?? process.env
    const log = openLogFile(dataDir)
    const child = spawn(
      process.execPath,
      [
        this.#options.entry ?? rendezvousEntry(),
        '--listen',
        `${host}:${this.#port}`,
        '--exit-with-parent',
        '--own-rooms-only',
      ],
      {
        // Its own process group: Ctrl-C in a terminal is for the node, which ends the child in its turn.
        detached: true,
        stdio: ['pipe', 'pipe', log],
        env: { PATH: env['PATH'], HOME: env['HOME'], TZ: env['TZ'], REDIS_URL: redisUrl },
      },
    )
    closeSync(log)
    // A write to a child that has just died is of no use to anybody.
    child.stdin?.on('error', () => undefined)
    this.#child = child
    const line = await firstLine(child)
    if (line?.type !== 'rendezvous.ready' || this.#isStopping) {
      await endChild(child)
      if (this.#child === child) this.#child = undefined
      const code = line?.type === 'rendezvous.failed' ? line.code : undefined
      const detail = `see ${logPath(dataDir)}`
      return isErrorCode(code) ? fail(code) : fail('ERR_NODE_START', `the rendezvous did not start, ${detail}`)
    }
    const startedAt = performance.now()
    this.#port = line.port
    writePort(dataDir, line.port)
    const pid = child.pid ?? 0
    const onGone = (): void => {
      if (this.#child === child) this.#child = undefined
      if (this.#isStopping) return
      this.#options.onEvent?.({ type: 'died', pid })
      this.#deaths = performance.now() - startedAt < STEADY_LIFE_MS ? this.#deaths + 1 : 1
      this.#scheduleRespawn()
    }
    if (hasExited(child)) queueMicrotask(onGone)
    else child.once('exit', onGone)
    this.#options.onEvent?.({ type: 'ready', pid, port: line.port })
    return ok(undefined)
  }

  /** Always on the same port: codes that are out carry it. */
  #scheduleRespawn(): void {
    const delayMs = Math.min(RESPAWN_DELAY_MIN_MS * 2 ** Math.min(this.#deaths - 1, 10), RESPAWN_DELAY_MAX_MS)
    this.#respawn = setTimeout(async () => {
      const started = await this.#spawn()
      if (started.ok || this.#isStopping) return
      this.#options.onEvent?.({ type: 'failed', failure: started.failure })
      this.#deaths += 1
      this.#scheduleRespawn()
    }, delayMs)
  }
}

const rendezvousEntry = (): string => fileURLToPath(import.meta.resolve('@godwit/rendezvous/main'))

/** The first line that the child prints; undefined when it ends or takes too long without one that is understood. */
const firstLine = (child: ChildProcess): Promise<z.infer<typeof childLine> | undefined> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), READY_TIMEOUT_MS)
    const finish = (line: z.infer<typeof childLine> | undefined): void => {
      clearTimeout(timer)
      resolve(line)
    }
    child.once('error', () => finish(undefined))
    if (child.stdout === null) return finish(undefined)
    const lines = createInterface({ input: child.stdout })
    lines.once('line', (text) => {
      const parsed = childLine.safeParse(jsonOf(text))
      finish(parsed.success ? parsed.data : undefined)
    })
    lines.once('close', () => finish(undefined))
  })

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const hasExited = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null

const endChild = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (hasExited(child)) return resolve()
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    child.stdin?.end()
    child.kill('SIGTERM')
  })

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const portPath = (dataDir: string): string => join(dataDir, 'rendezvous.json')
const logPath = (dataDir: string): string => join(dataDir, 'rendezvous.log')

/** The port of last time; 0 where there was none. */
const readPort = (dataDir: string): number => {
  try {
    const saved = savedPorts.safeParse(JSON.parse(readFileSync(portPath(dataDir), 'utf8')))
    return saved.success ? saved.data.port : 0
  } catch {
    return 0
  }
}

const writePort = (dataDir: string, port: number): void => {
  const draft = `${portPath(dataDir)}.new`
  writeFileSync(draft, `${JSON.stringify({ port })}\n`, { mode: 0o600 })
  renameSync(draft, portPath(dataDir))
}

const openLogFile = (dataDir: string): number => {
  const path = logPath(dataDir)
  try {
    if (statSync(path).size > LOG_MAX_BYTES) renameSync(path, `${path}.1`)
  } catch {
    // There is none yet.
  }
  return openSync(path, 'a', 0o600)
}
