/** The words of a code and a room's password are nowhere that others, or a backup, could read. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sourceFiles } from '../repo/sources.js'
import { randomFile } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

const PASSWORD = 'Zwölf Boxkämpfer jagen Viktor quer 8417'

let world: World
let sender: TestNode
let receiver: TestNode
let path: string

beforeAll(async () => {
  world = await World.create()
  sender = world.node('s')
  receiver = world.node('r')
  path = randomFile(join(world.folder, 'cargo'), 12 * 1024 * 1024)
})
afterAll(() => world.dispose())

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(file) : entry.isFile() ? [file] : []
  })

const contains = (file: string, secret: string): boolean => {
  try {
    return readFileSync(file).includes(secret)
  } catch {
    // A process or a file that is gone tells nobody anything.
    return false
  }
}

/** Where `secret` stands: in any process's arguments or environment, in Redis' files, in logs, in files that others may read. */
const findings = (secret: string): readonly string[] => {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
  const files = filesBelow(world.folder).filter((file) => {
    // Redis' temporary files come and go.
    const stats = statSync(file, { throwIfNoEntry: false })
    if (stats === undefined) return false
    const isPrivate = (stats.mode & 0o077) === 0
    return !isPrivate || file.endsWith('.log') || file.includes('/redis/')
  })
  return [...processes, ...files].filter((file) => contains(file, secret))
}

/** The words that would be a finding: those that the product's own texts never say. */
const tellingParts = (code: string): readonly string[] => {
  const words = code.replace(/@.*/, '').split('-').slice(1)
  const ours = sourceFiles()
    .map(({ text }) => text)
    .filter((text) => text.length < 20_000)
    .join('\n')
  return [
    words.join('-'),
    words.slice(0, 2).join('-'),
    words.slice(1).join('-'),
    ...words.filter((word) => !ours.includes(word)),
  ]
}

test('a code that was typed as an argument leaves no trace', async () => {
  const { id, code } = await sender.send([path], '--limit', '3MB/s')
  const receive = receiver.start(['receive', code, '--output', await world.dir('out'), '--yes', '--json'])
  await sleep(1000)
  const parts = tellingParts(code)
  expect(parts.flatMap(findings)).toEqual([])
  expect((await receive.finished()).exitCode).toBe(0)
  await sender.state(id, ['completed'])
  expect(parts.flatMap(findings)).toEqual([])
})

test('a password of the user’s own leaves no trace, and its room name works', async () => {
  const command = sender.start(
    ['send', path, '--room', 'harvest festival', '--password-stdin', '--limit', '6MB/s', '--json'],
    `${PASSWORD}\n`,
  )
  const line = await command.line('transfer.enqueued')
  const output = await world.dir('room')
  const address = /@.+$/.exec(String(line['code']))?.[0] ?? ''
  const receive = receiver.start(
    ['receive', '--room', `harvest festival${address}`, '--password-stdin', '--output', output, '--yes', '--json'],
    `${PASSWORD}\n`,
  )
  await sleep(1000)
  expect(findings(PASSWORD)).toEqual([])
  const { exitCode, stderr } = await receive.finished()
  expect(exitCode, stderr).toBe(0)
  expect(findings(PASSWORD)).toEqual([])
})

test('names of files are not in Redis', async () => {
  const secretName = randomFile(join(world.folder, 'in', 'salaries-of-everybody.ods'), 3000)
  const { code } = await sender.send([secretName])
  expect((await receiver.receive(code, await world.dir('names')).finished()).exitCode).toBe(0)
  const redisFiles = filesBelow(world.folder).filter((file) => file.includes('/redis/'))
  expect(redisFiles.length).toBeGreaterThan(0)
  expect(redisFiles.filter((file) => contains(file, 'salaries-of-everybody'))).toEqual([])
})
