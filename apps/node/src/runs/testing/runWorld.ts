/**
 * A sender and receivers in one process: production runs, log, handshake, records and secrets; rendezvous and data plane
 * in memory; wake-ups delivered at once instead of by Redis. A node can be killed at any moment, also in the middle of
 * an append, and comes back with what its disk and its log hold.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { routeOf } from '@godwit/engine/domain/transfer/routes'
import { MemoryEventStore } from '@godwit/engine/memory/eventStore'
import { MemoryProjectionStore } from '@godwit/engine/memory/projectionStore'
import type { AppendResult, EventMetadata, Fence } from '@godwit/engine/ports/eventStore'
import { createProjector } from '@godwit/engine/projections/projector'
import {
  foldTransfer,
  initialTransferProjection,
  type TransferProjection,
} from '@godwit/engine/projections/transferProjection'
import { assert } from '@godwit/protocol/assert'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { Schedule } from '@godwit/protocol/schedule'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { pino } from 'pino'
import { createHandshakeCrypto } from '../../crypto/handshakeCrypto.js'
import { TransferRecords } from '../../records/transferRecord.js'
import { SecretStore } from '../../secrets/secretStore.js'
import { codeOf } from '../../transfers/codeOf.js'
import { type EnqueueDeps, enqueueReceive, enqueueSend } from '../../transfers/enqueue.js'
import { LogWatch, type LogWatchDeps } from '../../transfers/logWatch.js'
import { type ReconcileDeps, takeUp } from '../../transfers/reconcile.js'
import { TransferLog } from '../../transfers/transferLog.js'
import { RunManager } from '../runManager.js'
import { SendingSlots } from '../sendingSlots.js'
import { SharedLimit } from '../sharedLimit.js'
import { MemoryRooms } from './memoryRooms.js'
import { MemoryNetwork } from './memorySessions.js'

export const RENDEZVOUS = 'http://rendezvous.test:1'
const MIB = 1024 * 1024

type EventType = TransferEvent['type']

export class RunWorld {
  readonly rooms = new MemoryRooms()
  readonly network = new MemoryNetwork()
  readonly folder = mkdtempSync(join(tmpdir(), 'godwit-runs-'))
  readonly #nodes: TestNode[] = []
  readonly crypto: Awaited<ReturnType<typeof createHandshakeCrypto>>

  private constructor(crypto: RunWorld['crypto']) {
    this.crypto = crypto
  }

  static async create(): Promise<RunWorld> {
    return new RunWorld(await createHandshakeCrypto())
  }

  node(name: string): TestNode {
    const node = new TestNode(this, name)
    this.#nodes.push(node)
    return node
  }

  /** A sender with a file of `chunks` chunks and a receiver that takes it, both enqueued. */
  async pair(options: { readonly chunks?: number; readonly yes?: boolean } = {}): Promise<{
    readonly sender: TestTransfer
    readonly receiver: TestTransfer
  }> {
    const sender = await this.node('sender').send({ chunks: options.chunks ?? 3 })
    const receiver = await this.node('receiver').receive(await sender.code(), options.yes ?? true)
    return { sender, receiver }
  }

  /** Resolves when anything has happened in a room, in a session or to a record. */
  changed(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The event store of a node, which hands out wake-ups and can die in the middle of an append. */
class NodeEventStore extends MemoryEventStore<TransferEvent> {
  onAppended: () => void = () => {}
  /** The event at which the node dies, and whether it is still recorded. */
  fatal: { readonly type: EventType; readonly isRecorded: boolean } | undefined
  onFatal: () => void = () => {}
  /** What every append fails with, as Redis does that takes no writes. */
  refusal: Error | undefined
  /** Redis is away: nothing that is appended is answered. */
  isAway = false

  constructor() {
    super({ now: Date.now, routeOf })
  }

  override async append(
    streamId: string,
    expectedVersion: number,
    events: readonly TransferEvent[],
    metadata: EventMetadata,
    fence?: Fence,
  ): Promise<AppendResult<TransferEvent>> {
    if (this.isAway) return new Promise(() => {})
    if (this.refusal !== undefined) throw this.refusal
    // An append that loses a race is tried again: it is not the one.
    const isFatal = events.some(({ type }) => type === this.fatal?.type)
    if (isFatal && this.fatal?.isRecorded === false && (await this.version(streamId)) === expectedVersion) {
      return this.#die()
    }
    const appended = await super.append(streamId, expectedVersion, events, metadata, fence)
    if (isFatal && appended.ok) return this.#die()
    this.onAppended()
    return appended
  }

  /** Whoever waits for an answer of a process that is dead waits for ever. */
  #die(): Promise<never> {
    this.onFatal()
    return new Promise(() => {})
  }
}

export class TestNode {
  readonly world: RunWorld
  readonly dir: string
  readonly name: string
  readonly events = new NodeEventStore()
  readonly projections = new MemoryProjectionStore<TransferProjection>()
  /** One for all lives: what a life that was killed was writing is done with before the next one writes. */
  readonly secrets: SecretStore
  #life: Life
  /** Transfers that send at once, from the next start on. */
  maxSending = 1000
  /** The wall clock of this node. */
  aheadMs = 0
  minuteOfDay = 12 * 60
  /** What a run or a wake-up threw. */
  readonly errors: unknown[] = []

  constructor(world: RunWorld, name: string) {
    this.world = world
    this.name = name
    this.dir = join(world.folder, name)
    mkdirSync(join(this.dir, 'out'), { recursive: true })
    this.secrets = new SecretStore(this.dir)
    this.#life = this.#begin()
  }

  get log(): TransferLog {
    return this.#life.log
  }

  get runs(): RunManager {
    return this.#life.runs
  }

  get records(): TransferRecords {
    return this.#life.records
  }

  async send(options: {
    readonly chunks: number
    readonly capacity?: number
    readonly receivers?: number
    readonly priority?: number
    readonly schedule?: Schedule
    readonly name?: string
    readonly limit?: number
  }): Promise<TestTransfer> {
    const path = join(this.dir, options.name ?? 'cargo')
    writeFileSync(path, Buffer.alloc(options.chunks * MIB, 7))
    const enqueued = await enqueueSend(this.#enqueueDeps(), {
      paths: [path],
      submissionId: `send-${this.name}-${options.name ?? 'cargo'}`,
      priority: options.priority,
      schedule: options.schedule,
      capacity: options.capacity ?? 1,
      receivers: options.receivers,
      limit: options.limit ?? null,
    })
    assert(enqueued.ok, 'the send is taken in')
    return new TestTransfer(this, enqueued.value.record.transferId)
  }

  async receive(code: string, yes: boolean): Promise<TestTransfer> {
    const enqueued = await enqueueReceive(this.#enqueueDeps(), {
      code,
      submissionId: `receive-${this.name}`,
      output: join(this.dir, 'out'),
      yes,
      limit: null,
    })
    assert(enqueued.ok, 'the receive is taken in')
    return new TestTransfer(this, enqueued.value.record.transferId)
  }

  /** SIGKILL: nothing that this life began goes on or is answered. */
  kill(): void {
    this.#life.isAlive = false
    void this.#life.runs.stop()
  }

  /** Dies just before an event of this type is recorded. Resolves at that moment. */
  diesBefore(type: EventType): Promise<void> {
    return this.#diesAt({ type, isRecorded: false })
  }

  /** Dies as soon as an event of this type is recorded, before anything follows from it. */
  diesAfter(type: EventType): Promise<void> {
    return this.#diesAt({ type, isRecorded: true })
  }

  #diesAt(fatal: NodeEventStore['fatal']): Promise<void> {
    return new Promise((resolve) => {
      this.events.fatal = fatal
      this.events.onFatal = () => {
        this.kill()
        resolve()
      }
    })
  }

  /** Starts again as a node does: sessions are closed in the log, and every transfer gets its wake-up. */
  async start(): Promise<void> {
    this.events.fatal = undefined
    this.events.takeOutbox()
    this.#life = this.#begin()
    const life = this.#life
    for (const id of life.records.ids()) await takeUp(this.#takeUpDeps(life), id, 'start')
  }

  /** Redis has lost everything, whether the node runs or not. */
  async loseLog(): Promise<void> {
    for (const id of this.records.ids()) {
      await this.events.delete(id)
      await this.projections.delete(id)
    }
  }

  /** What watches over the log of a node that runs; it looks when it is told to. */
  logWatch(life: LogWatchDeps['life']): LogWatch {
    return new LogWatch({ ...this.#takeUpDeps(this.#life), life, runs: this.#life.runs })
  }

  #takeUpDeps(life: Life): ReconcileDeps {
    const queues: ReconcileDeps['queues'] = {
      wake: async (_queue, { streamId }) => this.#wake(life, streamId, true),
    }
    return { log: life.log, records: life.records, secrets: this.secrets, queues, logger: pino({ level: 'silent' }) }
  }

  /** The workers are slow: wake-ups are delivered when the returned function is called. */
  holdWakeUps(): () => void {
    const deliver = this.events.onAppended
    this.events.onAppended = () => {}
    return () => {
      this.events.onAppended = deliver
      deliver()
    }
  }

  async stop(): Promise<void> {
    await this.#life.runs.stop()
    this.#life.isAlive = false
  }

  /** What the slices of the transfers' jobs do every half a minute. */
  async slice(): Promise<void> {
    for (const run of this.#life.runs.active) await run.sync()
  }

  #begin(): Life {
    const { world } = this
    const life = { isAlive: true } as Life
    const isAlive = (): boolean => life.isAlive
    const projector = createProjector({
      events: this.events,
      projections: this.projections,
      initial: initialTransferProjection,
      fold: foldTransfer,
    })
    life.records = new TransferRecords(join(this.dir, 'transfers'))
    life.log = new TransferLog(this.events, projector)
    const client = world.rooms.client(RENDEZVOUS, isAlive)
    life.runs = new RunManager({
      log: whileAlive(life.log, isAlive),
      records: writtenWhileAlive(life.records, isAlive),
      secrets: whileAlive(this.secrets, isAlive),
      plane: world.network.plane(isAlive),
      crypto: world.crypto,
      logger: pino({ level: process.env['GODWIT_TEST_LOG'] ?? 'silent', base: { node: this.name } }),
      deviceName: this.name,
      listenHost: '127.0.0.1',
      slots: new SendingSlots(this.maxSending),
      sharedLimit: new SharedLimit(null),
      wallTime: () => ({ nowMs: Date.now() + this.aheadMs, minuteOfDay: this.minuteOfDay }),
      clientOf: () => client,
      ownRendezvous: async () => ({ ok: true, value: { url: RENDEZVOUS, advertise: 'rendezvous.test:1' } }),
    })
    this.events.onAppended = () => {
      for (const { queue, streamId, eventId } of this.events.takeOutbox()) {
        if (queue === 'retransmits') void this.#retransmit(life, streamId, eventId)
        else this.#wake(life, streamId, queue === 'transfers')
      }
    }
    return life
  }

  /** As the workers' processors. */
  #wake(life: Life, transferId: string, mayBegin: boolean): void {
    const act = async (): Promise<void> => {
      const projection = await life.log.read(transferId)
      if (projection === undefined || !life.isAlive) return
      await (mayBegin ? life.runs.ensure(projection) : life.runs.get(transferId))?.sync()
    }
    act().catch((error: unknown) => this.errors.push(error))
  }

  async #retransmit(life: Life, transferId: string, eventId: string): Promise<void> {
    const version = Number(eventId.split('.')[1])
    const [recorded] = await this.events.read(transferId, version, 1)
    const event = recorded as TransferEvent | undefined
    if (event?.type !== 'RetransmitRequested' || !life.isAlive) return
    const { receiver, ranges, reason } = event.data
    await life.runs.get(transferId)?.retransmit(receiver, ranges, reason)
  }

  #enqueueDeps(): EnqueueDeps {
    const { log, records } = this.#life
    return { log, records, secrets: this.secrets, rendezvous: RENDEZVOUS }
  }
}

interface Life {
  isAlive: boolean
  log: TransferLog
  records: TransferRecords
  runs: RunManager
}

/** Something whose calls are never answered once the process is dead. */
const whileAlive = <T extends object>(part: T, isAlive: () => boolean): T =>
  calledBy(part, (call) => (isAlive() ? call() : new Promise(() => {})))

/** Records that a process that is dead does not write any more. */
const writtenWhileAlive = (records: TransferRecords, isAlive: () => boolean): TransferRecords =>
  calledBy(records, (call) => {
    if (!isAlive()) throw new Error('the process is dead')
    return call()
  })

const calledBy = <T extends object>(part: T, by: (call: () => unknown) => unknown): T =>
  new Proxy(part, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...args: readonly unknown[]) => by(() => Reflect.apply(member, target, args))
    },
  })

/** A transfer of a node, across its lives. */
export class TestTransfer {
  readonly node: TestNode
  readonly id: string

  constructor(node: TestNode, id: string) {
    this.node = node
    this.id = id
  }

  execute(command: TransferCommand): ReturnType<TransferLog['execute']> {
    return this.node.log.execute(this.id, command)
  }

  async projection(): Promise<TransferProjection> {
    const projection = await this.node.log.read(this.id)
    assert(projection !== undefined, 'the transfer is in the log')
    return projection
  }

  async types(): Promise<readonly EventType[]> {
    return (await this.node.events.read(this.id)).map(({ type }) => type)
  }

  /** Waits until the log holds `count` events of this type and hands out the last of them. */
  async until<T extends EventType>(
    type: T,
    count = 1,
  ): Promise<RecordedEvent<Extract<TransferEvent, { readonly type: T }>>> {
    const stopping = new AbortController()
    let seen = 0
    try {
      for await (const recorded of this.node.events.follow(this.id, 1, stopping.signal)) {
        if (recorded.type === type && ++seen === count) {
          return recorded as RecordedEvent<Extract<TransferEvent, { readonly type: T }>>
        }
      }
    } finally {
      stopping.abort()
    }
    throw new Error(`${type} never came`)
  }

  /** Waits until the run has nothing left to do and its record says how it ended. */
  async ended(how: 'completed' | 'failed' | 'cancelled'): Promise<void> {
    while (this.node.records.get(this.id)?.ended !== how) await this.node.world.changed()
  }

  async code(): Promise<string> {
    await this.until('RoomEntered')
    const record = this.node.records.get(this.id)
    const secrets = await this.node.secrets.read(this.id)
    assert(record !== undefined && secrets.ok, 'a record and its secrets')
    const code = codeOf(await this.projection(), secrets.value, record)
    assert(code !== undefined, 'a code')
    return code
  }
}
