/** On real processes of the built rendezvous: `./test` builds before it tests, `npx vitest` does not. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert } from '@godwit/protocol/assert'
import type { Result } from '@godwit/protocol/errors'
import { startTestRedis, type TestRedis } from '@godwit/redis/testing/withRedis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HostedRendezvous } from './hostedRendezvous.js'
import { askForAddress } from './observation.js'
import { RendezvousClient } from './rendezvousClient.js'
import type { WatchedItem } from './roomWatch.js'

const entry = fileURLToPath(new URL('../../../rendezvous/dist/main.js', import.meta.url))

let redis: TestRedis
let dataDir: string
let hosted: HostedRendezvous
let client: RendezvousClient

beforeAll(async () => {
  redis = await startTestRedis()
  dataDir = await mkdtemp(join(tmpdir(), 'godwit-client-'))
  hosted = unwrap(
    await HostedRendezvous.start({ dataDir, redisUrl: redis.redis.target.path, entry, host: '127.0.0.1' }),
  )
  client = new RendezvousClient({ url: hosted.url })
})
afterAll(async () => {
  await hosted.stop()
  await redis.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const unwrap = <T>(result: Result<T>): T => {
  assert(result.ok, JSON.stringify(result))
  return result.value
}
const newToken = (): string => randomBytes(32).toString('base64url')
const bytes = (text: string): Uint8Array => Buffer.from(text)
const tell = ({ item }: WatchedItem): string =>
  item.kind === 'event' ? item.event.type : Buffer.from(item.body, 'base64').toString()

test('a room from its opening to its end', async () => {
  const [owner, receiver] = [newToken(), newToken()]
  const { roomId, nameplate } = unwrap(await client.open(owner, { capacity: 1 }))
  const joined = unwrap(await client.join(receiver, nameplate))
  unwrap(await client.command(owner, roomId, { type: 'admit', receiver: joined.receiver }))
  unwrap(await client.post(receiver, roomId, bytes('m0')))
  unwrap(await client.post(owner, roomId, bytes('m1'), joined.receiver))
  unwrap(await client.leave(receiver, roomId))
  unwrap(await client.command(owner, roomId, { type: 'close', reason: 'completed' }))
  const seen: string[] = []
  for await (const watched of client.watch(roomId, owner, undefined, new AbortController().signal)) {
    seen.push(tell(unwrap(watched)))
  }
  expect(seen).toEqual(['RoomOpened', 'ReceiverJoined', 'ReceiverAdmitted', 'm0', 'ReceiverLeft', 'RoomClosed'])
})

test('refusals are codes, and none of them holds the token', async () => {
  const token = newToken()
  const { roomId } = unwrap(await client.open(newToken(), { capacity: 1 }))
  const refusals: Result<unknown>[] = [
    await client.join(token, 'nobody is here'),
    await client.command(token, roomId, { type: 'lock' }),
    await client.post(token, roomId, bytes('x')),
    await client.leave(token, roomId),
  ]
  for await (const watched of client.watch(roomId, token, undefined, new AbortController().signal)) {
    refusals.push(watched)
  }
  expect(refusals.length).toBe(5)
  for (const refusal of refusals) expect(refusal).toMatchObject({ failure: { code: 'ERR_ROOM_NOT_FOUND' } })
  expect(JSON.stringify(refusals)).not.toContain(token)
})

test('a watcher misses nothing and gets nothing twice while the rendezvous is killed again and again', async () => {
  const [owner, receiver] = [newToken(), newToken()]
  const { roomId, nameplate } = unwrap(await client.open(owner, { capacity: 1 }))
  unwrap(await client.join(receiver, nameplate))
  const seen: string[] = []
  let breaks = 0
  const watching = (async () => {
    const onConnection = (failure: unknown): void => {
      if (failure !== undefined) breaks += 1
    }
    for await (const watched of client.watch(roomId, owner, undefined, new AbortController().signal, onConnection)) {
      seen.push(tell(unwrap(watched)))
    }
  })()
  const expected: string[] = []
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 5; index += 1) {
      const text = `${round}.${index}`
      expected.push(text)
      // Repeated until it is answered: a message whose answer was lost would come twice, so none is under way at a kill.
      await expect
        .poll(async () => (await client.post(receiver, roomId, bytes(text))).ok, { timeout: 15_000, interval: 100 })
        .toBe(true)
    }
    await expect.poll(() => hosted.pid, { timeout: 15_000 }).toBeDefined()
    process.kill(hosted.pid ?? 0, 'SIGKILL')
    await expect.poll(async () => (await client.info()).ok, { timeout: 15_000, interval: 50 }).toBe(false)
    await expect.poll(async () => (await client.info()).ok, { timeout: 15_000, interval: 100 }).toBe(true)
  }
  unwrap(await client.command(owner, roomId, { type: 'close', reason: 'completed' }))
  await watching
  expect(seen).toEqual(['RoomOpened', 'ReceiverJoined', ...expected, 'RoomClosed'])
  expect(breaks).toBeGreaterThanOrEqual(3)
}, 90_000)

test('a socket learns its address as seen from outside', async () => {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  try {
    const question = unwrap(await client.addressQuestion())
    const observed = await askForAddress(
      {
        family: 'ipv4',
        send: (datagram, { ip, port }) => socket.send(datagram, port, ip),
        onDatagram: (handler) => {
          socket.on('message', handler)
          return () => socket.off('message', handler)
        },
      },
      question,
    )
    expect(unwrap(observed)).toEqual({ family: 'ipv4', ip: '127.0.0.1', port: socket.address().port })
  } finally {
    socket.close()
  }
})
