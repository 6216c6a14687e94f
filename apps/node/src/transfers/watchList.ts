/**
 * Watching all transfers at once: the whole list first, then each transfer that has changed, at most four messages a
 * second. It looks at the streams' versions, which costs one small call for each transfer that may still change; what
 * is completed or cancelled is not looked at again.
 */
import type { ListChange, TransferState, TransferView } from '@godwit/protocol/api'
import { LIST_BATCH_MAX, PROGRESS_PER_SECOND_MAX } from '@godwit/protocol/limits'
import { pause } from '../lifecycle/pause.js'

/** Milliseconds between two looks. */
const LOOK_EVERY_MS = 1000 / PROGRESS_PER_SECOND_MAX
/** Looks between two at the ids of all transfers, which reads a folder. */
const LOOKS_PER_ID_SCAN = 2

export interface ListSource {
  /** Ids of all transfers that the node keeps. */
  ids(): readonly string[]
  /** The last version of a transfer's stream. */
  version(transferId: string): Promise<number>
  /** Undefined for one that has no stream (yet, or any more). */
  view(transferId: string): Promise<TransferView | undefined>
  /** Whether the log answers; while it does not, nothing is asked. */
  isReady(): boolean
}

const FINAL: ReadonlySet<TransferState> = new Set(['completed', 'cancelled'])

export async function* watchList(
  source: ListSource,
  signal: AbortSignal,
  wait: (ms: number, signal: AbortSignal) => Promise<void> = pause,
): AsyncGenerator<ListChange, void, undefined> {
  const known = new Map<string, Pick<TransferView, 'version' | 'state'>>()
  let ids: readonly string[] = []
  let isFresh = true
  for (let look = 0; !signal.aborted; look += 1) {
    if (source.isReady()) {
      if (isFresh || look % LOOKS_PER_ID_SCAN === 0) ids = source.ids()
      const present = new Set(ids)
      const removed = [...known.keys()].filter((id) => !present.has(id))
      for (const id of removed) known.delete(id)
      const changed = await changedOf(source, ids, known)
      for (const view of changed) known.set(view.transferId, { version: view.version, state: view.state })
      if (isFresh || changed.length > 0 || removed.length > 0) {
        for (let first = 0; first === 0 || first < changed.length; first += LIST_BATCH_MAX) {
          const isLast = first + LIST_BATCH_MAX >= changed.length
          yield {
            type: 'list.change',
            isFresh: isFresh && first === 0,
            isCaughtUp: isLast,
            changed: changed.slice(first, first + LIST_BATCH_MAX),
            removed: first === 0 ? removed : [],
          }
        }
        isFresh = false
      }
    }
    await wait(LOOK_EVERY_MS, signal)
  }
}

const changedOf = async (
  source: ListSource,
  ids: readonly string[],
  known: ReadonlyMap<string, Pick<TransferView, 'version' | 'state'>>,
): Promise<readonly TransferView[]> => {
  const views = await Promise.all(
    ids.map(async (id) => {
      const before = known.get(id)
      if (before !== undefined) {
        if (FINAL.has(before.state) || (await source.version(id)) === before.version) return undefined
      }
      const view = await source.view(id)
      return view?.version === before?.version ? undefined : view
    }),
  )
  return views.filter((view) => view !== undefined)
}
