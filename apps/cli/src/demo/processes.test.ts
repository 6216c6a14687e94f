import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endEverythingBelow, isAlive, processesOf, waitUntil } from './processes.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-processes-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const nodeFile = (pid: number, supervisorPid: number | null) =>
  JSON.stringify({ pid, supervisorPid, url: 'http://127.0.0.1:1', version: '0.1.0', startedAt: 'now' })

const sleeper = async (env: NodeJS.ProcessEnv = {}) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { env, stdio: 'ignore' })
  await once(child, 'spawn')
  if (child.pid === undefined) throw new Error('a process that was started has an id')
  return { child, pid: child.pid, exited: once(child, 'exit') }
}

test('processes are found by their files, a Redis of a rendezvous inside included', () => {
  writeFileSync(join(folder, 'node.json'), nodeFile(11, 12))
  for (const [path, pid] of [
    ['redis', '13\n'],
    ['rendezvous/redis', '14'],
  ] as const) {
    mkdirSync(join(folder, path), { recursive: true })
    writeFileSync(join(folder, path, 'redis.pid'), pid)
  }
  expect(processesOf(folder)).toEqual({ node: 11, supervisor: 12, redis: [13, 14] })
})

test('files that are missing or say nonsense name no process', () => {
  expect(processesOf(join(folder, 'nowhere'))).toEqual({ node: undefined, supervisor: undefined, redis: [] })
  writeFileSync(join(folder, 'node.json'), '{')
  mkdirSync(join(folder, 'redis'))
  writeFileSync(join(folder, 'redis', 'redis.pid'), '-1')
  expect(processesOf(folder)).toEqual({ node: undefined, supervisor: undefined, redis: [] })
})

test('everything is ended: what the files name, and what only the environment gives away', async () => {
  const named = await sleeper()
  const stray = await sleeper({ GODWIT_DATA_DIR: join(folder, 'data') })
  const other = await sleeper()
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'data', 'node.json'), nodeFile(named.pid, null))
  const ended = Promise.all([named.exited, ...(process.platform === 'linux' ? [stray.exited] : [])])
  await endEverythingBelow(folder, [join(folder, 'data')])
  await ended
  expect(isAlive(other.pid)).toBe(true)
  for (const { child } of [stray, other]) child.kill('SIGKILL')
})

test('waitUntil gives the first value, or nothing when the time is over', async () => {
  let looks = 0
  expect(await waitUntil(() => (++looks === 3 ? 'there' : undefined), 5000)).toBe('there')
  expect(await waitUntil(() => undefined, 1)).toBeUndefined()
})
