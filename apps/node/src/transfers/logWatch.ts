/**
 * Notices when the log of a running node has lost something, and takes up again what it concerns. A Redis that came back
 * may have lost its last second or its jobs; one that was emptied has lost everything. What runs was begun by what is not
 * recorded any more: such a transfer is let go of, its stream is built again, and it is woken, as at a node's start.
 */
import { randomUUID } from 'node:crypto'
import { eventIdOf } from '@godwit/protocol/events'
import type { LogLook } from '@godwit/redis/logLife'
import type { RunManager } from '../runs/runManager.js'
import { type ReconcileDeps, takeUp } from './reconcile.js'

/** Milliseconds between looks: two commands that write nothing. */
const LOOK_EVERY_MS = 1000

export interface LogWatchDeps extends ReconcileDeps {
  readonly life: { look(): Promise<LogLook> }
  readonly runs: Pick<RunManager, 'drop'>
}

export class LogWatch {
  readonly #deps: LogWatchDeps
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  /** The log was found to be another, or to have been away, and that was not yet dealt with to its end. */
  #isDue = false

  constructor(deps: LogWatchDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.look()
        .catch((error: unknown) => this.#deps.logger.warn({ err: error }, 'the log could not be looked at'))
        .finally(() => {
          this.#looking = undefined
        })
    }, LOOK_EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** One look. Waits while Redis is away, and rejects when it refuses: the next look finds the same. */
  async look(): Promise<void> {
    const { life, log, records } = this.#deps
    if ((await life.look()) !== 'same') this.#isDue = true
    if (!this.#isDue && !log.hasShortened) return
    const occasion = `log-${randomUUID()}`
    for (const id of records.ids()) await this.#lookAfter(id, occasion)
    this.#isDue = false
  }

  async #lookAfter(id: string, occasion: string): Promise<void> {
    const { log, records, queues, runs, logger } = this.#deps
    if (await log.hasLostEvents(id)) {
      logger.warn({ transferId: id }, 'the log has lost events of this transfer: it is taken up again')
      await runs.drop(id)
      log.forget(id)
      await takeUp(this.#deps, id, occasion)
      return
    }
    // Its jobs may be lost though its events are not. A wake-up too many does no harm.
    const version = log.seenVersion(id)
    const ended = records.get(id)?.ended ?? null
    if (version > 0 && (ended === null || ended === 'failed'))
      await queues.wake('transfers', { streamId: id, eventId: eventIdOf(id, version) }, occasion)
  }
}
