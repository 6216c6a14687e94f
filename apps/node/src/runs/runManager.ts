/** The transfers that run on this node: one run each, made when it is wanted and dropped when it is over. */
import { setTimeout as delay } from 'node:timers/promises'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import { ERRORS } from '@godwit/protocol/errors'
import { within } from '@godwit/redis/within'
import { ReceiverRun } from './receiverRun.js'
import type { Run } from './run.js'
import type { RunContext } from './runContext.js'
import { SenderRun } from './senderRun.js'

/** Milliseconds that stopping waits for steps under way, and removing for the rendezvous. */
const STOP_TIMEOUT_MS = 3000
const ABANDON_TIMEOUT_MS = 3000
/** Milliseconds between looks at a run that comes to its end. */
const LOOK_EVERY_MS = 20

export class RunManager {
  readonly #context: RunContext
  readonly #runs = new Map<string, Run>()
  #isStopped = false

  constructor(context: RunContext) {
    this.#context = context
  }

  /** The run of a transfer, where there is one that is not over. */
  get(transferId: string): Run | undefined {
    const run = this.#runs.get(transferId)
    if (run?.isOver !== true) return run
    this.#runs.delete(transferId)
    return undefined
  }

  /** The run of a transfer that has something left to do, made if need be; undefined for one that is done with. */
  ensure(projection: TransferProjection): Run | undefined {
    const { transferId } = projection
    const known = this.get(transferId)
    if (known !== undefined || this.#isStopped || !this.#isWanted(projection)) return known
    return this.#make(projection)
  }

  #make({ transfer, transferId }: TransferProjection): Run | undefined {
    if (transfer.status === 'none') return undefined
    const Role = transfer.run.role === 'sender' ? SenderRun : ReceiverRun
    const run = new Role(this.#context, transferId)
    this.#runs.set(transferId, run)
    return run
  }

  /** Ends the run of a transfer here; it goes on where it is run next. */
  async drop(transferId: string): Promise<void> {
    const run = this.get(transferId)
    this.#runs.delete(transferId)
    await run?.stop()
  }

  /**
   * Lets go of a transfer that is to be removed: whoever waits for it in its room is told, as far as that can be done at
   * once. Nothing of it runs afterwards.
   */
  async abandon(projection: TransferProjection): Promise<void> {
    const { transfer, transferId } = projection
    const run = this.get(transferId)
    if (transfer.status === 'failed') {
      const told = run ?? this.#make(projection)
      if (told !== undefined) await within(ABANDON_TIMEOUT_MS, told.abandon())
    } else {
      // Whatever ended otherwise tells by itself, and lets go of its files.
      const endsAt = performance.now() + ABANDON_TIMEOUT_MS
      while (run?.isOver === false && performance.now() < endsAt) await delay(LOOK_EVERY_MS)
    }
    await this.drop(transferId)
  }

  /** Those that are not over; what was kept of others is let go of. */
  get active(): readonly Run[] {
    for (const [transferId, { isOver }] of this.#runs) if (isOver) this.#runs.delete(transferId)
    return [...this.#runs.values()]
  }

  /** Ends all sessions with a last checkpoint; the transfers go on when a node runs them again. */
  async stop(): Promise<void> {
    this.#isStopped = true
    // While Redis is away a step under way waits for it: what it would have recorded is found again.
    await within(STOP_TIMEOUT_MS, Promise.all(this.active.map((run) => run.stop())))
  }

  #isWanted({ transfer, transferId }: TransferProjection): boolean {
    const record = this.#context.records.get(transferId)
    if (record === undefined) return false
    switch (transfer.status) {
      case 'none':
        return false
      case 'failed':
        // A sender answers a receiver that tries again; one that has failed for good still has to say so.
        return record.ended === null && (record.role === 'sender' || !ERRORS[transfer.code].isRetryable)
      case 'active':
      case 'paused':
        return true
      // The other side and the rendezvous may not know yet.
      case 'cancelled':
      case 'completed':
        return record.ended === null
    }
  }
}
