import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { acquireNodeLock } from './nodeLock.js'
import { identityOf, isRunning, parseStartTicks } from './processIdentity.js'
import { acquireProcessLock, lockHolder } from './processLock.js'
import type { Transpiled } from './testing/transpiled.js'
import { transpile } from './testing/transpiled.js'

let programs: Transpiled
let folder: string
let path: string

beforeAll(() => {
  programs = transpile(['lifecycle/processIdentity.ts', 'lifecycle/processLock.ts'])
})
afterAll(() => programs.remove())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-lock-'))
  path = join(folder, 'node.lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A process that tries to take the lock, says whether it could, and then lives until it is killed. */
const contender = () => {
  const script = `
    const { acquireProcessLock } = await import(${JSON.stringify(pathToFileURL(programs.path('lifecycle/processLock.ts')).href)})
    process.stdin.once('data', () => {
      const lock = acquireProcessLock(${JSON.stringify(path)})
      process.stdout.write('holder' in lock ? 'refused' : 'taken')
      setInterval(() => {}, 1000)
    })
    process.stdout.write('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  let wake: () => void = () => {}
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    wake()
  })
  const until = async (word: string): Promise<void> => {
    while (!said.includes(word)) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    pid: child.pid ?? 0,
    ready: () => until('ready'),
    go: () => child.stdin.write('go'),
    answer: async (): Promise<'taken' | 'refused'> => {
      while (!said.includes('taken') && !said.includes('refused')) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return said.includes('taken') ? 'taken' : 'refused'
    },
    kill: () =>
      new Promise<void>((resolve) => {
        child.once('exit', () => resolve())
        child.kill('SIGKILL')
      }),
  }
}

describe('the lock of a data directory', () => {
  test('is refused to a second one, with the pid of the first, and free again after its release', () => {
    const first = acquireNodeLock(folder)
    if (!first.ok) throw new Error('refused')
    const second = acquireNodeLock(folder)
    expect(second).toMatchObject({ ok: false, failure: { code: 'ERR_NODE_RUNNING' } })
    if (!second.ok) expect(second.failure.detail).toContain(String(process.pid))
    first.value.release()
    expect(readdirSync(folder)).toEqual([])
    expect(acquireNodeLock(folder).ok).toBe(true)
  })

  test('names a folder that cannot be written', () => {
    expect(acquireNodeLock(join(folder, 'missing'))).toMatchObject({ ok: false, failure: { code: 'ERR_DATA_DIR' } })
  })

  test('outlives nothing: after SIGKILL of its holder it is taken at once', async () => {
    const holder = contender()
    await holder.ready()
    holder.go()
    expect(await holder.answer()).toBe('taken')
    expect(lockHolder(path)?.pid).toBe(holder.pid)
    expect(acquireProcessLock(path)).toMatchObject({ holder: { pid: holder.pid } })
    await holder.kill()
    expect(lockHolder(path)).toBeUndefined()
    const lock = acquireProcessLock(path)
    expect('release' in lock).toBe(true)
    expect(readdirSync(folder)).toEqual(['node.lock'])
  })

  test('is not held by another process that was given the same pid', () => {
    // The pid is one that runs, ours; its start is another one's.
    writeFileSync(path, JSON.stringify({ pid: process.pid, startTime: 'another boot.1', id: 'x' }))
    const lock = acquireProcessLock(path)
    expect('release' in lock).toBe(process.platform === 'linux')
  })

  test.each(['', '{', '{"pid":"x"}', '[]'])('is taken over a damaged file: %j', (text) => {
    writeFileSync(path, text)
    expect('release' in acquireProcessLock(path)).toBe(true)
  })

  test('goes to exactly one of many that find the same stale lock at once', async () => {
    writeFileSync(path, JSON.stringify({ pid: 2 ** 22 + 1, startTime: 'gone', id: 'stale' }))
    const contenders = Array.from({ length: 6 }, contender)
    try {
      await Promise.all(contenders.map(({ ready }) => ready()))
      for (const { go } of contenders) go()
      const answers = await Promise.all(contenders.map(({ answer }) => answer()))
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1)
      expect(readdirSync(folder)).toEqual(['node.lock'])
    } finally {
      await Promise.all(contenders.map(({ kill }) => kill()))
    }
  })

  test('a release leaves alone what is another one’s by now', () => {
    const lock = acquireProcessLock(path)
    if ('holder' in lock) throw new Error('refused')
    writeFileSync(path, 'somebody else')
    lock.release()
    lock.release()
    expect(existsSync(path)).toBe(true)
    expect(readFileSync(path, 'utf8')).toBe('somebody else')
  })
})

describe('the identity of a process', () => {
  test('is read past a command with spaces and parentheses (proc(5))', () => {
    const fields = Array.from({ length: 40 }, (_, index) => String(index + 4)).join(' ')
    expect(parseStartTicks(`77 (a) b (c) S ${fields}`)).toBe('22')
    expect(parseStartTicks('nonsense')).toBeNull()
  })

  test('tells this process from one that never was', () => {
    expect(isRunning(identityOf())).toBe(true)
    expect(isRunning({ pid: process.pid, startTime: null })).toBe(true)
    expect(isRunning({ pid: 2 ** 22 + 1, startTime: null })).toBe(false)
  })
})
