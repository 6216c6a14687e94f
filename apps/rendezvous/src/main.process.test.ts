/** On real processes of the built rendezvous: `./test` builds before it tests, `npx vitest` does not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { assert } from '@godwit/protocol/assert'
import { openRoomOutput } from '@godwit/protocol/rendezvousApi'
import { isRunning } from '@godwit/redis/processes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { apiClient, newToken, takeItems, tell } from './testing/apiClient.js'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const lineSchema = z.object({
  type: z.string(),
  url: z.string().optional(),
  port: z.number().optional(),
  udpPort: z.number().optional(),
  code: z.string().optional(),
})

let dataDir: string
let children: ChildProcess[]

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'godwit-main-'))
  children = []
})
afterEach(async () => {
  for (const child of children) await end(child)
  rmSync(dataDir, { recursive: true, force: true })
})

const run = async (...args: readonly string[]) => {
  const child = spawn(process.execPath, [main, '--data-dir', dataDir, ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
  children.push(child)
  assert(child.stdout !== null, 'a pipe')
  const [text] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, line: lineSchema.parse(JSON.parse(String(text))) }
}
const exitOf = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}
const end = (child: ChildProcess): Promise<number | null> => {
  child.kill('SIGTERM')
  return exitOf(child)
}

test('with a Redis of its own it keeps rooms over a restart, and ends cleanly', async () => {
  const first = await run('--listen', '127.0.0.1:0')
  expect(first.line).toMatchObject({ type: 'rendezvous.ready', udpPort: first.line.port })
  const owner = newToken()
  const answer = await apiClient(first.line.url ?? '').mutate('rooms.open', owner, { capacity: 1 })
  const room = openRoomOutput.parse(answer.ok ? answer.data : undefined)
  expect(await end(first.child)).toBe(0)
  const second = await run('--listen', `127.0.0.1:${first.line.port}`)
  const stream = apiClient(second.line.url ?? '').watch(room.roomId, owner)
  expect((await takeItems(stream, 1)).map(tell)).toEqual(['RoomOpened'])
  await stream.return()
})

test('a port that is taken is told by code and exit code', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const { child, line } = await run('--listen', `127.0.0.1:${port}`)
  expect(line).toMatchObject({ type: 'rendezvous.failed', code: 'ERR_PORT_TAKEN' })
  expect(await exitOf(child)).toBe(7)
  other.close()
})

test('arguments that are not understood are told', async () => {
  const { child, line } = await run('--listen', 'nowhere')
  expect(line).toMatchObject({ type: 'rendezvous.failed', code: 'ERR_USAGE' })
  expect(await exitOf(child)).toBe(2)
})

test('two on one data directory are one too many', async () => {
  await run('--listen', '127.0.0.1:0')
  const { child, line } = await run('--listen', '127.0.0.1:0')
  expect(line).toMatchObject({ type: 'rendezvous.failed', code: 'ERR_NODE_RUNNING' })
  expect(await exitOf(child)).toBe(78)
})

test('a child ends with its parent, and its Redis with it', async () => {
  const { child } = await run('--listen', '127.0.0.1:0', '--exit-with-parent')
  child.stdin?.end()
  expect(await exitOf(child)).toBe(0)
  expect(isRunning(child.pid ?? 0)).toBe(false)
})
