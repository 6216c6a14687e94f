/** For tests: a rendezvous on a port of its own, and the stores that it runs on. */
import { MemoryEventStore } from '@godwit/engine/memory/eventStore'
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import { freshPrefix, type TestRedis } from '@godwit/redis/testing/withRedis'
import { pino } from 'pino'
import { openStores } from '../openStores.js'
import type { RendezvousOptions } from '../options.js'
import { createRendezvous, type Rendezvous, type RendezvousAddress, type RendezvousStores } from '../rendezvous.js'
import { MemoryMailbox, MemoryRoomDirectory } from '../stores/memoryStores.js'
import { LocalRoomBell } from '../stores/roomBell.js'
import { type ApiClient, apiClient } from './apiClient.js'

export interface TestStores {
  readonly stores: RendezvousStores
  close(): Promise<void>
}

export const memoryStores = (now: () => number): TestStores => ({
  stores: {
    events: new MemoryEventStore<RoomEvent>({ now }),
    directory: new MemoryRoomDirectory(now),
    mailbox: new MemoryMailbox(),
    bell: new LocalRoomBell(),
    memory: { usedBytes: () => Promise.resolve(0) },
  },
  close: () => Promise.resolve(),
})

/** Another set of connections to the same keys when `prefix` is given. */
export const redisStores = (server: TestRedis, prefix: `{${string}}` = freshPrefix()): TestStores =>
  openStores({ target: server.redis.target, prefix })

/** A clock that stands still until it is moved. */
export class TestClock {
  // Today, since Redis' own clock ends the life of its keys.
  #ms = Date.now()
  readonly now = (): number => this.#ms

  advance(ms: number): void {
    this.#ms += ms
  }
}

export interface TestServer {
  readonly api: ApiClient
  readonly address: RendezvousAddress
  readonly rendezvous: Rendezvous
  stop(): Promise<void>
}

export interface TestServerOptions {
  readonly stores: RendezvousStores
  readonly now?: () => number
  readonly port?: number
  readonly options?: Partial<RendezvousOptions>
}

export const startTestServer = async ({ stores, now, port, options }: TestServerOptions): Promise<TestServer> => {
  const rendezvous = createRendezvous({
    stores,
    host: '127.0.0.1',
    port: port ?? 0,
    logger: pino({ level: 'silent' }),
    options: { sweepIntervalMs: 20, ...options },
    ...(now === undefined ? {} : { now }),
  })
  const address = await rendezvous.start()
  return { api: apiClient(address.url), address, rendezvous, stop: () => rendezvous.stop() }
}
