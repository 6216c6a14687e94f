/**
 * The demo's little world: a temporary folder, a rendezvous and two nodes, each with its own data directory and Redis.
 * Whatever happens, `dispose` stops and removes all of it.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DemoFailure, failureOf } from './demoFailure.js'
import { freePort } from './freePort.js'
import { type CommandResult, GodwitCommand } from './godwitCommand.js'
import { freeBytes } from './payload.js'
import { endEverythingBelow, isAlive, processesOf, waitUntil } from './processes.js'

const RENDEZVOUS_START_MS = 30_000
const CONNECT_POLL_MS = 100
const NODE_END_MS = 10_000
/** A data directory holds a unix socket, whose path may have 107 bytes: a deep temporary folder cannot be used. */
const TEMPORARY_FOLDER_MAX_BYTES = 50
const FALLBACK_FOLDERS = ['/tmp', '/var/tmp']

export interface DemoNode {
  readonly dataDir: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Runs a command of this node to its end. */
  run(args: readonly string[], input?: string): Promise<CommandResult>
}

export class DemoWorld {
  readonly folder: string
  readonly sender: DemoNode
  readonly receiver: DemoNode
  readonly rendezvousUrl: string
  readonly #rendezvousDir: string
  readonly #port: number
  readonly #commands = new Set<GodwitCommand>()
  #isDisposed = false
  /** Settles when what `begin` has started is up or has failed: before that it cannot be stopped for sure. */
  #beginning: Promise<void> = Promise.resolve()

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.#port = port
    this.#rendezvousDir = join(folder, 'rendezvous')
    this.rendezvousUrl = `http://127.0.0.1:${port}`
    this.sender = this.#node(join(folder, 'sender'))
    this.receiver = this.#node(join(folder, 'receiver'))
  }

  /** @param neededBytes - what the files of the demo will take; the folder is made where there is room for it. */
  static async create(neededBytes: number): Promise<DemoWorld> {
    const parent = await roomyFolder(neededBytes)
    if (parent === undefined) throw new DemoFailure({ code: 'ERR_DISK_FULL', detail: tmpdir() })
    const folder = await mkdtemp(join(parent, 'godwit-demo-'))
    const world = new DemoWorld(folder, await freePort())
    for (const dir of [world.#rendezvousDir, world.sender.dataDir, world.receiver.dataDir, world.outputDir]) {
      await mkdir(dir, { mode: 0o700 })
    }
    return world
  }

  get outputDir(): string {
    return join(this.folder, 'received')
  }

  #environment(dataDir: string): Readonly<Record<string, string | undefined>> {
    // Each has its own Redis, whatever the user's shell says.
    return {
      GODWIT_DATA_DIR: dataDir,
      GODWIT_RENDEZVOUS: this.rendezvousUrl,
      REDIS_URL: undefined,
      GODWIT_LISTEN: undefined,
    }
  }

  #node(dataDir: string): DemoNode {
    const environment = this.#environment(dataDir)
    return {
      dataDir,
      environment,
      run: (args, input) =>
        this.#track(new GodwitCommand(args, environment, input === undefined ? {} : { input })).finished,
    }
  }

  /** An interrupted story must not start anything new behind the clean-up. */
  #refuseWhenDisposed(): void {
    if (this.#isDisposed) throw new DemoFailure({ code: 'ERR_CANCELLED' })
  }

  #track(command: GodwitCommand): GodwitCommand {
    this.#commands.add(command)
    void command.finished.then(() => this.#commands.delete(command))
    return command
  }

  /** Starts a command that runs beside the others until it ends or the world does. */
  start(
    node: DemoNode,
    args: readonly string[],
    onLine: ConstructorParameters<typeof GodwitCommand>[2],
  ): GodwitCommand {
    this.#refuseWhenDisposed()
    return this.#track(new GodwitCommand(args, node.environment, onLine))
  }

  /** Starts the rendezvous and both nodes; resolves when all three answer. */
  async begin(): Promise<void> {
    const beginning = this.#begin()
    this.#beginning = beginning.catch(() => {})
    await beginning
  }

  async #begin(): Promise<void> {
    this.#refuseWhenDisposed()
    const environment = { ...this.#environment(this.#rendezvousDir), GODWIT_RENDEZVOUS: undefined }
    const rendezvous = this.#track(
      new GodwitCommand(['rendezvous', '--listen', `127.0.0.1:${this.#port}`, '--json'], environment),
    )
    const isUp = await Promise.race([answers(this.#port, RENDEZVOUS_START_MS), rendezvous.finished])
    if (isUp === false) throw new DemoFailure({ code: 'ERR_RENDEZVOUS_UNREACHABLE' })
    if (isUp !== true) throw failureOf(isUp, 'ERR_RENDEZVOUS_UNREACHABLE')
    const results = await Promise.all([this.sender, this.receiver].map((node) => node.run(['node', 'start', '--json'])))
    const failed = results.find(({ exitCode }) => exitCode !== 0)
    if (failed !== undefined) throw failureOf(failed, 'ERR_NODE_START')
  }

  /** Stops and removes everything; may be called more than once. */
  async dispose(): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    await this.#beginning
    await Promise.all([this.sender, this.receiver].map((node) => this.#stopNode(node)))
    await Promise.all([...this.#commands].map((command) => command.stop()))
    await endEverythingBelow(this.folder, [this.sender.dataDir, this.receiver.dataDir, this.#rendezvousDir])
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  async #stopNode(node: DemoNode): Promise<void> {
    const { node: pid } = processesOf(node.dataDir)
    if (pid === undefined) return
    const result = await new GodwitCommand(['node', 'stop', '--json'], node.environment).finished
    // What does not leave when asked to is ended below.
    if (result.exitCode === 0) await waitUntil(() => (isAlive(pid) ? undefined : true), NODE_END_MS)
  }
}

const roomyFolder = async (neededBytes: number): Promise<string | undefined> => {
  for (const folder of [tmpdir(), ...FALLBACK_FOLDERS]) {
    if (Buffer.byteLength(folder) > TEMPORARY_FOLDER_MAX_BYTES) continue
    const free = await freeBytes(folder).catch(() => 0)
    if (free > neededBytes) return folder
  }
  return undefined
}

/** Whether something accepts connections at the port before the time is over. */
const answers = async (port: number, timeoutMs: number): Promise<boolean> => {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    const isAccepted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isAccepted) return true
    await new Promise((resolve) => setTimeout(resolve, CONNECT_POLL_MS))
  }
  return false
}
