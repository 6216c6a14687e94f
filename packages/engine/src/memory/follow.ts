/**
 * Following a stream: what every event store shares, whatever wakes it. Reading is the truth and a wake is a hint, so
 * a wake that is lost, late or needless does no harm as long as one comes after each append.
 */
import type { DomainEvent, RecordedEvent } from '@godwit/protocol/events'
import type { StopSignal } from '../ports/stopSignal.js'

export interface FollowSource<E extends DomainEvent> {
  /** Events from a version on, in order; empty where there are none yet. */
  readonly read: (fromVersion: number) => Promise<readonly RecordedEvent<E>[]>
  /** Calls back after appends (and at will) until the function that it returns is called. */
  readonly onWake: (wake: () => void) => () => void
}

/** Events from `fromVersion` on without a gap or a repeat, until `signal` aborts. A failing read ends it by throwing. */
export async function* followFrom<E extends DomainEvent>(
  source: FollowSource<E>,
  fromVersion: number,
  signal: StopSignal,
): AsyncGenerator<RecordedEvent<E>, void, undefined> {
  let isDue = true
  let resume: (() => void) | undefined
  const wake = (): void => {
    isDue = true
    resume?.()
  }
  const unsubscribe = source.onWake(wake)
  signal.addEventListener('abort', wake, { once: true })
  let next = fromVersion
  try {
    while (!signal.aborted) {
      if (!isDue) {
        await new Promise<void>((resolve) => {
          resume = resolve
        })
        resume = undefined
      }
      isDue = false
      for (;;) {
        if (signal.aborted) return
        const batch = await source.read(next)
        if (batch.length === 0) break
        for (const event of batch) {
          if (signal.aborted) return
          next = event.version + 1
          yield event
        }
      }
    }
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', wake)
  }
}
