/**
 * Nodes with data directories of their own in one temporary folder, on this host or in network namespaces. Whatever a
 * test does, `dispose` leaves no process and no file.
 */
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endEverythingBelow, isAlive, killNow, processesOf } from '../../../apps/cli/src/demo/processes.js'
import { Command, type CommandResult, type JsonLine } from './command.js'

const POLL_MS = 100

export interface NodeOptions {
  readonly namespace?: string
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export class World {
  readonly folder: string
  readonly #nodes: TestNode[] = []
  readonly #commands: Command[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  /** The folder's name is short: a data directory holds a unix socket, whose path may have 107 bytes. */
  static async create(): Promise<World> {
    const world = new World(await mkdtemp('/tmp/godwit-e2e-'))
    await mkdir(join(world.folder, 'home'))
    return world
  }

  /** A node that starts with its first command. */
  node(name: string, options: NodeOptions = {}): TestNode {
    const node = new TestNode(this, join(this.folder, name), options)
    this.#nodes.push(node)
    return node
  }

  /** A new folder to receive into or to make files in. */
  async dir(name: string): Promise<string> {
    const path = join(this.folder, name)
    await mkdir(path, { recursive: true })
    return path
  }

  start(args: readonly string[], options: ConstructorParameters<typeof Command>[1]): Command {
    const command = new Command(args, options)
    this.#commands.push(command)
    return command
  }

  async dispose(): Promise<void> {
    for (const { child } of this.#commands) if (child.exitCode === null) child.kill('SIGKILL')
    await endEverythingBelow(
      this.folder,
      this.#nodes.map(({ dataDir }) => dataDir),
    )
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

export class TestNode {
  readonly dataDir: string
  readonly #world: World
  readonly #options: NodeOptions

  constructor(world: World, dataDir: string, options: NodeOptions) {
    this.#world = world
    this.dataDir = dataDir
    this.#options = options
  }

  /** Starts a command of this node. */
  start(args: readonly string[], input?: string): Command {
    const environment = {
      GODWIT_DATA_DIR: this.dataDir,
      GODWIT_RENDEZVOUS: undefined,
      GODWIT_LISTEN: undefined,
      REDIS_URL: undefined,
      HOME: join(this.#world.folder, 'home'),
      ...this.#options.environment,
    }
    return this.#world.start(args, { environment, namespace: this.#options.namespace, input })
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], input?: string, timeoutMs?: number): Promise<CommandResult> {
    return this.start(args, input).finished(timeoutMs)
  }

  /** `send … --detach --json`: the transfer's id and its code. */
  async send(
    paths: readonly string[],
    ...flags: readonly string[]
  ): Promise<{ readonly id: string; readonly code: string }> {
    const command = this.start(['send', '--detach', '--json', ...flags, '--', ...paths])
    const line = await command.line('transfer.enqueued')
    const { exitCode } = await command.finished()
    if (exitCode !== 0) throw new Error(`send ended with ${exitCode}: ${command.transcript}`)
    return { id: line['transferId'], code: line['code'] }
  }

  /** `receive --code-stdin --yes --json`, watched to its end: it goes on beside the test. */
  receive(code: string, output: string, ...flags: readonly string[]): Command {
    return this.start(['receive', '--code-stdin', '--output', output, '--yes', '--json', ...flags], `${code}\n`)
  }

  /** `show ID --json`. */
  async show(id: string): Promise<JsonLine> {
    const { lines } = await this.run(['show', id, '--json'])
    return lines[0] ?? { type: 'nothing' }
  }

  /** Waits until `show` says that the transfer is in one of `states`. */
  async state(id: string, states: readonly string[], timeoutMs = 60_000): Promise<JsonLine> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const view = await this.show(id)
      if (states.includes(view['state'])) return view
      if (performance.now() > deadline) throw new Error(`not ${states.join(' or ')} but ${JSON.stringify(view)}`)
      await sleep(POLL_MS)
    }
  }

  /** `events ID --json`. */
  async events(id: string): Promise<readonly JsonLine[]> {
    return (await this.run(['events', id, '--json'])).lines
  }

  /** SIGKILL for the node's process; its supervisor lives. @returns the pid that died. */
  killNode(): number {
    const { node } = processesOf(this.dataDir)
    if (node === undefined || !isAlive(node)) throw new Error(`no node runs in ${this.dataDir}`)
    killNow(node)
    return node
  }

  /** SIGKILL for every Redis of this data directory. @returns the pids that died. */
  killRedis(): readonly number[] {
    const redis = processesOf(this.dataDir).redis.filter(isAlive)
    if (redis.length === 0) throw new Error(`no Redis runs in ${this.dataDir}`)
    for (const pid of redis) killNow(pid)
    return redis
  }

  /** Process ids of the node, its supervisor and its Redis servers, as far as they live. */
  livingProcesses(): readonly number[] {
    const { node, supervisor, redis } = processesOf(this.dataDir)
    return [supervisor, node, ...redis].filter((pid) => pid !== undefined && isAlive(pid)).map(Number)
  }

  /** Unix sockets of the Redis servers of this data directory, its own one first. */
  redisSockets(): readonly string[] {
    if (!existsSync(this.dataDir)) return []
    const inside = readdirSync(this.dataDir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const folders = [join(this.dataDir, 'redis'), ...inside.map((entry) => join(this.dataDir, entry.name, 'redis'))]
    return folders
      .filter((folder) => existsSync(folder))
      .flatMap((folder) =>
        readdirSync(folder)
          .filter((name) => name.endsWith('.sock'))
          .map((name) => join(folder, name)),
      )
  }

  /** Waits until another process than `pid` is the node. */
  async respawned(pid: number, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const { node } = processesOf(this.dataDir)
      if (node !== undefined && node !== pid && isAlive(node)) return
      if (performance.now() > deadline) throw new Error(`the node of ${this.dataDir} has not come back`)
      await sleep(POLL_MS)
    }
  }

  async nodeFile(): Promise<Record<string, unknown>> {
    return JSON.parse(await readFile(join(this.dataDir, 'node.json'), 'utf8'))
  }
}
