import { mkdir, mkdtemp, open as openFile, readdir, realpath, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContractEvent } from '@godwit/engine/testing/eventStoreContract'
import { contractRouteOf } from '@godwit/engine/testing/eventStoreContract'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { checkRedis } from './connection.js'
import type { EmbeddedRedisEvent } from './embeddedRedis.js'
import { EmbeddedRedis } from './embeddedRedis.js'
import { openLog } from './log.js'
import { isRunning } from './processes.js'
import { SOCKET_PATH_MAX_BYTES } from './socketPath.js'
import { contractCodec } from './testing/contractCodec.js'

let dataDir: string
const started: EmbeddedRedis[] = []

beforeEach(async () => {
  dataDir = await realpath(await mkdtemp(join(tmpdir(), 'godwit-embedded-')))
})
afterEach(async () => {
  for (const redis of started.splice(0)) await redis.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const start = async (dir = dataDir, events: EmbeddedRedisEvent[] = []): Promise<EmbeddedRedis> => {
  const result = await EmbeddedRedis.start({ dataDir: dir, onEvent: (event) => events.push(event) })
  if (!result.ok) throw new Error(result.failure.code)
  started.push(result.value)
  const ready = await result.value.ready()
  if (!ready.ok) throw new Error(ready.failure.detail)
  return result.value
}

const open = (redis: EmbeddedRedis) =>
  openLog<ContractEvent, object>({
    target: redis.target,
    prefix: '{godwit}',
    codec: contractCodec,
    routeOf: contractRouteOf,
    projection: 'embedded.1',
  })

const metadata = { correlationId: 'request-1', causationId: 'request-1' }
const counted = (n: number): ContractEvent => ({ type: 'Counted', data: { n } })

test('a server that is started fits, answers on its socket only, and ends when stopped', async () => {
  const redis = await start()
  const { pid } = redis
  expect(await checkRedis({ target: redis.target, prefix: '{godwit}' })).toMatchObject({ ok: true })
  const log = open(redis)
  const settings = ['port', 'appendonly', 'appendfsync', 'maxmemory-policy', 'aof-load-truncated', 'save']
  const values = await Promise.all(settings.map((name) => log.redis.config('GET', name)))
  expect(values).toEqual([
    ['port', '0'],
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['maxmemory-policy', 'noeviction'],
    ['aof-load-truncated', 'yes'],
    ['save', ''],
  ])
  await log.close()
  await redis.stop()
  expect(pid !== undefined && isRunning(pid)).toBe(false)
  expect(await checkRedis({ target: redis.target, prefix: '{godwit}' }, 500)).toMatchObject({
    ok: false,
    failure: { code: 'ERR_REDIS_UNREACHABLE' },
  })
})

test('SIGKILL in the middle of appends: every append that was answered is there after the respawn', async () => {
  const events: EmbeddedRedisEvent[] = []
  const redis = await start(dataDir, events)
  const log = open(redis)
  const answered = new Map<string, number>()
  const appendMany = async (streamId: string): Promise<void> => {
    for (let n = 1; n <= 150; n += 1) {
      const result = await log.events.append(streamId, n - 1, [counted(n)], metadata)
      expect(result).toMatchObject({ ok: true, version: n })
      answered.set(streamId, n)
      if (streamId === 'tr0' && (n === 40 || n === 90) && redis.pid !== undefined) process.kill(redis.pid, 'SIGKILL')
    }
  }
  await Promise.all(['tr0', 'tr1', 'tr2', 'tr3'].map(appendMany))
  for (const [streamId, count] of answered) {
    const recorded = await log.events.read(streamId)
    expect(recorded.map((event) => event.version)).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    expect(recorded.map((event) => event.data)).toEqual(recorded.map((event) => ({ n: event.version })))
  }
  expect(events.filter(({ type }) => type === 'spawned').length).toBeGreaterThan(1)
  await log.close()
})

test('a follower misses nothing over a restart of the server', async () => {
  const redis = await start()
  const log = open(redis)
  const stop = new AbortController()
  const seen: number[] = []
  const followed = (async () => {
    for await (const event of log.events.follow('tr1', 1, stop.signal)) {
      seen.push(event.version)
      if (event.version === 30) stop.abort()
    }
  })()
  for (let n = 1; n <= 30; n += 1) {
    if (n === 15 && redis.pid !== undefined) process.kill(redis.pid, 'SIGKILL')
    await log.events.append('tr1', n - 1, [counted(n)], metadata)
  }
  await followed
  expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
  await log.close()
})

test('a server left behind is adopted with its data, started again when it dies, and can be stopped', async () => {
  const first = await start()
  const log = open(first)
  await log.events.append('tr1', 0, [counted(1)], metadata)
  await first.leave()
  const events: EmbeddedRedisEvent[] = []
  const second = await start(dataDir, events)
  expect(second.pid).toBe(first.pid)
  expect(events).toEqual([{ type: 'adopted', pid: first.pid }])
  if (second.pid !== undefined) process.kill(second.pid, 'SIGKILL')
  await vi.waitFor(() => expect(events.map(({ type }) => type)).toEqual(['adopted', 'died', 'spawned']), {
    timeout: 5000,
  })
  expect(await log.events.version('tr1')).toBe(1)
  const { pid } = second
  await log.close()
  await second.stop()
  expect(pid !== undefined && isRunning(pid)).toBe(false)
})

test('a server left behind that hangs is ended and another one started', async () => {
  const first = await start()
  const { pid } = first
  await first.leave()
  if (pid !== undefined) process.kill(pid, 'SIGSTOP')
  const events: EmbeddedRedisEvent[] = []
  const second = await start(dataDir, events)
  expect(events.map(({ type }) => type)).toEqual(['ended', 'spawned'])
  expect(second.pid).not.toBe(pid)
}, 30_000)

test('a stale socket and the pid of some other process are no obstacle', async () => {
  await mkdir(join(dataDir, 'redis'), { mode: 0o700 })
  await writeFile(join(dataDir, 'redis', 'redis.sock'), '')
  await writeFile(join(dataDir, 'redis', 'redis.pid'), String(process.pid))
  const redis = await start()
  expect(redis.pid).not.toBe(process.pid)
})

test('a data directory with a long path gets a socket with a short one', async () => {
  const redis = await start(join(dataDir, 'long'.repeat(30)))
  expect(Buffer.byteLength(redis.target.path)).toBeLessThanOrEqual(SOCKET_PATH_MAX_BYTES)
})

test('no server program is a failure of its own', async () => {
  const env = { PATH: dataDir, GODWIT_REDIS_SERVER: '' }
  const result = await EmbeddedRedis.start({ dataDir, env })
  expect(result).toEqual({ ok: false, failure: { code: 'ERR_REDIS_MISSING' } })
})

/** Fills a log with two hundred appends and ends the server; the path of its append-only file. */
const filledLog = async (): Promise<string> => {
  const redis = await start()
  const log = open(redis)
  for (let n = 1; n <= 200; n += 1) await log.events.append('tr1', n - 1, [counted(n)], metadata)
  await log.close()
  await redis.stop()
  const folder = join(dataDir, 'redis', 'appendonlydir')
  const name = (await readdir(folder)).find((file) => file.endsWith('.incr.aof'))
  if (name === undefined) throw new Error('no append-only file')
  return join(folder, name)
}

/** The numbers that a server started again still has. */
const numbersAfterRestart = async (events: EmbeddedRedisEvent[]): Promise<readonly unknown[]> => {
  const log = open(await start(dataDir, events))
  const recorded = await log.events.read('tr1')
  expect(recorded.map((event) => event.version)).toEqual(recorded.map((_, index) => index + 1))
  await log.close()
  return recorded
}

test('a log whose last command was cut off by a crash loads', async () => {
  const file = await filledLog()
  await truncate(file, (await stat(file)).size - 7)
  const events: EmbeddedRedisEvent[] = []
  expect((await numbersAfterRestart(events)).length).toBe(199)
  expect(events.map(({ type }) => type)).toEqual(['spawned'])
})

test('a log damaged in the middle is copied aside and cut there', async () => {
  const file = await filledLog()
  const handle = await openFile(file, 'r+')
  await handle.write('damaged', Math.floor((await handle.stat()).size / 2))
  await handle.close()
  const events: EmbeddedRedisEvent[] = []
  const { length } = await numbersAfterRestart(events)
  expect(length).toBeGreaterThan(50)
  expect(length).toBeLessThan(150)
  expect(events.find(({ type }) => type === 'repaired')).toMatchObject({ outcome: 'cut' })
})

test('a log that nothing can be made of is copied aside, and the server begins anew', async () => {
  const file = await filledLog()
  await writeFile(join(file, '..', 'appendonly.aof.manifest'), 'nonsense')
  const events: EmbeddedRedisEvent[] = []
  expect(await numbersAfterRestart(events)).toEqual([])
  const outcomes = events.flatMap((event) => (event.type === 'repaired' ? [event.outcome] : []))
  expect(outcomes.at(-1)).toBe('begunAnew')
})

test('a log that was deleted while the server was down is an empty one', async () => {
  await rm(join(await filledLog(), '..'), { recursive: true })
  expect(await numbersAfterRestart([])).toEqual([])
})

test('a server that cannot be used is told apart from one that does not answer', async () => {
  const redis = await start()
  const access = { target: redis.target, prefix: '{godwit}' } as const
  const log = open(redis)
  await log.redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  expect(await checkRedis(access)).toMatchObject({ ok: false, failure: { code: 'ERR_REDIS_UNSUITABLE' } })
  await log.close()
  const nobody = { kind: 'url', url: 'redis://:secret@127.0.0.1:1' } as const
  const answer = await checkRedis({ ...access, target: nobody }, 1000)
  expect(answer).toMatchObject({ ok: false, failure: { code: 'ERR_REDIS_UNREACHABLE' } })
  expect(JSON.stringify(answer)).not.toContain('secret')
})
