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
    return (await this.#projector.catchUp(transferId))?.state
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
      if (appended.ok) return ok(appended.events)
      if (appended.code === 'fenced') return fail('ERR_TRANSFER_STATE', 'another node runs this transfer')
    }
    return fail('ERR_TRANSFER_STATE', 'too many others change this transfer at the same time')
  }
}

/** The failure as text for a log line: no secret is ever in one. */
export const describe = (failure: Failure): string =>
  failure.detail === undefined ? failure.code : `${failure.code}: ${failure.detail}`
