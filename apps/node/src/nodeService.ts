/** What the node does for its clients: commands on transfers, their views, and the node's own state. */

import type { TransferCommand } from '@godwit/engine/domain/transfer/commands'
import { type PauseReason, runOf, type Run as TransferRun } from '@godwit/engine/domain/transfer/state'
import { stateOfTransfer } from '@godwit/engine/domain/transfer/states'
import type { EventStore } from '@godwit/engine/ports/eventStore'
import type { ProjectionStore } from '@godwit/engine/ports/projectionStore'
import type { TransferProjection } from '@godwit/engine/projections/transferProjection'
import type {
  Doctor,
  EnqueuedLine,
  EventLine,
  ListChange,
  NodeSettings,
  NodeStatus,
  TransferDetails,
  TransferView,
} from '@godwit/protocol/api'
import { displayName } from '@godwit/protocol/displayName'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import type { Schedule } from '@godwit/protocol/schedule'
import type { TransferEvent } from '@godwit/protocol/transferEvents'
import { redisFailureOf } from '@godwit/redis/connection'
import { checkOutputDir } from './files/diskSpace.js'
import { Staging } from './files/staging.js'
import type { TransferRecord, TransferRecords } from './records/transferRecord.js'
import type { RunManager } from './runs/runManager.js'
import type { SecretStore } from './secrets/secretStore.js'
import type { NodeService } from './service.js'
import { codeOf } from './transfers/codeOf.js'
import { checkSchedule, type EnqueueDeps, type Enqueued, enqueueReceive, enqueueSend } from './transfers/enqueue.js'
import { eventLineOf, lastLineOf, offeredLineOf, transferViewOf } from './transfers/lines.js'
import type { TransferLog } from './transfers/transferLog.js'
import { watchList } from './transfers/watchList.js'
import { watchTransfer } from './transfers/watchTransfer.js'

/** Milliseconds that `enqueueSend` waits for the room, whose nameplate the code needs. */
const ROOM_WAIT_MS = 20_000
/** Who a command of the local API comes from, as events say it. */
const USER = 'user'

export interface NodeServiceDeps {
  readonly log: TransferLog
  readonly events: EventStore<TransferEvent>
  readonly projections: ProjectionStore<TransferProjection>
  readonly records: TransferRecords
  readonly secrets: SecretStore
  readonly runs: RunManager
  readonly rendezvous: string | undefined
  /** Whether the log answers: a command fails at once where it would wait for Redis. */
  readonly isLogReady: () => boolean
  readonly status: () => Promise<NodeStatus>
  readonly doctor: () => Promise<Doctor>
  /** Keeps what was changed, and puts it into effect. */
  readonly configure: (change: Partial<NodeSettings>, by: string) => NodeSettings
  readonly shutdown: () => Promise<void>
}

export class RealNodeService implements NodeService {
  readonly #deps: NodeServiceDeps
  /** Submissions that are being taken in. */
  readonly #submissions = new Map<string, Promise<void>>()

  constructor(deps: NodeServiceDeps) {
    this.#deps = deps
  }

  async enqueueSend(input: Parameters<NodeService['enqueueSend']>[0]): Promise<Result<EnqueuedLine>> {
    const enqueued = await this.#once(input.submissionId, () => enqueueSend(this.#enqueueDeps(), input))
    if (!enqueued.ok) return enqueued
    const { record } = enqueued.value
    const code = await this.#waitForCode(record)
    if (!code.ok) return code
    return ok({
      type: 'transfer.enqueued',
      transferId: record.transferId,
      ...(code.value === undefined ? {} : { code: code.value }),
      skipped: record.skipped.map(({ path, reason }) => ({ path: displayName(path, 4096), reason })),
    })
  }

  async enqueueReceive(input: Parameters<NodeService['enqueueReceive']>[0]): Promise<Result<EnqueuedLine>> {
    const enqueued = await this.#once(input.submissionId, () => enqueueReceive(this.#enqueueDeps(), input))
    if (!enqueued.ok) return enqueued
    return ok({ type: 'transfer.enqueued', transferId: enqueued.value.record.transferId })
  }

  async accept(transferId: string, output: string | undefined): Promise<Result<TransferView>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const receiver = ownReceiver(projection.value)
    if (receiver === undefined) return fail('ERR_TRANSFER_STATE', 'only an offer that was received can be accepted')
    if (output !== undefined) {
      const writable = await checkOutputDir(output)
      if (!writable.ok) return writable
      if (this.#deps.records.get(transferId)?.isAccepted === true) {
        return fail('ERR_TRANSFER_STATE', 'it was accepted already, so its folder stays')
      }
      this.#deps.records.update(transferId, { output })
    }
    return this.#command(transferId, { type: 'accept', receiver })
  }

  async decline(transferId: string): Promise<Result<TransferView>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const receiver = ownReceiver(projection.value)
    if (receiver === undefined) return fail('ERR_TRANSFER_STATE', 'only an offer that was received can be declined')
    return this.#command(transferId, { type: 'decline', receiver })
  }

  pause(transferId: string): Promise<Result<TransferView>> {
    return this.#command(transferId, { type: 'pause', reason: 'user', by: USER })
  }

  async resume(transferId: string): Promise<Result<TransferView>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const { transfer } = projection.value
    const refusal = transfer.status === 'paused' ? RESUMED_OTHERWISE[transfer.reason] : undefined
    if (refusal !== undefined) return fail('ERR_TRANSFER_STATE', refusal)
    return this.#command(transferId, { type: 'resume', by: USER })
  }

  cancel(transferId: string): Promise<Result<TransferView>> {
    return this.#command(transferId, { type: 'cancel', by: USER })
  }

  retry(transferId: string): Promise<Result<TransferView>> {
    return this.#command(transferId, { type: 'retry', by: USER })
  }

  async setLimit(transferId: string, limit: number | null): Promise<Result<TransferView>> {
    const sending = await this.#sending(transferId, 'the limit of a transfer is set on the side that sends')
    if (!sending.ok) return sending
    return this.#kept(transferId, { type: 'changeLimit', limit, by: USER }, { limit })
  }

  async setPriority(transferId: string, priority: number): Promise<Result<TransferView>> {
    const sending = await this.#sending(transferId, 'the priority of a transfer is set on the side that sends')
    if (!sending.ok) return sending
    return this.#kept(transferId, { type: 'changePriority', priority, by: USER }, { priority })
  }

  async setSchedule(transferId: string, change: Partial<Schedule>): Promise<Result<TransferView>> {
    const sending = await this.#sending(transferId, 'when a transfer runs is set on the side that sends')
    if (!sending.ok) return sending
    const schedule = { ...sending.value.schedule, ...change }
    const isPossible = checkSchedule(schedule, Date.now())
    if (!isPossible.ok) return isPossible
    return this.#kept(transferId, { type: 'changeSchedule', schedule, by: USER }, { schedule })
  }

  async configure(change: Partial<NodeSettings>): Promise<Result<NodeSettings>> {
    return ok(this.#deps.configure(change, USER))
  }

  async remove(transferId: string): Promise<Result<{ readonly transferId: string }>> {
    const { records, secrets, events, projections, runs } = this.#deps
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const { status } = projection.value.transfer
    if (status === 'active' || status === 'paused') {
      return fail('ERR_TRANSFER_STATE', 'it has not ended: cancel it first')
    }
    await runs.abandon(projection.value)
    const record = records.get(transferId)
    if (record?.role === 'receiver' && record.output !== null) await Staging.discard(record.output, transferId)
    await secrets.delete(transferId)
    await events.delete(transferId)
    await projections.delete(transferId)
    // Last: what is left after a crash in between can be removed again by its record.
    records.remove(transferId)
    return ok({ transferId })
  }

  async list(): Promise<Result<readonly TransferView[]>> {
    const ready = this.#ready()
    if (!ready.ok) return ready
    const { log, records } = this.#deps
    const projections = await Promise.all(records.ids().map((id) => log.read(id)))
    return ok(
      projections
        .filter((projection) => projection !== undefined)
        .filter(({ transfer }) => transfer.status !== 'none')
        .map((projection) => transferViewOf(projection, records))
        .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)),
    )
  }

  async get(transferId: string): Promise<Result<TransferView>> {
    const projection = await this.#projection(transferId)
    return projection.ok ? ok(transferViewOf(projection.value, this.#deps.records)) : projection
  }

  async details(transferId: string): Promise<Result<TransferDetails>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const { records, secrets } = this.#deps
    const record = records.get(transferId)
    const { transfer } = projection.value
    const isReceiver = record?.role === 'receiver'
    const read = record?.role === 'sender' && record.ended === null ? await secrets.read(transferId) : undefined
    if (read?.ok === false) return read
    const code = read === undefined || record === undefined ? undefined : codeOf(projection.value, read.value, record)
    const hasOffer = isReceiver && transfer.status !== 'none' && transfer.run.contents !== undefined
    const last = lastLineOf(projection.value, records)
    return ok({
      type: 'transfer.details',
      code: code ?? null,
      verification: record?.receiverWords ?? {},
      offer: hasOffer ? offeredLineOf(projection.value, records) : null,
      result: last?.type === 'transfer.completed' ? last : null,
    })
  }

  watchList(signal: AbortSignal): AsyncIterable<ListChange> {
    const { events, records, isLogReady } = this.#deps
    return watchList(
      {
        ids: () => records.ids(),
        version: (id) => events.version(id),
        view: async (id) => {
          const view = await this.get(id)
          return view.ok ? view.value : undefined
        },
        isReady: isLogReady,
      },
      signal,
    )
  }

  async events(transferId: string, fromVersion: number): Promise<Result<readonly EventLine[]>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    return ok((await this.#deps.events.read(transferId, fromVersion)).map(eventLineOf))
  }

  async *followEvents(transferId: string, fromVersion: number, signal: AbortSignal): AsyncIterable<EventLine> {
    for await (const recorded of this.#deps.events.follow(transferId, fromVersion, signal)) yield eventLineOf(recorded)
  }

  watch(transferId: string, fromVersion: number, signal: AbortSignal): ReturnType<NodeService['watch']> {
    return watchTransfer(this.#deps.log, this.#deps.records, transferId, fromVersion, signal)
  }

  status(): Promise<NodeStatus> {
    return this.#deps.status()
  }

  doctor(): Promise<Doctor> {
    return this.#deps.doctor()
  }

  shutdown(): Promise<void> {
    return this.#deps.shutdown()
  }

  #enqueueDeps(): EnqueueDeps {
    const { log, records, secrets, rendezvous } = this.#deps
    return { log, records, secrets, rendezvous }
  }

  /** The same submission twice at the same time is the same transfer too: the second waits for the first. */
  #once(submissionId: string, enqueue: () => Promise<Result<Enqueued>>): Promise<Result<Enqueued>> {
    const before = this.#submissions.get(submissionId) ?? Promise.resolve()
    const enqueued = before.then(() => {
      const ready = this.#ready()
      return ready.ok ? unlessRefused(enqueue) : ready
    })
    const settled = enqueued.then(
      () => undefined,
      () => undefined,
    )
    this.#submissions.set(submissionId, settled)
    void settled.then(() => {
      if (this.#submissions.get(submissionId) === settled) this.#submissions.delete(submissionId)
    })
    return enqueued
  }

  #ready(): Result<void> {
    return this.#deps.isLogReady() ? ok(undefined) : fail('ERR_REDIS_UNREACHABLE')
  }

  async #projection(transferId: string): Promise<Result<TransferProjection>> {
    const ready = this.#ready()
    if (!ready.ok) return ready
    const projection = await this.#deps.log.read(transferId)
    if (projection === undefined || projection.transfer.status === 'none') return fail('ERR_TRANSFER_NOT_FOUND')
    return ok(projection)
  }

  /** A transfer that this node sends. @param refusal - ERR_TRANSFER_STATE's detail for one that it receives. */
  async #sending(transferId: string, refusal: string): Promise<Result<TransferRun>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const run = runOf(projection.value.transfer)
    return run?.role === 'sender' ? ok(run) : fail('ERR_TRANSFER_STATE', refusal)
  }

  /** A command whose outcome the record keeps too, for a log that is lost. */
  async #kept(
    transferId: string,
    command: TransferCommand,
    change: Partial<TransferRecord>,
  ): Promise<Result<TransferView>> {
    const done = await this.#command(transferId, command)
    if (done.ok) this.#deps.records.update(transferId, change)
    return done
  }

  async #command(transferId: string, command: TransferCommand): Promise<Result<TransferView>> {
    const projection = await this.#projection(transferId)
    if (!projection.ok) return projection
    const executed = await unlessRefused(() => this.#deps.log.execute(transferId, command))
    if (executed.ok) return this.get(transferId)
    const { code, detail } = executed.failure
    if (code !== 'ERR_TRANSFER_STATE' || detail !== undefined) return executed
    return fail(code, `it is ${stateOfTransfer(projection.value.transfer)}`)
  }

  /**
   * The code is known when the room is open; what keeps it from opening is told, and the transfer goes on trying.
   * Undefined for a transfer that is over: its words are gone.
   */
  async #waitForCode(record: TransferRecord): Promise<Result<string | undefined>> {
    const { log, secrets } = this.#deps
    const waiting = AbortSignal.timeout(ROOM_WAIT_MS)
    try {
      for await (const recorded of this.#deps.events.follow(record.transferId, 1, waiting)) {
        if (!TELLS_OF_CODE.has(recorded.type)) continue
        const projection = await log.read(record.transferId)
        const read = await secrets.read(record.transferId)
        if (!read.ok) return read
        if (projection?.transfer.status === 'failed') {
          return fail(projection.transfer.code, projection.transfer.detail ?? undefined)
        }
        if (projection?.transfer.status === 'completed' || projection?.transfer.status === 'cancelled') {
          return ok(undefined)
        }
        const code = codeOf(projection, read.value, record)
        if (code !== undefined) return ok(code)
      }
    } catch (error) {
      if (!waiting.aborted) throw error
    }
    return fail('ERR_RENDEZVOUS_UNREACHABLE', `transfer ${record.transferId} is kept and goes on trying`)
  }
}

/** How holds of the node are lifted that its user cannot lift by resuming: they would come again at once. */
const RESUMED_OTHERWISE: Partial<Record<PauseReason, string>> = {
  scheduled: 'it waits for its start, and godwit schedule ID --start-at now begins it',
  window: 'it is outside of its daily window, and godwit schedule ID --window none lets it run at any time',
  queue: 'it waits for its turn, and godwit priority ID N or godwit node sending N lets it come sooner',
}

/** Events after which the code is known, or that there will be none. */
const TELLS_OF_CODE: ReadonlySet<TransferEvent['type']> = new Set([
  'RoomEntered',
  'TransferFailed',
  'TransferCompleted',
  'TransferCancelled',
])

/** A Redis that refuses is no bug: whoever asked is told. */
const unlessRefused = async <T>(act: () => Promise<Result<T>>): Promise<Result<T>> => {
  try {
    return await act()
  } catch (error) {
    const failure = redisFailureOf(error)
    if (failure === undefined) throw error
    return { ok: false, failure }
  }
}

const ownReceiver = ({ transfer }: TransferProjection): string | undefined =>
  transfer.status === 'none' || transfer.run.role === 'sender'
    ? undefined
    : (transfer.run.room?.receiver ?? 'not in a room yet')
