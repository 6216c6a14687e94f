/**
 * The relay: turns outbox entries into jobs. It reads with a consumer group, enqueues, then acknowledges and deletes,
 * so an entry is delivered at least once: a relay that dies in between leaves it pending, and any relay takes over what
 * has been pending for a while. The outbox holds only what is under way, so it needs no trimming.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Enqueue, OutboxEntry } from '@godwit/engine/ports/outbox'
import { isQueueName } from '@godwit/engine/ports/outbox'
import type { Failure } from '@godwit/protocol/errors'
import { eventIdOf } from '@godwit/protocol/events'
import type { Redis } from 'ioredis'
import type { RedisAccess } from './connection.js'
import { closeConnection, cutConnection, openConnection } from './connection.js'
import { logKeys } from './keys.js'
import { within } from './within.js'

const GROUP = 'relay'
/** Entries taken at once. */
const BATCH_ENTRIES = 200
/** Milliseconds of one blocking read; then pending entries are looked at. */
const BLOCK_MS = 1000
/** Milliseconds that an entry may be pending before any relay takes it over. Enqueueing takes a few. */
const CLAIM_IDLE_MS = 3000
/** Milliseconds that stopping waits for what is being enqueued. */
const STOP_TIMEOUT_MS = 2000
/** Milliseconds before another try after Redis refused or the queues did. */
const RETRY_DELAY_MS = 200

export interface RelayOptions extends RedisAccess {
  /** Usually that of `createQueues`. */
  readonly enqueue: Enqueue
  /** Milliseconds; for tests. */
  readonly claimIdleMs?: number
}

export interface Relay {
  /** Resolves when what was being enqueued is acknowledged, or after two seconds, and the connections are closed. */
  stop(): Promise<void>
}

type StreamEntries = readonly (readonly [id: string, fields: readonly string[] | null])[]

/** Starts relaying; it goes on over restarts of Redis until `stop`. */
export const startRelay = (options: RelayOptions): Relay => {
  const relay = new OutboxRelay(options)
  const done = relay.run()
  return {
    stop: async () => {
      await relay.stop()
      // While Redis is away nothing can be acknowledged: what was enqueued then comes again.
      await within(STOP_TIMEOUT_MS, done)
      await relay.close()
    },
  }
}

class OutboxRelay {
  readonly #options: RelayOptions
  readonly #outbox: string
  readonly #consumer = `relay-${randomUUID()}`
  /** Blocks while reading, so acknowledging has its own. */
  readonly #reader: Redis
  readonly #writer: Redis
  readonly #stopping = new AbortController()

  constructor(options: RelayOptions) {
    this.#options = options
    this.#outbox = logKeys(options.prefix).outbox
    this.#reader = openConnection(options)
    this.#writer = openConnection(options)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    // Breaks off a blocking read; what it was about to deliver stays pending or undelivered.
    await cutConnection(this.#reader)
  }

  async close(): Promise<void> {
    await closeConnection(this.#writer)
  }

  async run(): Promise<void> {
    let hasGroup = false
    while (!this.#stopping.signal.aborted) {
      try {
        if (!hasGroup) await this.#createGroup()
        hasGroup = true
        await this.#relay(await this.#claimAbandoned())
        await this.#relay(await this.#readNew())
      } catch (error) {
        if (this.#stopping.signal.aborted) break
        // A server that lost everything lost the group too.
        hasGroup = false
        const failure: Failure = {
          code: 'ERR_REDIS_UNREACHABLE',
          detail: error instanceof Error ? `relay: ${error.message}` : 'relay',
        }
        this.#options.onFailure?.(failure)
        await delay(RETRY_DELAY_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
      }
    }
  }

  async #createGroup(): Promise<void> {
    try {
      await this.#reader.xgroup('CREATE', this.#outbox, GROUP, '0', 'MKSTREAM')
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error
    }
  }

  /** What a relay that died, or an answer that was lost with its connection, left behind. */
  async #claimAbandoned(): Promise<StreamEntries> {
    const idleMs = this.#options.claimIdleMs ?? CLAIM_IDLE_MS
    const answer: unknown = await this.#reader.xautoclaim(
      this.#outbox,
      GROUP,
      this.#consumer,
      idleMs,
      '0-0',
      'COUNT',
      BATCH_ENTRIES,
    )
    return Array.isArray(answer) ? toEntries(answer[1]) : []
  }

  async #readNew(): Promise<StreamEntries> {
    const answer: unknown = await this.#reader.xreadgroup(
      'GROUP',
      GROUP,
      this.#consumer,
      'COUNT',
      BATCH_ENTRIES,
      'BLOCK',
      BLOCK_MS,
      'STREAMS',
      this.#outbox,
      '>',
    )
    const first: unknown = Array.isArray(answer) ? answer[0] : undefined
    return Array.isArray(first) ? toEntries(first[1]) : []
  }

  async #relay(found: StreamEntries): Promise<void> {
    if (found.length === 0) return
    const entries = found.map(([, fields]) => decodeEntry(fields)).filter((entry) => entry !== undefined)
    if (entries.length > 0) await this.#options.enqueue(entries)
    const ids = found.map(([id]) => id)
    await this.#writer
      .multi()
      .xack(this.#outbox, GROUP, ...ids)
      .xdel(this.#outbox, ...ids)
      .exec()
  }
}

const toEntries = (answer: unknown): StreamEntries => {
  if (!Array.isArray(answer)) return []
  return answer.flatMap((entry: unknown): StreamEntries => {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string') return []
    return [[entry[0], Array.isArray(entry[1]) ? entry[1].map(String) : null]]
  })
}

/** Undefined for what is not ours; it is acknowledged and forgotten. */
const decodeEntry = (fields: readonly string[] | null): OutboxEntry | undefined => {
  if (fields === null) return undefined
  const [, queue = '', , streamId = '', , version = ''] = fields
  return isQueueName(queue) ? { queue, streamId, eventId: eventIdOf(streamId, Number(version)) } : undefined
}
