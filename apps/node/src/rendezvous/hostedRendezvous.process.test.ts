/** On real processes of the built rendezvous: `./test` builds before it tests, `npx vitest` does not. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert } from '@godwit/protocol/assert'
import { isRunning } from '@godwit/redis/processes'
import { startTestRedis, type TestRedis } from '@godwit/redis/testing/withRedis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { HostedRendezvous, type HostedRendezvousEvent } from './hostedRendezvous.js'
import { RendezvousClient } from './rendezvousClient.js'

const entry = fileURLToPath(new URL('../../../rendezvous/dist/main.js', import.meta.url))

let redis: TestRedis
let dataDir: string
let running: HostedRendezvous[]

beforeAll(async () => {
  redis = await startTestRedis()
})
afterAll(async () => {
  await redis.stop()
})
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'godwit-hosted-'))
  running = []
})
afterEach(async () => {
  for (const hosted of running) await hosted.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const start = async (onEvent?: (event: HostedRendezvousEvent) => void): Promise<HostedRendezvous> => {
  const started = await HostedRendezvous.start({
    dataDir,
    redisUrl: redis.redis.target.path,
    entry,
    host: '127.0.0.1',
    ...(onEvent === undefined ? {} : { onEvent }),
  })
  assert(started.ok, JSON.stringify(started))
  running.push(started.value)
  return started.value
}

const infoOf = (hosted: HostedRendezvous) => new RendezvousClient({ url: hosted.url }).info()

test('it answers on a TCP and a UDP port of one number, and ends when it is told to', async () => {
  const hosted = await start()
  expect(await infoOf(hosted)).toMatchObject({ ok: true, value: { udpPort: hosted.port } })
  const pid = hosted.pid ?? 0
  await hosted.stop()
  expect(isRunning(pid)).toBe(false)
  expect(await infoOf(hosted)).toMatchObject({ ok: false, failure: { code: 'ERR_RENDEZVOUS_UNREACHABLE' } })
})

test('it keeps its port over restarts of the node', async () => {
  const first = await start()
  await first.stop()
  const second = await start()
  expect(second.port).toBe(first.port)
  expect(JSON.parse(await readFile(join(dataDir, 'rendezvous.json'), 'utf8'))).toEqual({ port: first.port })
})

test('it is started again on its port when it dies', async () => {
  const events: HostedRendezvousEvent[] = []
  const hosted = await start((event) => events.push(event))
  const pid = hosted.pid ?? 0
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => events.map(({ type }) => type), { timeout: 15_000 }).toEqual(['ready', 'died', 'ready'])
  expect(hosted.pid).not.toBe(pid)
  expect(await infoOf(hosted)).toMatchObject({ ok: true, value: { udpPort: hosted.port } })
})

test('one that was left behind gives its port to the next', async () => {
  const left = await start()
  // As when its node is killed: nobody ends it, its standard input does.
  const second = start()
  await new Promise((resolve) => setTimeout(resolve, 300))
  await left.stop()
  expect((await second).port).toBe(left.port)
}, 30_000)

test('a port that another program holds for good is given up', async () => {
  const first = await start()
  await first.stop()
  const other = createServer().listen(first.port, '127.0.0.1')
  try {
    const second = await start()
    expect(second.port).not.toBe(first.port)
    expect(await infoOf(second)).toMatchObject({ ok: true })
  } finally {
    other.close()
  }
}, 30_000)

test('what cannot run says so', async () => {
  const refused = await HostedRendezvous.start({ dataDir, redisUrl: '/nowhere/redis.sock', entry, host: '127.0.0.1' })
  expect(refused).toMatchObject({ ok: false, failure: { code: 'ERR_REDIS_UNREACHABLE' } })
  const missing = { dataDir, redisUrl: '/nowhere', entry: '/nowhere/main.js' }
  expect(await HostedRendezvous.start(missing)).toMatchObject({ ok: false, failure: { code: 'ERR_NODE_START' } })
})
