import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { RendezvousOptions } from './options.js'
import { newToken, takeItems, tell } from './testing/apiClient.js'
import { memoryStores, startTestServer, type TestServer } from './testing/testServer.js'

let server: TestServer | undefined

afterEach(async () => {
  await server?.stop()
  server = undefined
})

const start = async (options: Partial<RendezvousOptions>): Promise<TestServer> => {
  server = await startTestServer({ stores: memoryStores(Date.now).stores, options })
  return server
}

const open = ({ api }: TestServer, token = newToken()) => api.mutate('rooms.open', token, { capacity: 1, name: 'room' })
const refused = { ok: false, status: 429, code: 'ERR_RENDEZVOUS_REFUSED' }

test('one address opens only so many rooms', async () => {
  const { api } = await start({ opens: { burst: 2, perMinute: 0 } })
  const openAny = () => api.mutate('rooms.open', newToken(), { capacity: 1 })
  expect([(await openAny()).ok, (await openAny()).ok]).toEqual([true, true])
  expect(await openAny()).toEqual(refused)
})

test('a rendezvous keeps only so many rooms', async () => {
  const { api } = await start({ roomsMax: 1 })
  const owner = newToken()
  expect((await api.mutate('rooms.open', owner, { capacity: 1 })).ok).toBe(true)
  expect(await api.mutate('rooms.open', newToken(), { capacity: 1 })).toEqual(refused)
  expect((await api.mutate('rooms.open', owner, { capacity: 1 })).ok).toBe(true)
})

test('one address joins only so often', async () => {
  const running = await start({ joins: { burst: 1, perMinute: 0 } })
  await open(running)
  expect((await running.api.mutate('rooms.join', newToken(), { nameplate: 'room' })).ok).toBe(true)
  expect(await running.api.mutate('rooms.join', newToken(), { nameplate: 'room' })).toEqual(refused)
})

test('one room is joined only so often, from wherever', async () => {
  const running = await start({ joinsPerRoom: { burst: 1, perMinute: 0 } })
  await open(running)
  expect((await running.api.mutate('rooms.join', newToken(), { nameplate: 'room' })).ok).toBe(true)
  expect(await running.api.mutate('rooms.join', newToken(), { nameplate: 'room' })).toEqual(refused)
})

test('a receiver that joins again is no new one, however often', async () => {
  const running = await start({ joinsPerRoom: { burst: 1, perMinute: 0 } })
  await open(running)
  const token = newToken()
  const join = () => running.api.mutate('rooms.join', token, { nameplate: 'room' })
  const first = await join()
  expect(first.ok).toBe(true)
  expect([await join(), await join()]).toEqual([first, first])
})

test('one address cannot use up the joins of a room', async () => {
  const running = await start({
    trustsProxy: true,
    joinsPerRoom: { burst: 3, perMinute: 0 },
    joinsPerRoomAndAddress: { burst: 2, perMinute: 0 },
  })
  await open(running)
  const join = (from: string) => running.api.mutate('rooms.join', newToken(), { nameplate: 'room' }, from)
  expect((await join('192.0.2.1')).ok).toBe(true)
  expect((await join('192.0.2.1')).ok).toBe(true)
  for (let tries = 0; tries < 5; tries += 1) expect(await join('192.0.2.1')).toEqual(refused)
  expect((await join('192.0.2.2')).ok).toBe(true)
})

test('behind a proxy the address that it has seen counts, not those that the client names before', async () => {
  const { api } = await start({ trustsProxy: true, opens: { burst: 1, perMinute: 0 } })
  const openFrom = (from: string) => api.mutate('rooms.open', newToken(), { capacity: 1 }, from)
  expect((await openFrom('192.0.2.1')).ok).toBe(true)
  expect(await openFrom('198.51.100.7, 192.0.2.1')).toEqual(refused)
  expect(await openFrom('203.0.113.1, 198.51.100.8, 192.0.2.1')).toEqual(refused)
  expect((await openFrom('192.0.2.1, 192.0.2.2')).ok).toBe(true)
})

test('without a proxy no header says where a request comes from', async () => {
  const { api } = await start({ opens: { burst: 1, perMinute: 0 } })
  expect((await api.mutate('rooms.open', newToken(), { capacity: 1 }, '192.0.2.1')).ok).toBe(true)
  expect(await api.mutate('rooms.open', newToken(), { capacity: 1 }, '192.0.2.2')).toEqual(refused)
})

test('one address has only so many rooms open, and room again for each that it closed', async () => {
  const { api } = await start({ trustsProxy: true, roomsPerAddressMax: 2 })
  const openFrom = (from: string, token = newToken()) => api.mutate('rooms.open', token, { capacity: 1 }, from)
  const owner = newToken()
  const first = await openFrom('192.0.2.1', owner)
  expect((await openFrom('192.0.2.1')).ok).toBe(true)
  expect(await openFrom('192.0.2.1')).toEqual(refused)
  // Its own room is found again, from wherever.
  expect(await openFrom('192.0.2.1', owner)).toEqual(first)
  expect((await openFrom('192.0.2.9')).ok).toBe(true)
  const roomId = first.ok && first.data instanceof Object && 'roomId' in first.data ? String(first.data.roomId) : ''
  await api.mutate('rooms.command', owner, { roomId, command: { type: 'close', reason: 'completed' } })
  expect((await openFrom('192.0.2.1')).ok).toBe(true)
})

test('a rendezvous of one computer opens rooms for that one only, and lets everybody join them', async () => {
  const running = await start({ trustsProxy: true, opensForThisMachineOnly: true })
  expect((await open(running)).ok).toBe(true)
  expect(await running.api.mutate('rooms.open', newToken(), { capacity: 1 }, '192.0.2.1')).toEqual({
    ok: false,
    status: 403,
    code: 'ERR_RENDEZVOUS_PRIVATE',
  })
  expect((await running.api.mutate('rooms.join', newToken(), { nameplate: 'room' }, '192.0.2.1')).ok).toBe(true)
})

test('when its memory runs short it takes in nobody and nothing, and goes on when there is room again', async () => {
  const { stores } = memoryStores(Date.now)
  let usedBytes = 0
  server = await startTestServer({
    stores: { ...stores, memory: { usedBytes: () => Promise.resolve(usedBytes) } },
    options: { memoryMaxBytes: 1000 },
  })
  const { api } = server
  const [owner, receiver] = [newToken(), newToken()]
  const opened = await open(server, owner)
  const roomId = opened.ok && opened.data instanceof Object && 'roomId' in opened.data ? String(opened.data.roomId) : ''
  const join = (token: string) => api.mutate('rooms.join', token, { nameplate: 'room' })
  const post = () => api.mutate('rooms.post', receiver, { roomId, body: 'aGk=' })
  expect((await join(receiver)).ok).toBe(true)
  usedBytes = 900
  await expect.poll(() => api.mutate('rooms.open', newToken(), { capacity: 1 })).toEqual(refused)
  expect(await join(newToken())).toEqual(refused)
  // What is there already is served to the last.
  expect([(await join(receiver)).ok, (await post()).ok]).toEqual([true, true])
  usedBytes = 1001
  await expect.poll(post).toEqual(refused)
  usedBytes = 100
  await expect.poll(async () => (await post()).ok).toBe(true)
  expect((await join(newToken())).ok).toBe(true)
})

test('one address holds only so many connections', async () => {
  const { address } = await start({ connectionsPerAddressMax: 2 })
  const connect = async (): Promise<Socket> => {
    const socket = createConnection(address.port, address.host)
    await once(socket, 'connect')
    return socket
  }
  const held = [await connect(), await connect()]
  const third = await connect()
  await once(third, 'close')
  for (const socket of held) expect(socket.destroyed).toBe(false)
  for (const socket of held) socket.destroy()
  await expect.poll(async () => (await fetch(`${address.url}/healthz`).catch(() => undefined))?.status).toBe(200)
})

test('trying out nameplates ends soon, and then also for one that exists', async () => {
  const running = await start({ failedJoins: { burst: 2, perMinute: 0 } })
  await open(running)
  for (const nameplate of ['1', '2']) {
    expect(await running.api.mutate('rooms.join', newToken(), { nameplate })).toMatchObject({ status: 404 })
  }
  expect(await running.api.mutate('rooms.join', newToken(), { nameplate: '3' })).toEqual(refused)
  expect(await running.api.mutate('rooms.join', newToken(), { nameplate: 'room' })).toEqual(refused)
})

test('one receiver cannot push the messages of others out of the mailbox', async () => {
  const running = await start({ postsPerReceiver: { burst: 2, perMinute: 0 } })
  const [owner, noisy, quiet] = [newToken(), newToken(), newToken()]
  await open(running, owner)
  const opened = await running.api.mutate('rooms.open', owner, { capacity: 1 })
  const roomId = opened.ok && opened.data instanceof Object && 'roomId' in opened.data ? String(opened.data.roomId) : ''
  for (const token of [noisy, quiet]) await running.api.mutate('rooms.join', token, { nameplate: 'room' })
  const post = (token: string) => running.api.mutate('rooms.post', token, { roomId, body: 'aGk=' })
  expect([(await post(noisy)).ok, (await post(noisy)).ok]).toEqual([true, true])
  expect(await post(noisy)).toEqual(refused)
  expect((await post(quiet)).ok).toBe(true)
})

test('one address watches only so many rooms at once', async () => {
  const running = await start({ watchersPerAddressMax: 1 })
  const owner = newToken()
  const opened = await open(running, owner)
  const roomId = opened.ok && opened.data instanceof Object && 'roomId' in opened.data ? String(opened.data.roomId) : ''
  const first = running.api.watch(roomId, owner)
  expect((await takeItems(first, 1)).map(tell)).toEqual(['RoomOpened'])
  expect((await running.api.watch(roomId, owner).next()).value).toEqual({
    type: 'failed',
    code: 'ERR_RENDEZVOUS_REFUSED',
  })
  await first.return()
  // The server notices the end of a connection a moment later.
  await expect.poll(async () => (await running.api.watch(roomId, owner).next()).value).toMatchObject({ type: 'item' })
})

test('one address makes only so many requests, and is told in the same shape', async () => {
  const { api, address } = await start({ requestsPerMinute: 2 })
  await api.query('server.info')
  await api.query('server.info')
  expect(await api.query('server.info')).toEqual(refused)
  expect((await fetch(`${address.url}/healthz`)).status).toBe(429)
})

test('many requests in one, other methods, other content and other paths are refused', async () => {
  const { api, address } = await start({})
  const batch = await fetch(`${address.url}/trpc/server.info,server.info?batch=1&input=${encodeURIComponent('{}')}`)
  expect(batch.status).toBe(400)
  expect((await fetch(`${address.url}/trpc/rooms.open`)).status).toBe(405)
  expect(await api.mutate('rooms.list', newToken())).toMatchObject({ ok: false, status: 404 })
  const form = await fetch(`${address.url}/trpc/rooms.open`, {
    method: 'POST',
    headers: { authorization: `Bearer ${newToken()}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'capacity=1',
  })
  expect(form.status).toBe(415)
  expect((await fetch(`${address.url}/elsewhere`)).status).toBe(404)
})

test('what is not understood is refused without quoting it', async () => {
  const { address } = await start({})
  const token = newToken()
  for (const body of ['{', '[]', '{"capacity":0}', '{"capacity":1,"name":"\\u202e"}', 'null']) {
    const response = await fetch(`${address.url}/trpc/rooms.open`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body,
    })
    expect(response.status).toBe(400)
    const text = await response.text()
    expect(text).toContain('ERR_USAGE')
    expect(text).not.toContain(token)
    expect(text).not.toContain('stack')
  }
})
