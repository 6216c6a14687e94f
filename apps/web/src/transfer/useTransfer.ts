/**
 * One transfer, live: its events over the stream (resumed behind the last one that came), and its view and details,
 * asked for anew when events say that they have changed, at most four times a second.
 */
import type { EventLine, TransferDetails, TransferView } from '@godwit/protocol/api'
import { useQuery } from '@tanstack/react-query'
import { useSubscription } from '@trpc/tanstack-react-query'
import { startTransition, useCallback, useDeferredValue, useEffect, useRef, useState } from 'react'
import { api, queryClient } from '../api/api'
import { useLinkOf } from '../api/useLinkOf'
import { TransferHistory } from './history'

const REFRESH_EVERY_MS = 250
/** Milliseconds for the first events, which come all at once. */
const FIRST_AFTER_MS = 30
/** Events folded before the page may do something else. */
const EVENTS_AT_ONCE = 500

export interface LiveTransfer {
  readonly view: TransferView | undefined
  readonly details: TransferDetails | undefined
  readonly history: TransferHistory
  /** Changes with every event that was taken in. */
  readonly revision: number
  readonly error: unknown
}

export const useTransfer = (transferId: string): LiveTransfer => {
  const history = useRef(new TransferHistory()).current
  const [revision, setRevision] = useState(0)
  const view = useQuery(api.transfers.get.queryOptions({ transferId }))
  const details = useQuery(api.transfers.details.queryOptions({ transferId }))

  const pending = useRef<EventLine[]>([])
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const flush = useCallback(() => {
    const events = pending.current.splice(0, EVENTS_AT_ONCE)
    history.take(events)
    startTransition(() => setRevision(history.revision))
    timer.current = pending.current.length > 0 ? setTimeout(flush, 0) : undefined
    if (timer.current !== undefined) return
    void queryClient.invalidateQueries({ queryKey: api.transfers.get.queryKey({ transferId }) })
    if (events.some(({ event }) => event !== 'ChunksAcked')) {
      void queryClient.invalidateQueries({ queryKey: api.transfers.details.queryKey({ transferId }) })
    }
  }, [history, transferId])
  useEffect(() => () => clearTimeout(timer.current), [])

  const subscription = useSubscription(
    api.transfers.followEvents.subscriptionOptions(
      { transferId },
      {
        onData: ({ data }) => {
          pending.current.push(data)
          timer.current ??= setTimeout(flush, history.version === 0 ? FIRST_AFTER_MS : REFRESH_EVERY_MS)
        },
      },
    ),
  )
  useLinkOf(subscription.status)
  const shown = useDeferredValue(view.data)
  return { view: shown, details: details.data, history, revision, error: view.error ?? undefined }
}
