/** The live list of transfers: a state that each message of the stream moves on, and the hook that keeps it. */
import type { ListChange, TransferView } from '@godwit/protocol/api'
import { useSubscription } from '@trpc/tanstack-react-query'
import { startTransition, useState } from 'react'
import { api } from '../api/api'
import { useLinkOf } from '../api/useLinkOf'
import { isOver } from '../ui/words'

export interface TransferList {
  /** By id. */
  readonly views: ReadonlyMap<string, TransferView>
  readonly isCaughtUp: boolean
}

export const EMPTY_LIST: TransferList = { views: new Map(), isCaughtUp: false }

/** Takes in one message. Views that have not changed stay the same objects. */
export const applyChange = (list: TransferList, change: ListChange): TransferList => {
  const views = new Map(change.isFresh ? [] : list.views)
  for (const id of change.removed) views.delete(id)
  for (const view of change.changed) {
    const before = list.views.get(view.transferId)
    views.set(view.transferId, before !== undefined && before.version === view.version ? before : view)
  }
  return { views, isCaughtUp: change.isCaughtUp }
}

/** Newest first: those under way, then those that are over. */
export const sortedList = ({ views }: TransferList) => {
  const all = [...views.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
  return { active: all.filter(({ state }) => !isOver(state)), over: all.filter(({ state }) => isOver(state)) }
}

/** What was shown last: a list that is opened again is there at once and brought up to date. */
let last = EMPTY_LIST

export const useTransferList = (): TransferList => {
  const [list, setList] = useState(last)
  const subscription = useSubscription(
    api.transfers.watchList.subscriptionOptions(
      {},
      {
        onData: ({ data }) => {
          last = applyChange(last, data)
          // Drawn in small steps: many rows change at once, and the page stays at hand.
          startTransition(() => setList(last))
        },
      },
    ),
  )
  useLinkOf(subscription.status)
  return list
}
