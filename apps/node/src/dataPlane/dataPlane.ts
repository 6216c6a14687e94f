/**
 * The main thread's side of the data plane: one worker thread per lane, commands in, reports out. A worker that dies is
 * a bug or an exhausted machine: the node ends and its supervisor starts it again, and the transfers resume.
 */
import { Worker } from 'node:worker_threads'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import type { LaneCommand, LaneReport } from './messages.js'

export type SessionReport = Exclude<LaneReport, { type: 'opened' | 'openFailed' }>

/**
 * A lane's heap for what is new. dgram makes a buffer of 64 KiB for each read, which counts as memory outside of the heap;
 * with V8's usual 48 MB it comes to a full collection for every 64 MB that arrive, before the small one that would have
 * been enough: a quarter of the receiver's time.
 */
const YOUNG_GENERATION_MB = 3

interface OpenSession {
  onReport: (report: SessionReport) => void
  onOpened: ((result: Result<{ readonly port: number }>) => void) | undefined
}

/** A command without its session's key, which the handle adds. */
type WithoutKey<C> = C extends { key: string } ? Omit<C, 'key'> : never
export type SessionCommand = WithoutKey<Exclude<LaneCommand, { type: 'open' }>>

/** A session in the data plane, from its bound socket to its `ended` report. */
export interface DataSession {
  readonly port: number
  command(command: SessionCommand): void
}

export class DataPlane {
  readonly #worker: Worker
  readonly #listenHost: string
  readonly #sessions = new Map<string, OpenSession>()
  #nextKey = 1
  #isStopping = false

  /**
   * @param listenHost - the IPv4 address that sessions bind to; 0.0.0.0 for all.
   * @param onCrash - the worker died of a bug: the process cannot go on.
   */
  constructor(listenHost: string, onCrash: (error: Error) => void) {
    this.#listenHost = listenHost
    this.#worker = new Worker(new URL('./laneWorker.js', import.meta.url), {
      name: 'lane-0',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    this.#worker.on('message', (report: LaneReport) => this.#onReport(report))
    this.#worker.on('error', (error) => onCrash(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', () => {
      if (!this.#isStopping) onCrash(new Error('the worker of lane 0 ended'))
    })
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** Binds a socket for a new session. `onReport` is called until and with `ended`. */
  open(onReport: (report: SessionReport) => void): Promise<Result<DataSession>> {
    const key = `s${this.#nextKey++}`
    return new Promise((resolve) => {
      this.#sessions.set(key, {
        onReport,
        onOpened: (result) =>
          resolve(
            result.ok
              ? ok({ port: result.value.port, command: (command) => this.#command({ ...command, key } as LaneCommand) })
              : result,
          ),
      })
      this.#command({ type: 'open', key, host: this.#listenHost })
    })
  }

  /** Ends the worker; sessions are to be closed before. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#worker.terminate()
  }

  // The spread of a union member and its key is a member of the other union: the compiler cannot follow that.
  #command(command: LaneCommand): void {
    this.#worker.postMessage(command)
  }

  #onReport(report: LaneReport): void {
    const session = this.#sessions.get(report.key)
    if (session === undefined) return
    switch (report.type) {
      case 'opened':
        session.onOpened?.(ok({ port: report.port }))
        session.onOpened = undefined
        return
      case 'openFailed':
        this.#sessions.delete(report.key)
        session.onOpened?.(fail(report.failure.code, report.failure.detail))
        return
      case 'ended':
        this.#sessions.delete(report.key)
        break
    }
    session.onReport(report)
  }
}
