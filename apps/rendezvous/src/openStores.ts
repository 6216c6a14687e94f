/** The rendezvous' stores on Redis: the rooms' event log, the directory, the mailboxes and the bell. */
import type { RoomEvent } from '@godwit/protocol/roomEvents'
import { roomEventSchema } from '@godwit/protocol/roomEvents'
import { closeConnection, openConnection, type RedisAccess } from '@godwit/redis/connection'
import { openLog } from '@godwit/redis/log'
import type { RendezvousStores } from './rendezvous.js'
import { RedisMemoryGauge } from './stores/memoryGauge.js'
import { RedisMailbox, RedisRoomBell, RedisRoomDirectory } from './stores/redisStores.js'

/** Returns at once; calls wait until Redis answers. `close` after the rendezvous has stopped. */
export const openStores = (
  access: RedisAccess,
): { readonly stores: RendezvousStores; readonly close: () => Promise<void> } => {
  const log = openLog<RoomEvent, never>({
    ...access,
    codec: { schemaVersion: 1, parser: roomEventSchema },
    // Nobody works through a queue here: whoever is concerned watches.
    routeOf: () => undefined,
    projection: 'none.1',
  })
  const subscriber = openConnection(access)
  return {
    stores: {
      events: log.events,
      directory: new RedisRoomDirectory(log.redis, access.prefix),
      mailbox: new RedisMailbox(log.redis, access.prefix),
      bell: new RedisRoomBell(log.redis, subscriber, access.prefix),
      memory: new RedisMemoryGauge(log.redis),
    },
    close: async () => {
      await Promise.all([closeConnection(subscriber), log.close()])
    },
  }
}
