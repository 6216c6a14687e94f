/**
 * A computer of a simulation: its disk, its Redis, and the node that runs on it, put together as `node.ts` does it. The
 * node can be killed at any step and started again.
 */
import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import type { HandshakeCrypto } from '@godwit/engine/ports/handshakeCrypto'
import { createProjector } from '@godwit/engine/projections/projector'
import { foldTransfer, initialTransferProjection } from '@godwit/engine/projections/transferProjection'
import { type Logger, pino } from 'pino'
import { TransferRecords } from '../records/transferRecord.js'
import type { Rendezvous } from '../runs/runContext.js'
import { RunManager } from '../runs/runManager.js'
import { SecretStore } from '../secrets/secretStore.js'
import type { EnqueueDeps } from '../transfers/enqueue.js'
import { reconcile } from '../transfers/reconcile.js'
import { TransferLog } from '../transfers/transferLog.js'
import { createProcessors } from '../workers/processors.js'
import { VirtualDisk } from './os/disk.js'
import { makeFolder } from './os/files.js'
import { type Host, type Kernel, ProcessDead, SimProcess } from './os/kernel.js'
import { type PlaneEvents, SimPlane } from './plane.js'
import { SimRedis } from './redis.js'

export const RENDEZVOUS = 'http://rendezvous.test:1'
const DATA_DIR = '/data'
/** Microseconds that a node takes at the most to be there again. */
const START_US = 300_000

export interface ComputerOptions {
  readonly name: 'sender' | 'receiver'
  readonly ip: string
  readonly crypto: HandshakeCrypto
  readonly plane: PlaneEvents
  /** @param isAlive - whether its node is. */
  readonly clientOf: (isAlive: () => boolean) => Rendezvous
  readonly onStep: (computer: Computer, process: SimProcess, step: string) => void
}

/** What of a node there is while it runs. */
interface Life {
  readonly process: SimProcess
  readonly log: TransferLog
  readonly records: TransferRecords
  readonly secrets: SecretStore
  readonly plane: SimPlane
  readonly runs: RunManager
}

export class Computer {
  readonly kernel: Kernel
  readonly host: Host
  readonly redis: SimRedis
  readonly #options: ComputerOptions
  #life: Life | undefined
  #isStarting = false
  lives = 0

  constructor(kernel: Kernel, options: ComputerOptions) {
    this.kernel = kernel
    this.#options = options
    const { name, ip } = options
    this.host = { name, ip, disk: new VirtualDisk(kernel.random), clockSkewMs: 0 }
    this.redis = new SimRedis(kernel)
    const setUp = new SimProcess(kernel, this.host)
    setUp.run(() => {
      for (const folder of [DATA_DIR, '/cargo', '/out']) makeFolder(folder, 0o755, true)
    })
    for (const folder of ['/out', '/cargo', '/data', '/']) this.host.disk.sync(this.host.disk.lookUp(folder, 'fsync'))
  }

  get name(): ComputerOptions['name'] {
    return this.#options.name
  }

  /** The node as it runs now; undefined while none does. */
  get life(): Life | undefined {
    return this.#life?.process.isAlive === true ? this.#life : undefined
  }

  /** Starts the node, unless it runs or is being started. */
  start(): void {
    if (this.life !== undefined || this.#isStarting) return
    this.#isStarting = true
    this.kernel.after(this.kernel.random.below(START_US), undefined, () => {
      this.#isStarting = false
      const process = new SimProcess(this.kernel, this.host)
      process.onStep = (step) => this.#options.onStep(this, process, step)
      this.lives += 1
      process.run(() => {
        this.kernel.trace(`the node starts (life ${this.lives})`)
        this.#begin(process).catch((error: unknown) => this.#onStartFailed(process, error))
      })
    })
  }

  /** SIGKILL, with a power cut where `isPowerCut`. */
  kill(isPowerCut: boolean): void {
    if (isPowerCut) this.host.disk.cutPower()
    this.#life?.process.kill()
    this.#life = undefined
  }

  /** SIGTERM: what the node does before it leaves, then it is gone. */
  leave(onGone: () => void): void {
    const life = this.life
    if (life === undefined) {
      onGone()
      return
    }
    life.process.run(() => {
      void life.runs.stop().then(() => {
        life.process.kill()
        if (this.#life === life) this.#life = undefined
        onGone()
      })
    })
  }

  /** Does something in the node's process; not at all while none runs. */
  act(act: (life: Life) => Promise<unknown>): void {
    const life = this.life
    if (life === undefined) return
    life.process.run(() => {
      act(life).catch((error: unknown) => {
        if (!(error instanceof ProcessDead)) this.kernel.bugs.push(error)
      })
    })
  }

  execute(transferId: string, command: TransferCommand): void {
    this.act(({ log }) => log.execute(transferId, command))
  }

  enqueueDeps({ log, records, secrets }: Life): EnqueueDeps {
    return { log, records, secrets, rendezvous: RENDEZVOUS }
  }

  async #begin(process: SimProcess): Promise<void> {
    const { crypto, name, clientOf } = this.#options
    const { redis } = this
    const events = redis.events(process)
    const projector = createProjector({
      events,
      projections: redis.projections(process),
      initial: initialTransferProjection,
      fold: foldTransfer,
    })
    const log = new TransferLog(events, projector)
    const records = new TransferRecords(`${DATA_DIR}/transfers`)
    const secrets = new SecretStore(DATA_DIR)
    const plane = new SimPlane(process, this.#options.plane)
    const client = clientOf(() => process.isAlive)
    const logger = this.#logger()
    const runs = new RunManager({
      log,
      records,
      secrets,
      plane,
      crypto,
      logger,
      deviceName: name,
      listenHost: this.host.ip,
      clientOf: () => client,
      ownRendezvous: async () => ({ ok: true, value: { url: RENDEZVOUS, advertise: 'rendezvous.test:1' } }),
    })
    this.#life = { process, log, records, secrets, plane, runs }
    redis.work(process, createProcessors({ log, runs, leases: redis.leases(process), nodeId: name }))
    const ids = new Set(records.ids())
    await secrets.keepOnly((id) => ids.has(id) && (records.get(id)?.ended ?? null) === null)
    const wake: Parameters<typeof reconcile>[0]['queues']['wake'] = async (queue, wakeUp, occasion) =>
      redis.wake(queue, wakeUp, occasion)
    await reconcile({ log, records, secrets, queues: { wake }, logger })
  }

  /** As its supervisor: a node that could not start is started again. */
  #onStartFailed(process: SimProcess, error: unknown): void {
    if (error instanceof ProcessDead) return
    this.kernel.bugs.push(error)
    process.kill()
  }

  #logger(): Logger {
    const { kernel } = this
    if (!kernel.isTraced) return pino({ level: 'silent' })
    return pino(
      { level: 'debug', base: null, timestamp: false },
      { write: (line: string) => kernel.trace(`log ${line.trim()}`) },
    )
  }
}
