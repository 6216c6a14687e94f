/** Opens the event log of a node or a rendezvous: its event store, projections and leases over two connections. */
import type { QueueName } from '@godwit/engine/ports/outbox'
import type { DomainEvent } from '@godwit/protocol/events'
import type { Redis } from 'ioredis'
import { AppendNotifier } from './appendNotifier.js'
import type { RedisAccess } from './connection.js'
import { closeConnection, openConnection } from './connection.js'
import type { EventCodec } from './eventCodec.js'
import { RedisEventStore } from './eventStore.js'
import { logKeys } from './keys.js'
import { RedisLeases } from './leases.js'
import { LogLife } from './logLife.js'
import { RedisProjectionStore } from './projectionStore.js'

export interface OpenLogOptions<E extends DomainEvent> extends RedisAccess {
  readonly codec: EventCodec<E>
  /** The queue of an event's job; undefined where it needs none. */
  readonly routeOf: (event: E) => QueueName | undefined
  /** Name and shape version of the projection, as `transfers.1`; raise the number when the state's shape changes. */
  readonly projection: `${string}.${number}`
  /** Wall clock, milliseconds since 1970. */
  readonly now?: () => number
}

export interface Log<E extends DomainEvent, S> {
  readonly events: RedisEventStore<E>
  readonly projections: RedisProjectionStore<S>
  readonly leases: RedisLeases
  readonly life: LogLife
  /** Whether Redis answers at the moment; if not, calls wait. */
  readonly isReady: boolean
  /** The command connection, for what counts and inspects. */
  readonly redis: Redis
  /** Calls under way are given a second, then reject. Followers are to be stopped before. */
  close(): Promise<void>
}

/** Returns at once; calls wait until Redis answers. Ask `checkRedis` first whether the server is a fit one. */
export const openLog = <E extends DomainEvent, S>(options: OpenLogOptions<E>): Log<E, S> => {
  const keys = logKeys(options.prefix)
  const redis = openConnection(options)
  const subscriber = openConnection(options)
  const notifier = new AppendNotifier(subscriber, keys.appended)
  return {
    events: new RedisEventStore<E>({
      redis,
      keys,
      notifier,
      codec: options.codec,
      routeOf: options.routeOf,
      now: options.now ?? Date.now,
    }),
    projections: new RedisProjectionStore<S>(redis, keys.projections(options.projection)),
    leases: new RedisLeases(redis, keys),
    life: new LogLife(redis, keys.life),
    redis,
    get isReady() {
      return redis.status === 'ready'
    },
    close: async () => {
      notifier.stop()
      await Promise.all([closeConnection(redis), closeConnection(subscriber)])
    },
  }
}
