/**
 * The main thread's side of the data plane: worker threads, each with the lanes that were given to it; commands in, reports
 * out. A worker that dies is a bug or an exhausted machine: the node ends and its supervisor starts it again, and the
 * transfers resume.
 */
import { type MessagePort, Worker } from 'node:worker_threads'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { within } from '@godwit/redis/within'
import type { LaneCommand, LaneReport } from './messages.js'

/**
 * A lane's heap for what is new. dgram makes a buffer of 64 KiB for each read, which counts as memory outside of the heap;
 * with V8's usual 48 MB it comes to a full collection for every 64 MB that arrive, before the small one that would have
 * been enough: a quarter of the receiver's time.
 */
const YOUNG_GENERATION_MB = 3

/** Milliseconds that sessions have for their last checkpoint. */
const DRAIN_TIMEOUT_MS = 3000

export type SessionReport = Exclude<LaneReport, { type: 'opened' | 'openFailed' }>

interface OpenLane {
  readonly thread: LaneThread
  readonly onReport: (report: SessionReport) => void
  onOpened: ((result: Result<{ readonly port: number }>) => void) | undefined
}

interface LaneThread {
  readonly worker: Worker
  /** Lanes that run in it. */
  lanes: number
}

/** A command without its lane's key, which the handle adds. */
type WithoutKey<C> = C extends { key: string } ? Omit<C, 'key'> : never
export type SessionCommand = WithoutKey<Exclude<LaneCommand, { type: 'open' }>>

/** A lane in the data plane, from its bound socket to its `ended` report. */
export interface DataSession {
  readonly port: number
  /** @param transfer - ports that the command hands over. */
  command(command: SessionCommand, transfer?: readonly MessagePort[]): void
}

export interface DataPlaneOptions {
  /** The IPv4 address that lanes bind to; 0.0.0.0 for all. */
  readonly listenHost: string
  /** Threads at the most: made when they are needed. */
  readonly threads: number
  /** A worker died of a bug: the process cannot go on. */
  readonly onCrash: (error: Error) => void
}

export class DataPlane {
  readonly #options: DataPlaneOptions
  readonly #threads: LaneThread[] = []
  readonly #lanes = new Map<string, OpenLane>()
  #nextKey = 1
  #onDrained: (() => void) | undefined
  #isStopping = false

  constructor(options: DataPlaneOptions) {
    this.#options = options
    // The first transfer should not wait for a thread.
    this.#addThread()
  }

  /** Binds a socket for a lane, in the thread that has the fewest. `onReport` is called until and with `ended`. */
  open(onReport: (report: SessionReport) => void): Promise<Result<DataSession>> {
    const key = `l${this.#nextKey++}`
    const thread = this.#leastBusy()
    thread.lanes += 1
    return new Promise((resolve) => {
      const command: DataSession['command'] = (command, transfer = []) =>
        // The spread of a union member and its key is a member of the other union: the compiler cannot follow that.
        thread.worker.postMessage({ ...command, key } as LaneCommand, [...transfer])
      this.#lanes.set(key, {
        thread,
        onReport,
        onOpened: (result) => resolve(result.ok ? ok({ port: result.value.port, command }) : result),
      })
      const open: LaneCommand = { type: 'open', key, host: this.#options.listenHost }
      thread.worker.postMessage(open)
    })
  }

  /** Waits until every lane has told its end, with its last checkpoint: not longer than a disk may take for it. */
  async drained(): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve
    })
    if (this.#lanes.size > 0) await within(DRAIN_TIMEOUT_MS, drained)
  }

  /** Ends the threads; sessions are to be closed before. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }

  #leastBusy(): LaneThread {
    const idlest = this.#threads.toSorted((one, other) => one.lanes - other.lanes)[0]
    if (idlest !== undefined && (idlest.lanes === 0 || this.#threads.length >= this.#options.threads)) return idlest
    return this.#addThread()
  }

  #addThread(): LaneThread {
    const worker = new Worker(new URL('./laneWorker.js', import.meta.url), {
      name: `lanes-${this.#threads.length}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    const { onCrash } = this.#options
    worker.on('message', (report: LaneReport) => this.#onReport(report))
    worker.on('error', (error) => onCrash(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', () => {
      if (!this.#isStopping) onCrash(new Error('a thread of the data plane ended'))
    })
    const thread = { worker, lanes: 0 }
    this.#threads.push(thread)
    return thread
  }

  #onReport(report: LaneReport): void {
    const lane = this.#lanes.get(report.key)
    if (lane === undefined) return
    switch (report.type) {
      case 'opened':
        lane.onOpened?.(ok({ port: report.port }))
        lane.onOpened = undefined
        return
      case 'openFailed':
        this.#forget(report.key, lane)
        lane.onOpened?.(fail(report.failure.code, report.failure.detail))
        return
      case 'ended':
        this.#forget(report.key, lane)
        break
    }
    lane.onReport(report)
  }

  #forget(key: string, lane: OpenLane): void {
    this.#lanes.delete(key)
    lane.thread.lanes -= 1
    if (this.#lanes.size === 0) this.#onDrained?.()
  }
}
