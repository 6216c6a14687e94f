/**
 * What a node does for its clients, without any HTTP: the tRPC router (`api/`) is a thin skin over it, and the node's
 * `main` puts the real one in.
 */
import type {
  Doctor,
  EnqueuedLine,
  EventLine,
  enqueueReceiveInput,
  enqueueSendInput,
  ListChange,
  NodeSettings,
  NodeStatus,
  TransferDetails,
  TransferView,
  WatchLine,
} from '@godwit/protocol/api'
import type { Result } from '@godwit/protocol/errors'
import type { Schedule } from '@godwit/protocol/schedule'
import type { z } from 'zod'

/** A line of `watch` and the version of the log's event that led to it; several lines may share one. */
export interface WatchedLine {
  readonly version: number
  readonly line: WatchLine
}

export interface NodeService {
  /** Resolves when the code is known (the room is open), or with why it is not; the transfer exists in either case but for a refused input. */
  enqueueSend(input: z.output<typeof enqueueSendInput>): Promise<Result<EnqueuedLine>>
  enqueueReceive(input: z.output<typeof enqueueReceiveInput>): Promise<Result<EnqueuedLine>>
  accept(transferId: string, output: string | undefined): Promise<Result<TransferView>>
  decline(transferId: string): Promise<Result<TransferView>>
  pause(transferId: string): Promise<Result<TransferView>>
  resume(transferId: string): Promise<Result<TransferView>>
  cancel(transferId: string): Promise<Result<TransferView>>
  retry(transferId: string): Promise<Result<TransferView>>
  /** Forgets a finished transfer: its stream, its record, its secrets. Files that were received stay. */
  remove(transferId: string): Promise<Result<{ readonly transferId: string }>>
  /** Bytes a second; null for no limit. Takes effect at once on a running session. */
  setLimit(transferId: string, limit: number | null): Promise<Result<TransferView>>
  /** Its place among the others of this node: 1 to 9, a higher one first. */
  setPriority(transferId: string, priority: number): Promise<Result<TransferView>>
  /** When it may run; what is left out stays as it is. */
  setSchedule(transferId: string, change: Partial<Schedule>): Promise<Result<TransferView>>
  /** What holds for all transfers of this node; what is left out stays as it is. Takes effect at once. */
  configure(change: Partial<NodeSettings>): Promise<Result<NodeSettings>>
  /** Newest first. */
  list(): Promise<Result<readonly TransferView[]>>
  get(transferId: string): Promise<Result<TransferView>>
  /** The code, the offer and the files that stand under their names, as far as there are such. */
  details(transferId: string): Promise<Result<TransferDetails>>
  /** All transfers, then each that changes, at most 4 messages a second. Ends when `signal` aborts. */
  watchList(signal: AbortSignal): AsyncIterable<ListChange>
  /** The log's events from `fromVersion` (1 is the first). */
  events(transferId: string, fromVersion: number): Promise<Result<readonly EventLine[]>>
  /** Past and coming events, until the transfer is removed or `signal` aborts. */
  followEvents(transferId: string, fromVersion: number, signal: AbortSignal): AsyncIterable<EventLine>
  /**
   * Progress lines (at most 4 a second), the offer, and at the end one `transfer.completed` or `transfer.failed`, after
   * which it returns. `fromVersion` is the last version that the client has seen, 0 for none: the first line is then
   * the present state. Ends with `transfer.failed` too for an id that does not exist.
   */
  watch(transferId: string, fromVersion: number, signal: AbortSignal): AsyncIterable<WatchedLine>
  status(): Promise<NodeStatus>
  doctor(): Promise<Doctor>
  /** Checkpoints, closes sessions and ends the process (`node stop`). Resolves before the process is gone. */
  shutdown(): Promise<void>
}
