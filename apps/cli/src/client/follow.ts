/**
 * Follows an event stream of the node over every break: a lost connection, a node that died and came back on another
 * port, a node that was stopped and has to be started. It remembers the id of the last event, and the next subscription
 * begins behind it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { failureIn, type NodeClient } from './nodeClient.js'

/** Milliseconds before the first new attempt. */
const RETRY_MIN_MS = 50
/** Milliseconds that the doubling ends at. */
const RETRY_MAX_MS = 2000
/** Attempts in a row without a line before the error is taken for the node's answer. */
const RETRIES_MAX = 40

export interface StreamHandlers<T> {
  onData(item: { readonly id: string; readonly data: T }): void
  onConnectionStateChange(state: { readonly state: string; readonly error: unknown }): void
  onError(error: unknown): void
  onComplete(): void
}

export interface FollowOptions<T> {
  /** Finds the node, anew for each connection; starts it where it must. */
  readonly open: () => Promise<NodeClient>
  readonly subscribe: (
    client: NodeClient,
    lastEventId: string | undefined,
    handlers: StreamHandlers<T>,
  ) => { unsubscribe(): void }
  /** Whether the stream is over with this item. */
  readonly isLast: (item: T) => boolean
  /** Ends the following quietly. */
  readonly signal: AbortSignal
}

type Signal<T> =
  | { readonly kind: 'item'; readonly id: string; readonly data: T }
  | { readonly kind: 'broken'; readonly error: unknown }

/** One subscription, until it breaks. */
async function* readOnce<T>(
  options: FollowOptions<T>,
  client: NodeClient,
  lastEventId: string | undefined,
): AsyncGenerator<Signal<T>> {
  const received: Signal<T>[] = []
  let wake: () => void = () => {}
  const push = (item: Signal<T>): void => {
    received.push(item)
    wake()
  }
  const onAbort = (): void => wake()
  options.signal.addEventListener('abort', onAbort)
  const subscription = options.subscribe(client, lastEventId, {
    onData: ({ id, data }) => push({ kind: 'item', id, data }),
    // EventSource would try the old port for ever; we look where the node is now.
    onConnectionStateChange: ({ error }) => {
      if (error !== null && error !== undefined) push({ kind: 'broken', error })
    },
    onError: (error) => push({ kind: 'broken', error }),
    onComplete: () => push({ kind: 'broken', error: undefined }),
  })
  try {
    while (!options.signal.aborted) {
      const next = received.shift()
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      yield next
      if (next.kind === 'broken') return
    }
  } finally {
    options.signal.removeEventListener('abort', onAbort)
    subscription.unsubscribe()
  }
}

/**
 * Every item of the stream in order. An item may come twice where the node cannot know that it arrived; none is left out.
 * Returns after the last item or when `signal` aborts.
 *
 * @throws CliFailure when the node refuses (the transfer does not exist), or what `open` throws.
 */
export async function* follow<T>(options: FollowOptions<T>): AsyncGenerator<T> {
  let lastEventId: string | undefined
  let retries = 0
  while (!options.signal.aborted) {
    const client = await options.open()
    let lastError: unknown
    for await (const next of readOnce(options, client, lastEventId)) {
      if (next.kind === 'broken') {
        lastError = next.error
        break
      }
      retries = 0
      lastEventId = next.id
      yield next.data
      if (options.isLast(next.data)) return
    }
    if (options.signal.aborted) return
    const failure = failureIn(lastError)
    if (failure !== undefined && failure.code !== 'ERR_UNAUTHORIZED') throw failure
    retries += 1
    if (retries > RETRIES_MAX) throw failure ?? lastError ?? new Error('the event stream ends again and again')
    await sleep(Math.min(RETRY_MIN_MS * 2 ** (retries - 1), RETRY_MAX_MS), undefined, { signal: options.signal }).catch(
      () => {},
    )
  }
}
