/**
 * The Redis of one node in a simulation: the event log, the projections, the leases and the jobs. The stores are those in
 * memory, which pass the same contracts as the real ones; deciders, projector and processors are the node's own.
 *
 * Modelled: a command takes effect at one moment and is answered later; a job is delivered at least once, in no order, and
 * again some seconds after its worker died; Redis may be away, and may come back without its last second or empty.
 */
import { routeOf } from '@godwit/engine/domain/transfer/routes'
import { MemoryEventStore } from '@godwit/engine/memory/eventStore'
import { MemoryLeases } from '@godwit/engine/memory/leases'
import { MemoryProjectionStore } from '@godwit/engine/memory/projectionStore'
import type { EventStore } from '@godwit/engine/ports/eventStore'
import type { Leases } from '@godwit/engine/ports/leases'
import type { OutboxEntry, QueueName, WakeUp } from '@godwit/engine/ports/outbox'
import type { Projection, ProjectionStore } from '@godwit/engine/ports/projectionStore'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import type { Processor } from '@godwit/redis/workers'
import type { Kernel, SimProcess } from './os/kernel.js'

/** Microseconds that a command takes at the most, and a job until a worker has it. */
const COMMAND_US = 3000
const DELIVERY_US = 15_000
/** Microseconds between two tries while Redis is away. */
const AWAY_STEP_US = 50_000
/** Microseconds after which a job of a worker that died is handed out again. */
const STALLED_US = 12_000_000
const BACKOFF_FIRST_US = 100_000
const BACKOFF_MAX_US = 60_000_000
/** How likely a job is delivered twice. */
const TWICE = 0.05

interface Job {
  readonly id: string
  readonly queue: QueueName
  readonly wakeUp: WakeUp
  /** The worker that has it. */
  worker: SimProcess | undefined
  /** Counts how often it was handed out: only what the last one of them says counts, as with a lock. */
  deliveries: number
  failures: number
}

type Recorded = RecordedEvent<TransferEvent>
type Processors = Readonly<Record<QueueName, Processor>>

export class SimRedis {
  readonly #kernel: Kernel
  #store: MemoryEventStore<TransferEvent>
  #projections = new MemoryProjectionStore<TransferProjection>()
  #leases: MemoryLeases
  /** What happened, to be able to go back to a moment before. */
  #appended: { readonly atUs: number; readonly recorded: Recorded }[] = []
  #projected: { readonly atUs: number; readonly id: string; readonly projection: Projection<TransferProjection> }[] = []
  #outbox: { readonly atUs: number; readonly entry: OutboxEntry }[] = []
  readonly #jobs = new Map<string, Job>()
  readonly #madeJobs = new Set<string>()
  readonly #signals = new Set<AbortController>()
  #worker: { readonly process: SimProcess; readonly processors: Processors } | undefined
  /** What the clock says to events that are written back. */
  #recordedAt: number | undefined
  isAway = false
  /** Sees each event when it is recorded. */
  onAppended: (recorded: Recorded) => void = () => {}
  /** For tests of the checkers: makes something else of what is recorded. */
  distort: (events: readonly TransferEvent[]) => readonly TransferEvent[] = (events) => events

  constructor(kernel: Kernel) {
    this.#kernel = kernel
    this.#store = this.#newStore()
    this.#leases = new MemoryLeases(() => kernel.nowUs / 1000)
  }

  /** The event store as a process sees it. */
  events(process: SimProcess): EventStore<TransferEvent> {
    const command = <T>(name: string, effect: () => Promise<T>): Promise<T> => this.#command(process, name, effect)
    return {
      append: (streamId, expectedVersion, events, metadata, fence) =>
        command(`append ${events.map(({ type }) => type).join(' ')}`, async () => {
          const written = this.distort(events)
          const appended = await this.#store.append(streamId, expectedVersion, written, metadata, fence)
          if (appended.ok) this.#onAppended(appended.events)
          return appended
        }),
      read: (streamId, fromVersion, limit) => command('read', () => this.#store.read(streamId, fromVersion, limit)),
      version: (streamId) => command('version', () => this.#store.version(streamId)),
      follow: (streamId, fromVersion, signal) => this.#store.follow(streamId, fromVersion, signal),
      streamIds: () => command('streams', () => this.#store.streamIds()),
      delete: (streamId) => command('delete', () => this.#store.delete(streamId)),
    }
  }

  projections(process: SimProcess): ProjectionStore<TransferProjection> {
    return {
      get: (id) => this.#command(process, 'projection', () => this.#projections.get(id)),
      compareAndSet: (id, expectedCursor, next) =>
        this.#command(process, 'project', async () => {
          const isSet = await this.#projections.compareAndSet(id, expectedCursor, next)
          if (isSet) this.#projected.push({ atUs: this.#kernel.nowUs, id, projection: next })
          return isSet
        }),
      all: () => this.#command(process, 'projections', () => this.#projections.all()),
      delete: (id) => this.#command(process, 'forget', () => this.#projections.delete(id)),
    }
  }

  leases(process: SimProcess): Leases {
    return {
      acquire: (name, owner, ttlMs) => this.#command(process, 'lease', () => this.#leases.acquire(name, owner, ttlMs)),
      release: (name, owner) => this.#command(process, 'release', () => this.#leases.release(name, owner)),
    }
  }

  /** All events that it holds now. */
  async contents(): Promise<readonly { readonly streamId: string; readonly events: readonly Recorded[] }[]> {
    const ids = await this.#store.streamIds()
    return Promise.all(ids.map(async (streamId) => ({ streamId, events: await this.#store.read(streamId) })))
  }

  async projection(id: string): Promise<Projection<TransferProjection> | undefined> {
    return this.#projections.get(id)
  }

  /** The workers of a node that started: it gets what waits, and later what its predecessor had. */
  work(process: SimProcess, processors: Processors): void {
    this.#worker = { process, processors }
    for (const job of this.#jobs.values()) {
      this.#kernel.after(job.worker === undefined ? DELIVERY_US : STALLED_US, process, () => this.#deliver(job))
    }
    this.#relay()
  }

  /** Makes a job outside of the log. */
  wake(queue: QueueName, wakeUp: WakeUp, occasion: string): void {
    this.#add(queue, wakeUp, `${wakeUp.eventId}.${occasion}`)
  }

  /** The simulation is over: a signal with listeners that is never aborted would be kept for ever, and all of it with it. */
  end(): void {
    for (const signal of this.#signals) signal.abort()
    this.#signals.clear()
  }

  /** Comes back as it was `us` ago. Jobs and leases are not kept: those that are missing are the node's to make again. */
  async forget(us: number): Promise<void> {
    const untilUs = this.#kernel.nowUs - us
    this.#appended = this.#appended.filter(({ atUs }) => atUs <= untilUs)
    this.#projected = this.#projected.filter(({ atUs }) => atUs <= untilUs)
    this.#outbox = this.#outbox.filter(({ atUs }) => atUs <= untilUs)
    this.#store = this.#newStore()
    this.#projections = new MemoryProjectionStore()
    this.#leases = new MemoryLeases(() => this.#kernel.nowUs / 1000)
    this.#jobs.clear()
    this.#madeJobs.clear()
    const cause = { correlationId: 'kept', causationId: 'kept' }
    for (const { recorded } of this.#appended) {
      this.#recordedAt = recorded.recordedAt
      const event = { type: recorded.type, data: recorded.data } as TransferEvent
      await this.#store.append(recorded.streamId, recorded.version - 1, [event], cause)
    }
    this.#recordedAt = undefined
    this.#store.takeOutbox()
    for (const { id, projection } of this.#projected) {
      const before = await this.#projections.get(id)
      await this.#projections.compareAndSet(id, before?.cursor ?? 0, projection)
    }
  }

  #newStore(): MemoryEventStore<TransferEvent> {
    return new MemoryEventStore<TransferEvent>({
      now: () => this.#recordedAt ?? this.#kernel.wallMs(),
      routeOf,
      holds: (fence) => this.#leases.holds(fence),
    })
  }

  #command<T>(process: SimProcess, name: string, effect: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = (): void => {
        if (this.isAway) this.#kernel.after(AWAY_STEP_US, process, attempt)
        else void process.call(name, COMMAND_US, effect).then(resolve, reject)
      }
      attempt()
    })
  }

  #onAppended(events: readonly Recorded[]): void {
    for (const recorded of events) {
      this.#appended.push({ atUs: this.#kernel.nowUs, recorded })
      this.#kernel.trace(`recorded ${recorded.version} ${recorded.type} ${JSON.stringify(recorded.data)}`)
      this.onAppended(recorded)
    }
    for (const entry of this.#store.takeOutbox()) this.#outbox.push({ atUs: this.#kernel.nowUs, entry })
    this.#kernel.after(this.#kernel.random.below(DELIVERY_US), this.#worker?.process, () => this.#relay())
  }

  #relay(): void {
    if (this.isAway) {
      this.#kernel.after(AWAY_STEP_US, this.#worker?.process, () => this.#relay())
      return
    }
    for (const { entry } of this.#outbox) this.#add(entry.queue, entry, entry.eventId)
    this.#outbox = []
  }

  /** A job whose id there was before is ignored. */
  #add(queue: QueueName, { streamId, eventId }: WakeUp, jobId: string): void {
    const id = `${queue} ${jobId}`
    if (this.#madeJobs.has(id)) return
    this.#madeJobs.add(id)
    const job: Job = { id, queue, wakeUp: { streamId, eventId }, worker: undefined, deliveries: 0, failures: 0 }
    this.#jobs.set(id, job)
    this.#deliverLater(job, 0)
    if (this.#kernel.random.happens(TWICE)) this.#deliverLater(job, 1_000_000)
  }

  #deliverLater(job: Job, us: number): void {
    this.#kernel.after(us + this.#kernel.random.below(DELIVERY_US), this.#worker?.process, () => this.#deliver(job))
  }

  #deliver(job: Job): void {
    const worker = this.#worker
    if (worker === undefined || this.#jobs.get(job.id) !== job) return
    if (this.isAway) {
      this.#deliverLater(job, AWAY_STEP_US)
      return
    }
    job.worker = worker.process
    job.deliveries += 1
    const { queue, wakeUp, deliveries } = job
    const stopping = new AbortController()
    this.#signals.add(stopping)
    worker.processors[queue](wakeUp, stopping.signal).then(
      (again) => {
        this.#signals.delete(stopping)
        if (job.deliveries !== deliveries) return
        job.worker = undefined
        job.failures = 0
        if (again === undefined) this.#jobs.delete(job.id)
        else this.#deliverLater(job, again.againAfterMs * 1000)
      },
      () => {
        if (job.deliveries !== deliveries) return
        job.worker = undefined
        job.failures += 1
        this.#deliverLater(job, Math.min(BACKOFF_MAX_US, BACKOFF_FIRST_US * 2 ** (job.failures - 1)))
      },
    )
  }
}
