import { openRoomOutput } from '@godwit/protocol/rendezvousApi'
import { startTestRedis } from '@godwit/redis/testing/withRedis'
import { expect, test } from 'vitest'
import { newToken, takeItems, tell } from './testing/apiClient.js'
import { redisStores, startTestServer } from './testing/testServer.js'

test('when Redis dies and comes back, requests wait and watchers go on', async () => {
  const redis = await startTestRedis()
  const stores = redisStores(redis)
  const server = await startTestServer({ stores: stores.stores })
  try {
    const owner = newToken()
    const opened = await server.api.mutate('rooms.open', owner, { capacity: 1 })
    const { roomId, nameplate } = openRoomOutput.parse(opened.ok ? opened.data : undefined)
    const stream = server.api.watch(roomId, owner)
    await takeItems(stream, 1)
    process.kill(redis.redis.pid ?? 0, 'SIGKILL')
    const joined = await server.api.mutate('rooms.join', newToken(), { nameplate })
    expect(joined.ok).toBe(true)
    expect((await takeItems(stream, 1)).map(tell)).toEqual(['ReceiverJoined'])
    await server.api.mutate('rooms.command', owner, { roomId, command: { type: 'lock' } })
    expect((await takeItems(stream, 1)).map(tell)).toEqual(['RoomLocked'])
    await stream.return()
  } finally {
    await server.stop()
    await stores.close()
    await redis.stop()
  }
})
