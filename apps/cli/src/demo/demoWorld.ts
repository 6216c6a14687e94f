/**
 * The demo's little world: a temporary folder, a rendezvous and two nodes, each with its own data directory and Redis.
 * Whatever happens, `dispose` stops and removes all of it.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DemoFailure, failureOf } from './demoFailure.js'
import { type CommandResult, GodwitCommand, type JsonLine } from './godwitCommand.js'
import { freeBytes } from './payload.js'
import { endEverythingBelow, isAlive, processesOf, waitUntil } from './processes.js'

const RENDEZVOUS_START_MS = 30_000
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
  readonly #rendezvousDir: string
  readonly #commands = new Set<GodwitCommand>()
  #isDisposed = false
  #rendezvousUrl = ''
  /** Settles when what `begin` has started is up or has failed: before that it cannot be stopped for sure. */
  #beginning: Promise<void> = Promise.resolve()

  private constructor(folder: string) {
    this.folder = folder
    this.#rendezvousDir = join(folder, 'rendezvous')
    this.sender = this.#node(join(folder, 'sender'))
    this.receiver = this.#node(join(folder, 'receiver'))
  }

  /** @param neededBytes - what the files of the demo will take; the folder is made where there is room for it. */
  static async create(neededBytes: number): Promise<DemoWorld> {
    const parent = await roomyFolder(neededBytes)
    if (parent === undefined) throw new DemoFailure({ code: 'ERR_DISK_FULL', detail: tmpdir() })
    const folder = await mkdtemp(join(parent, 'godwit-demo-'))
    const world = new DemoWorld(folder)
    for (const dir of [world.#rendezvousDir, world.sender.dataDir, world.receiver.dataDir, world.outputDir]) {
      await mkdir(dir, { mode: 0o700 })
    }
    return world
  }

  get outputDir(): string {
    return join(this.folder, 'received')
  }

  /** Where the rendezvous answers; empty before `begin`. */
  get rendezvousUrl(): string {
    return this.#rendezvousUrl
  }

  /** Each has its own Redis, whatever the user's shell says. */
  #environment(dataDir: string): Readonly<Record<string, string | undefined>> {
    const rendezvous = this.#rendezvousUrl === '' ? undefined : this.#rendezvousUrl
    return { GODWIT_DATA_DIR: dataDir, GODWIT_RENDEZVOUS: rendezvous, REDIS_URL: undefined, GODWIT_LISTEN: undefined }
  }

  #node(dataDir: string): DemoNode {
    const environment = () => this.#environment(dataDir)
    return {
      dataDir,
      get environment() {
        return environment()
      },
      run: (args, input) => {
        this.#refuseWhenDisposed()
        return this.#track(new GodwitCommand(args, environment(), input === undefined ? {} : { input })).finished
      },
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
    this.#rendezvousUrl = await this.#startRendezvous()
    const results = await Promise.all([this.sender, this.receiver].map((node) => node.run(['node', 'start', '--json'])))
    const failed = results.find(({ exitCode }) => exitCode !== 0)
    if (failed !== undefined) throw failureOf(failed, 'ERR_NODE_START')
  }

  /** @returns its URL, as soon as it answers. */
  async #startRendezvous(): Promise<string> {
    const environment = this.#environment(this.#rendezvousDir)
    const args = ['rendezvous', '--listen', '127.0.0.1:0', '--data-dir', this.#rendezvousDir, '--json']
    let timer: NodeJS.Timeout | undefined
    const outcome = await new Promise<string | CommandResult | undefined>((resolve) => {
      const onLine = (line: JsonLine): void => {
        if (line['type'] === 'rendezvous.ready' && typeof line['url'] === 'string') resolve(line['url'])
      }
      void this.#track(new GodwitCommand(args, environment, { onLine })).finished.then(resolve)
      timer = setTimeout(() => resolve(undefined), RENDEZVOUS_START_MS)
    })
    clearTimeout(timer)
    if (outcome === undefined) throw new DemoFailure({ code: 'ERR_RENDEZVOUS_UNREACHABLE' })
    if (typeof outcome !== 'string') throw failureOf(outcome, 'ERR_RENDEZVOUS_UNREACHABLE')
    return outcome
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
