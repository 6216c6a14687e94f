/**
 * Tells followers that a stream has grown: one subscribed connection for all of them.
 *
 * Each append publishes its stream id on one channel. A message is only a hint to read, so a lost one must not matter:
 * everybody is woken after each (re)subscription, and every few seconds besides. That is cheaper than a blocking XREAD
 * per follower, and unlike one XREAD over many keys it need not be broken off whenever a follower comes.
 */
import type { Redis } from 'ioredis'

/** Milliseconds after which followers read even without a hint: a TCP connection can be dead without saying so. */
const WAKE_ALL_INTERVAL_MS = 5000

export class AppendNotifier {
  readonly #subscriber: Redis
  readonly #channel: string
  readonly #wakes = new Map<string, Set<() => void>>()
  readonly #timer: NodeJS.Timeout

  /** @param subscriber - a patient connection for this alone; its owner closes it after `stop`. */
  constructor(subscriber: Redis, channel: string) {
    this.#subscriber = subscriber
    this.#channel = channel
    subscriber.on('message', this.#onMessage)
    subscriber.on('ready', this.#onReady)
    if (subscriber.status === 'ready') this.#onReady()
    this.#timer = setInterval(() => this.#wakeAll(), WAKE_ALL_INTERVAL_MS).unref()
  }

  /** Calls `wake` after each append to `streamId`, and at times without one, until the returned function is called. */
  onAppended(streamId: string, wake: () => void): () => void {
    const wakes = this.#wakes.get(streamId) ?? new Set()
    this.#wakes.set(streamId, wakes.add(wake))
    return () => {
      wakes.delete(wake)
      if (wakes.size === 0 && this.#wakes.get(streamId) === wakes) this.#wakes.delete(streamId)
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#subscriber.off('message', this.#onMessage)
    this.#subscriber.off('ready', this.#onReady)
  }

  readonly #onMessage = (_channel: string, streamId: string): void => {
    for (const wake of this.#wakes.get(streamId) ?? []) wake()
  }

  readonly #onReady = (): void => {
    // A subscription that fails does so because the connection broke: the next `ready` subscribes again.
    this.#subscriber.subscribe(this.#channel).then(
      () => this.#wakeAll(),
      () => undefined,
    )
  }

  #wakeAll(): void {
    for (const wakes of this.#wakes.values()) for (const wake of wakes) wake()
  }
}
