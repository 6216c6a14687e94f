/**
 * Commands on transfers: read what the log says, decide, append under the version that was read, and begin again when
 * somebody else was first. Everything that changes a transfer goes through here.
 */
import { randomUUID } from 'node:crypto'
import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { decide } from '@godwit/engine/domain/transfer/decide'
import { initialTransfer } from '@godwit/engine/domain/transfer/state'
import type { EventStore, Fence } from '@godwit/engine/ports/eventStore'
import type { Projector } from '@godwit/engine/projections/projector'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import type { RecordedEvent } from '@godwit/protocol/events'
import type { TransferEvent } from '@godwit/protocol/transferEvents'

/** Races lost in a row before a command gives up: each means that somebody else has moved on. */
const CONFLICTS_MAX = 100

export interface Cause {
  readonly correlationId: string
  readonly causationId: string
}

/** A new cause: a user's request, or what the network brought. */
export const newCause = (): Cause => {
  const correlationId = randomUUID()
  return { correlationId, causationId: correlationId }
}

export class TransferLog {
  readonly #events: EventStore<TransferEvent>
  readonly #projector: Projector<TransferProjection>
  /** Proof that this node runs a transfer; appends without it are for transfers that nobody runs. */
  readonly #fences = new Map<string, Fence>()
  /** The highest version of each stream that this process has seen. */
  readonly #seen = new Map<string, number>()
  /** Streams that were found shorter than they had been. */
  readonly #shortened = new Set<string>()

  constructor(events: EventStore<TransferEvent>, projector: Projector<TransferProjection>) {
    this.#events = events
    this.#projector = projector
  }

  get events(): EventStore<TransferEvent> {
    return this.#events
  }

  setFence(transferId: string, fence: Fence | undefined): void {
    if (fence === undefined) this.#fences.delete(transferId)
    else this.#fences.set(transferId, fence)
  }

  /** What the log says now; undefined where there is no such transfer. */
  async read(transferId: string): Promise<TransferProjection | undefined> {
    const seen = this.seenVersion(transferId)
    const state = (await this.#projector.catchUp(transferId))?.state
    const version = state?.version ?? 0
    // A stream only grows: the log has lost its end.
    if (version < seen) this.#shortened.add(transferId)
    else this.#see(transferId, version)
    return state
  }

  /** The highest version of a stream that this process knows of; 0 for one that it has not looked at. */
  seenVersion(transferId: string): number {
    return this.#seen.get(transferId) ?? 0
  }

  /** Whether a stream has lost events that this process knows of. */
  async hasLostEvents(transferId: string): Promise<boolean> {
    const seen = this.seenVersion(transferId)
    return this.#shortened.has(transferId) || (await this.#events.version(transferId)) < seen
  }

  /** Whether a stream was found shorter than it had been, and nobody has dealt with that yet. */
  get hasShortened(): boolean {
    return this.#shortened.size > 0
  }

  /** What the process knows of a stream counts no more, its lease neither: the stream as it is now is the truth. */
  forget(transferId: string): void {
    this.#seen.delete(transferId)
    this.#shortened.delete(transferId)
    this.#fences.delete(transferId)
  }

  /** The events that the command led to; none where there was nothing left to do. */
  async execute(
    transferId: string,
    command: TransferCommand,
    cause: Cause = newCause(),
  ): Promise<Result<readonly RecordedEvent<TransferEvent>[]>> {
    for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
      const projection = await this.read(transferId)
      const decision = decide(command, projection?.transfer ?? initialTransfer)
      if (!decision.ok) return decision
      if (decision.events.length === 0) return ok([])
      const appended = await this.#events.append(
        transferId,
        projection?.version ?? 0,
        decision.events,
        cause,
        this.#fences.get(transferId),
      )
      if (appended.ok) {
        this.#see(transferId, appended.version)
        return ok(appended.events)
      }
      if (appended.code === 'fenced') return fail('ERR_TRANSFER_STATE', 'another node runs this transfer')
    }
    return fail('ERR_TRANSFER_STATE', 'too many others change this transfer at the same time')
  }

  #see(transferId: string, version: number): void {
    this.#seen.set(transferId, Math.max(version, this.seenVersion(transferId)))
  }
}

/** The failure as text for a log line: no secret is ever in one. */
export const describe = (failure: Failure): string =>
  failure.detail === undefined ? failure.code : `${failure.code}: ${failure.detail}`
