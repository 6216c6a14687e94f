/**
 * A NodeService in memory for tests of the API and of the command line: transfers whose lines and events the test pushes
 * by hand. It keeps everything that was pushed, so that a watcher that comes back can be given what it missed.
 */
import type {
  EnqueuedLine,
  EventLine,
  NodeSettings,
  TransferDetails,
  TransferView,
  WatchLine,
} from '@godwit/protocol/api'
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { eventIdOf } from '@godwit/protocol/events'
import type { Schedule } from '@godwit/protocol/schedule'
import type { NodeService, WatchedLine } from '../../service.js'
import { watchList } from '../../transfers/watchList.js'

interface FakeTransfer {
  view: TransferView
  readonly lines: WatchedLine[]
  readonly events: EventLine[]
  isRemoved: boolean
}

/** A transfer's view with everything at rest; `changes` replace fields. */
export const fakeView = (transferId: string, changes: Partial<TransferView> = {}): TransferView => ({
  type: 'transfer',
  transferId,
  state: 'waitingForPeer',
  bytesDone: 0,
  bytesTotal: 1000,
  rate: 0,
  etaSeconds: null,
  receivers: [],
  role: 'sender',
  createdAt: '2026-01-02T03:04:05.000Z',
  updatedAt: '2026-01-02T03:04:05.000Z',
  names: ['film.mkv'],
  fileCount: 1,
  filesDone: 0,
  output: null,
  capacity: 1,
  receiversWanted: 1,
  limit: null,
  profile: null,
  priority: 5,
  schedule: { startAt: null, window: null, deadline: null },
  rendezvous: null,
  session: null,
  chunkCount: 1,
  retransmittedBytes: 0,
  lostPackets: 0,
  corruptedPackets: 0,
  reason: null,
  seconds: null,
  version: 1,
  ...changes,
})

export class FakeNodeService implements NodeService {
  readonly transfers = new Map<string, FakeTransfer>()
  /** Every call that changes something, in order. */
  readonly calls: { readonly name: string; readonly input: unknown }[] = []
  /** What the next enqueue answers instead of a new transfer. */
  enqueueFailure: Failure | undefined
  skipped: EnqueuedLine['skipped']
  /** What `status` reports. */
  version = '0.1.0'
  isStopped = false
  settings: NodeSettings = { limit: null, maxSending: 16 }
  /** Called at the end of an enqueue, so that a test can push lines to the new transfer. */
  onEnqueued: (transferId: string) => void = () => {}
  onShutdown: () => void = () => {}
  #next = 1
  #wake: (() => void)[] = []

  /** Adds a transfer and returns its id. */
  add(changes: Partial<TransferView> = {}): string {
    const letters = 'abcdefghijklmnopqrstuvwxyz'
    const transferId = `tr${'a'.repeat(15)}${letters[this.#next - 1] ?? 'a'}`
    this.#next += 1
    this.transfers.set(transferId, { view: fakeView(transferId, changes), lines: [], events: [], isRemoved: false })
    return transferId
  }

  /** Appends a line of `watch` under a version. */
  pushLine(transferId: string, version: number, line: WatchLine): void {
    this.transfers.get(transferId)?.lines.push({ version, line })
    this.#notify()
  }

  /** Appends progress under a version, for short. */
  pushProgress(transferId: string, version: number, bytesDone: number): void {
    this.pushLine(transferId, version, {
      type: 'transfer.progress',
      transferId,
      state: 'transferring',
      bytesDone,
      bytesTotal: 1000,
      rate: 100,
      etaSeconds: (1000 - bytesDone) / 100,
      receivers: [],
    })
  }

  /** Appends the next event to the transfer's log. */
  pushEvent(transferId: string, event: string, data: Record<string, unknown> = {}): void {
    const transfer = this.transfers.get(transferId)
    if (transfer === undefined) return
    const version = transfer.events.length + 1
    transfer.events.push({
      type: 'event',
      id: eventIdOf(transferId, version),
      version,
      event,
      at: '2026-01-02T03:04:05.000Z',
      data,
    })
    this.#notify()
  }

  /** Takes a transfer away. */
  forget(transferId: string): void {
    const transfer = this.transfers.get(transferId)
    if (transfer !== undefined) transfer.isRemoved = true
    this.transfers.delete(transferId)
    this.#notify()
  }

  async enqueueSend(input: Parameters<NodeService['enqueueSend']>[0]): Promise<Result<EnqueuedLine>> {
    this.calls.push({ name: 'enqueueSend', input })
    if (this.enqueueFailure !== undefined) return { ok: false, failure: this.enqueueFailure }
    const transferId = this.add({ limit: input.limit })
    this.onEnqueued(transferId)
    return ok({
      type: 'transfer.enqueued',
      transferId,
      code: '4821-walnut-umbrella-velvet',
      ...(this.skipped === undefined ? {} : { skipped: this.skipped }),
    })
  }

  async enqueueReceive(input: Parameters<NodeService['enqueueReceive']>[0]): Promise<Result<EnqueuedLine>> {
    this.calls.push({ name: 'enqueueReceive', input })
    if (this.enqueueFailure !== undefined) return { ok: false, failure: this.enqueueFailure }
    const transferId = this.add({ role: 'receiver', output: input.output })
    this.onEnqueued(transferId)
    return ok({ type: 'transfer.enqueued', transferId })
  }

  accept(transferId: string, output: string | undefined): Promise<Result<TransferView>> {
    return this.#command('accept', transferId, { transferId, output }, { state: 'transferring' })
  }

  decline(transferId: string): Promise<Result<TransferView>> {
    return this.#command('decline', transferId, { transferId }, { state: 'cancelled' })
  }

  pause(transferId: string): Promise<Result<TransferView>> {
    return this.#command('pause', transferId, { transferId }, { state: 'paused' })
  }

  resume(transferId: string): Promise<Result<TransferView>> {
    return this.#command('resume', transferId, { transferId }, { state: 'queued' })
  }

  cancel(transferId: string): Promise<Result<TransferView>> {
    return this.#command('cancel', transferId, { transferId }, { state: 'cancelled' })
  }

  retry(transferId: string): Promise<Result<TransferView>> {
    return this.#command('retry', transferId, { transferId }, { state: 'queued' })
  }

  async remove(transferId: string): Promise<Result<{ readonly transferId: string }>> {
    const transfer = this.transfers.get(transferId)
    if (transfer === undefined) return fail('ERR_TRANSFER_NOT_FOUND')
    this.calls.push({ name: 'remove', input: { transferId } })
    this.forget(transferId)
    return ok({ transferId })
  }

  setLimit(transferId: string, limit: number | null): Promise<Result<TransferView>> {
    return this.#command('setLimit', transferId, { transferId, limit }, { limit })
  }

  setPriority(transferId: string, priority: number): Promise<Result<TransferView>> {
    return this.#command('setPriority', transferId, { transferId, priority }, { priority })
  }

  setSchedule(transferId: string, change: Partial<Schedule>): Promise<Result<TransferView>> {
    return this.#command('setSchedule', transferId, { transferId, ...change }, {})
  }

  async configure(change: Partial<NodeSettings>): Promise<Result<NodeSettings>> {
    this.calls.push({ name: 'configure', input: change })
    this.settings = { ...this.settings, ...change }
    return ok(this.settings)
  }

  async list(): Promise<Result<readonly TransferView[]>> {
    return ok(this.#views())
  }

  #views(): readonly TransferView[] {
    return [...this.transfers.values()].map(({ view }) => view).reverse()
  }

  async get(transferId: string): Promise<Result<TransferView>> {
    const transfer = this.transfers.get(transferId)
    return transfer === undefined ? fail('ERR_TRANSFER_NOT_FOUND') : ok(transfer.view)
  }

  async details(transferId: string): Promise<Result<TransferDetails>> {
    if (!this.transfers.has(transferId)) return fail('ERR_TRANSFER_NOT_FOUND')
    return ok({
      type: 'transfer.details',
      code: '4821-walnut-umbrella-velvet',
      verification: {},
      offer: null,
      result: null,
    })
  }

  watchList(signal: AbortSignal): ReturnType<NodeService['watchList']> {
    const source = {
      ids: () => [...this.transfers.keys()],
      version: async (id: string) => this.transfers.get(id)?.view.version ?? 0,
      view: async (id: string) => this.transfers.get(id)?.view,
      isReady: () => true,
    }
    return watchList(source, signal)
  }

  async events(transferId: string, fromVersion: number): Promise<Result<readonly EventLine[]>> {
    const transfer = this.transfers.get(transferId)
    if (transfer === undefined) return fail('ERR_TRANSFER_NOT_FOUND')
    return ok(transfer.events.filter(({ version }) => version >= fromVersion))
  }

  async *followEvents(transferId: string, fromVersion: number, signal: AbortSignal): AsyncGenerator<EventLine> {
    const transfer = this.transfers.get(transferId)
    let next = fromVersion - 1
    while (transfer !== undefined && !signal.aborted) {
      const event = transfer.events[next]
      if (event !== undefined) {
        next += 1
        yield event
      } else if (transfer.isRemoved) return
      else await this.#change(signal)
    }
  }

  async *watch(transferId: string, fromVersion: number, signal: AbortSignal): AsyncGenerator<WatchedLine> {
    const transfer = this.transfers.get(transferId)
    let next = 0
    while (transfer !== undefined && !signal.aborted) {
      const watched = transfer.lines[next]
      if (watched === undefined) {
        await this.#change(signal)
        continue
      }
      next += 1
      if (watched.version <= fromVersion) continue
      yield watched
      if (watched.line.type === 'transfer.completed' || watched.line.type === 'transfer.failed') return
    }
  }

  async status(): ReturnType<NodeService['status']> {
    const views = this.#views()
    const finished = views.filter(({ state }) => ['completed', 'failed', 'cancelled'].includes(state)).length
    return {
      type: 'node.status',
      pid: process.pid,
      version: this.version,
      dataDir: '/nowhere',
      address: '127.0.0.1:0',
      startedAt: '2026-01-02T03:04:05.000Z',
      redis: { mode: 'embedded', version: '7.0.15', ok: true },
      transfers: { unfinished: views.length - finished, finished },
      rendezvous: null,
      settings: this.settings,
    }
  }

  async doctor(): ReturnType<NodeService['doctor']> {
    return {
      type: 'doctor',
      checks: [
        { name: 'redis', state: 'ok', detail: 'version 7.0.15', fix: null },
        { name: 'socket buffers', state: 'warning', detail: '208 kB', fix: 'sysctl -w net.core.rmem_max=8388608' },
      ],
    }
  }

  async shutdown(): Promise<void> {
    this.isStopped = true
    this.onShutdown()
  }

  async #command(
    name: string,
    transferId: string,
    input: unknown,
    changes: Partial<TransferView>,
  ): Promise<Result<TransferView>> {
    const transfer = this.transfers.get(transferId)
    if (transfer === undefined) return fail('ERR_TRANSFER_NOT_FOUND')
    this.calls.push({ name, input })
    transfer.view = { ...transfer.view, ...changes }
    return ok(transfer.view)
  }

  #notify(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#wake.push(done)
      signal.addEventListener('abort', done)
    })
  }
}
