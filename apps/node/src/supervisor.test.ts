import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dataDirFiles, ensureDataDir } from './lifecycle/dataDir.js'
import { acquireProcessLock } from './lifecycle/processLock.js'
import { runSupervisor, SUPERVISOR_PID_VARIABLE, supervisorPidFrom } from './supervisor.js'

let folder: string
let dataDir: string
let runs: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-supervisor-'))
  dataDir = join(folder, 'data')
  runs = join(folder, 'runs')
  ensureDataDir(dataDir)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A node that notes each of its starts (and what it was given) and then does `body`; `run` is 1, 2, 3 …. */
const fakeNode = (body: string): string => {
  const path = join(folder, 'node.mjs')
  writeFileSync(
    path,
    `import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
     appendFileSync(${JSON.stringify(runs)}, JSON.stringify({ pid: process.pid, ppid: process.ppid, dataDir: process.env.GODWIT_DATA_DIR, told: process.env.${SUPERVISOR_PID_VARIABLE} }) + '\\n')
     const run = readFileSync(${JSON.stringify(runs)}, 'utf8').trim().split('\\n').length
     ${body}`,
  )
  return path
}

interface Run {
  readonly pid: number
  readonly ppid: number
  readonly dataDir: string
  readonly told: string
}

const runsSoFar = (): Run[] =>
  existsSync(runs)
    ? readFileSync(runs, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Run)
    : []

const supervise = (nodeEntry: string) => runSupervisor({ dataDir, nodeEntry, backoffMinMs: 10, backoffMaxMs: 40 })

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('a node that dies is started again, killed or crashed, until it ends on purpose', async () => {
  const entry = fakeNode(`
    if (run === 1) process.kill(process.pid, 'SIGKILL')
    if (run === 2) throw new Error('a bug')
    if (run === 3) process.exit(7)`)
  expect(await supervise(entry)).toBe(0)
  expect(runsSoFar()).toHaveLength(4)
  expect(new Set(runsSoFar().map(({ pid }) => pid)).size).toBe(4)
  const log = readFileSync(dataDirFiles(dataDir).log, 'utf8')
  expect(log).toContain('the node died (SIGKILL)')
  expect(log).toContain('a bug')
  expect(existsSync(dataDirFiles(dataDir).supervisorLock)).toBe(false)
})

test('a node learns its data directory and its supervisor from the environment', async () => {
  expect(await supervise(fakeNode(''))).toBe(0)
  expect(runsSoFar()).toMatchObject([{ dataDir, ppid: process.pid, told: String(process.pid) }])
  expect(supervisorPidFrom({ [SUPERVISOR_PID_VARIABLE]: String(process.ppid) })).toBe(process.ppid)
  // Left over from a grandparent: not the process that started this one.
  expect(supervisorPidFrom({ [SUPERVISOR_PID_VARIABLE]: String(process.pid) })).toBeNull()
  expect(supervisorPidFrom({})).toBeNull()
})

test('a node that cannot be set up is not started again, and its reason is kept for the command that waits', async () => {
  const { startError } = dataDirFiles(dataDir)
  const reason = { code: 'ERR_REDIS_MISSING', message: 'no redis', at: 1 }
  const own = fakeNode(
    `writeFileSync(${JSON.stringify(startError)}, ${JSON.stringify(JSON.stringify(reason))}); process.exit(78)`,
  )
  expect(await supervise(own)).toBe(78)
  expect(runsSoFar()).toHaveLength(1)
  expect(JSON.parse(readFileSync(startError, 'utf8'))).toEqual(reason)
  // The next start forgets the old reason; a node that gave none gets the general one.
  expect(await supervise(fakeNode('process.exit(78)'))).toBe(78)
  expect(JSON.parse(readFileSync(startError, 'utf8'))).toMatchObject({ code: 'ERR_NODE_START' })
})

test('SIGTERM is handed on, and the node is not started again', async () => {
  const asked = join(folder, 'asked')
  const entry = fakeNode(`
    process.on('SIGTERM', () => { writeFileSync(${JSON.stringify(asked)}, 'yes'); process.exit(0) })
    writeFileSync(${JSON.stringify(`${runs}.up`)}, '')
    setInterval(() => {}, 1000)`)
  const running = supervise(entry)
  await until(() => existsSync(`${runs}.up`))
  process.emit('SIGTERM', 'SIGTERM')
  expect(await running).toBe(0)
  expect(readFileSync(asked, 'utf8')).toBe('yes')
  expect(runsSoFar()).toHaveLength(1)
})

test('SIGTERM while it waits for the next start ends it at once', async () => {
  const running = runSupervisor({ dataDir, nodeEntry: fakeNode('process.exit(1)'), backoffMinMs: 60_000 })
  const { log } = dataDirFiles(dataDir)
  await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('starting it again in 60000 ms'))
  process.emit('SIGTERM', 'SIGTERM')
  expect(await running).toBe(0)
  expect(runsSoFar()).toHaveLength(1)
})

test('the wait doubles up to its limit and begins anew after a healthy run', async () => {
  const lifetimesMs = [0, 0, 0, 30_000, 29_999, 0]
  // Asked twice a run: at its start and, but for the last one, at its end.
  const times = lifetimesMs.flatMap((lifetimeMs, index) => [index * 100_000, index * 100_000 + lifetimeMs])
  const now = (): number => times.shift() ?? 0
  const entry = fakeNode('process.exit(run < 6 ? 1 : 0)')
  expect(await runSupervisor({ dataDir, nodeEntry: entry, backoffMinMs: 5, backoffMaxMs: 20, now })).toBe(0)
  const waits = [...readFileSync(dataDirFiles(dataDir).log, 'utf8').matchAll(/again in (\d+) ms/g)].map((match) =>
    Number(match[1]),
  )
  expect(waits).toEqual([5, 10, 20, 5, 10])
})

test('where another supervisor runs, a second one leaves', async () => {
  const lock = acquireProcessLock(dataDirFiles(dataDir).supervisorLock)
  expect(await supervise(fakeNode(''))).toBe(0)
  expect(runsSoFar()).toEqual([])
  if ('release' in lock) lock.release()
})
