/** The launcher and the demo, as a newcomer meets them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LAUNCHER, ROOT } from './harness/command.js'
import { makeTree } from './harness/files.js'

const MINIMAL = { PATH: '/usr/bin:/bin', HOME: '' }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'godwit-house-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const lastLineOf = (text: string): Record<string, unknown> => JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')

/** Runs the demo with a temporary folder of its own, in which nothing may be left. */
const demo = (args: readonly string[], environment: NodeJS.ProcessEnv = {}) => {
  const temporary = join(folder, 't')
  mkdirSync(temporary, { recursive: true })
  const env = { ...process.env, TMPDIR: temporary, ...environment }
  const result = spawnSync(LAUNCHER, ['demo', ...args], { env, encoding: 'utf8', timeout: 240_000 })
  return { ...result, left: readdirSync(temporary), processes: processesNaming(temporary) }
}

/** Processes whose arguments or environment name `text`. */
const processesNaming = (text: string): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      ['cmdline', 'environ'].some((file) => {
        try {
          return readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(text)
        } catch {
          return false
        }
      }),
    )

describe('the launcher', () => {
  test('starts in under 2 seconds once it is set up, also with a minimal PATH and an empty HOME', () => {
    for (const environment of [process.env, MINIMAL]) {
      const startedAt = performance.now()
      const { status, stdout } = spawnSync(LAUNCHER, ['--version'], { env: environment, encoding: 'utf8' })
      expect(performance.now() - startedAt).toBeLessThan(2000)
      expect(status).toBe(0)
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    }
  })

  test('works through a symbolic link and from another folder', () => {
    execFileSync('ln', ['-s', LAUNCHER, join(folder, 'gw')])
    const { status } = spawnSync('./gw', ['--version'], { cwd: folder, encoding: 'utf8' })
    expect(status).toBe(0)
  })

  test('takes its arguments off the process list at once', async () => {
    const child = spawn(LAUNCHER, ['receive', '1-canary-canary-canary@127.0.0.1:1', '--json'], {
      env: { ...process.env, GODWIT_DATA_DIR: join(folder, 'data'), TMPDIR: folder },
      stdio: 'ignore',
    })
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(processesNaming('canary-canary')).toEqual([])
    child.kill('SIGKILL')
    spawnSync(LAUNCHER, ['node', 'stop'], { env: { ...process.env, GODWIT_DATA_DIR: join(folder, 'data') } })
  })

  test.runIf(process.env['CI'] === 'true' && existsSync(join(ROOT, '.git')))(
    'sets up a fresh copy without root’s home and without an installed redis-server',
    () => {
      const copy = join(folder, 'copy')
      const files = execFileSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
        .split('\0')
        .filter(Boolean)
      for (const file of files.filter((name) => existsSync(join(ROOT, name)))) {
        mkdirSync(dirname(join(copy, file)), { recursive: true })
        cpSync(join(ROOT, file), join(copy, file))
      }
      const hide =
        'for f in redis-server redis-check-rdb valkey-server; do [ -e /usr/bin/$f ] && mount --bind /dev/null /usr/bin/$f; done'
      const environment = { ...process.env, ...MINIMAL, GODWIT_DATA_DIR: join(folder, 'data') }
      const script = `${hide}; "${copy}/godwit" node start --json && "${copy}/godwit" node stop --json`
      const result = spawnSync('unshare', ['--mount', 'sh', '-c', script], { env: environment, encoding: 'utf8' })
      expect(result.status, result.stderr).toBe(0)
      expect(existsSync(join(copy, '.godwit', 'redis', 'bin', 'redis-server'))).toBe(true)
    },
    300_000,
  )
})

describe('the demo', () => {
  test('survives the kill of its receiving node and leaves nothing, with a minimal PATH and an empty HOME', () => {
    const { status, stdout, stderr, left, processes } = demo(['--json'], MINIMAL)
    expect(status, `${stdout}\n${stderr}`).toBe(0)
    const types = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).type)
    expect(types).toEqual(expect.arrayContaining(['demo.killed', 'demo.resumed', 'demo.compared']))
    const result = lastLineOf(stdout)
    expect(result).toMatchObject({ type: 'demo.completed', bytes: 256 * 1024 * 1024, killedAt: 'transferring' })
    expect(result['sentAgainBytes']).toBeLessThanOrEqual(64 * 1024 * 1024)
    expect(left).toEqual([])
    expect(processes).toEqual([])
  }, 240_000)

  test('takes a small tree of the user’s own, and says that it was cut before it was finalized', () => {
    const tree = join(folder, 'my tree')
    makeTree(tree, [{ path: 'a file', text: 'small' }, { path: 'empty' }, { path: 'deep/er/one', text: '' }])
    const { status, stdout, stderr, left, processes } = demo([tree])
    expect(status, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout).toMatch(/too small to be cut/)
    expect(left).toEqual([])
    expect(processes).toEqual([])
  }, 240_000)

  test('refuses a path that is not there', () => {
    const { status, stdout, left } = demo([join(folder, 'not there'), '--json'])
    expect(status).toBe(6)
    expect(lastLineOf(stdout)).toMatchObject({ type: 'demo.failed', code: 'ERR_PATH_NOT_FOUND' })
    expect(left).toEqual([])
  })

  test('stops and removes everything when it is interrupted', async () => {
    const temporary = join(folder, 't')
    mkdirSync(temporary)
    const child = spawn(LAUNCHER, ['demo', '--json'], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (text: Buffer) => {
        if (text.includes('demo.progress')) resolve()
      })
      child.once('exit', () => resolve())
    })
    child.kill('SIGINT')
    expect(await exited).toBe(130)
    expect(readdirSync(temporary)).toEqual([])
    expect(processesNaming(temporary)).toEqual([])
  }, 120_000)
})
