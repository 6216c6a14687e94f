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
