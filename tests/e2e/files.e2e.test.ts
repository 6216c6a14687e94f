/** Files and folders arrive as they are, between two nodes on this machine that find each other with nothing configured. */
import { existsSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blake3, describeTree, isSameFile, makeTree, randomFile, textOf } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

const CHUNK = 1024 * 1024
const GIB = 1024 ** 3

let world: World
let sender: TestNode
let receiver: TestNode
let deliveries = 0

beforeAll(async () => {
  world = await World.create()
  sender = world.node('s')
  receiver = world.node('r')
})
afterAll(() => world.dispose())

/** Sends paths and waits until they stand in a new folder. */
const deliver = async (paths: readonly string[], timeoutMs?: number) => {
  const output = await world.dir(`out${deliveries++}`)
  const { id, code } = await sender.send(paths)
  const command = receiver.receive(code, output)
  const result = await command.finished(timeoutMs)
  expect(result.exitCode, command.transcript).toBe(0)
  const last = result.lines.at(-1)
  expect(last, command.transcript).toMatchObject({ type: 'transfer.completed' })
  return { output, id, receiverId: result.lines[0]?.['transferId'] as string, lines: result.lines, last }
}

describe('one file', () => {
  test.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])('of %i bytes', async (bytes) => {
    const path = randomFile(join(world.folder, 'in', `file of ${bytes}`), bytes)
    const { output, last } = await deliver([path])
    expect(isSameFile(path, join(output, `file of ${bytes}`))).toBe(true)
    expect(last).toMatchObject({
      bytes,
      files: [{ path: `file of ${bytes}`, size: bytes, blake3: blake3(path) }],
    })
  })

  test.runIf(process.env['GODWIT_TEST_LARGE'] === '1')(
    'of 5 GiB, sparse',
    async () => {
      const path = join(world.folder, 'sparse')
      writeFileSync(path, 'head')
      truncateSync(path, 5 * GIB)
      const { output } = await deliver([path], 1_200_000)
      expect(isSameFile(path, join(output, 'sparse'))).toBe(true)
    },
    1_300_000,
  )

  test('keeps its executable bit and its time', async () => {
    const folder = join(world.folder, 'tool')
    makeTree(folder, [
      { path: 'run me', text: '#!/bin/sh\n', mode: 0o755, mtime: new Date('2001-02-03T04:05:06.789Z') },
    ])
    const { output } = await deliver([join(folder, 'run me')])
    expect(describeTree(join(output, 'run me'))).toEqual(describeTree(join(folder, 'run me')))
  })
})

describe('trees', () => {
  test('with spaces, emoji, leading dashes, deep paths and empty folders arrive whole', async () => {
    const mtime = new Date('2020-05-17T10:00:00.123Z')
    const tree = join(world.folder, 'trees', '-a tree ü 🐦')
    makeTree(tree, [
      { path: 'with space.txt', text: 'space', mtime },
      { path: '--json', text: 'looks like a flag', mtime },
      { path: '-rf', text: 'so does this' },
      { path: '日本語/🎵 song.flac', text: 'la la la', mtime },
      { path: 'a/b/c/d/e/f/g/h/i/j/k/deep', text: 'deep' },
      { path: 'empty folder', mtime },
      { path: 'empty/in/empty' },
      { path: 'empty file', text: '' },
      { path: '.hidden/.file', text: 'hidden' },
      { path: 'quote\'s "and" $HOME', text: 'quoted' },
      { path: 'bin/tool', text: '#!/bin/sh', mode: 0o755 },
    ])
    const { output } = await deliver([tree])
    expect(describeTree(join(output, '-a tree ü 🐦'))).toEqual(describeTree(tree))
  })

  test('and files may be sent together', async () => {
    const folder = join(world.folder, 'several')
    makeTree(join(folder, 'tree'), [{ path: 'inside', text: 'inside' }, { path: 'hollow' }])
    const one = randomFile(join(folder, 'one.bin'), CHUNK + 5)
    const two = randomFile(join(folder, 'two.bin'), 10)
    const { output, last } = await deliver([one, join(folder, 'tree'), two])
    expect(isSameFile(one, join(output, 'one.bin'))).toBe(true)
    expect(isSameFile(two, join(output, 'two.bin'))).toBe(true)
    expect(describeTree(join(output, 'tree'))).toEqual(describeTree(join(folder, 'tree')))
    expect(last?.['files'].map(({ path }: { path: string }) => path).sort()).toEqual([
      'one.bin',
      'tree/inside',
      'two.bin',
    ])
  })

  test('of 5,000 small files make tens of events, not thousands', async () => {
    const tree = join(world.folder, 'many')
    for (let folder = 0; folder < 50; folder++) {
      mkdirSync(join(tree, `d${folder}`), { recursive: true })
      for (let file = 0; file < 100; file++) writeFileSync(join(tree, `d${folder}`, `f${file}`), `${folder}/${file}`)
    }
    const startedAt = performance.now()
    const { output, id, receiverId } = await deliver([tree])
    expect(performance.now() - startedAt).toBeLessThan(45_000)
    expect(textOf(join(output, 'many', 'd49', 'f99'))).toBe('49/99')
    expect(describeTree(join(output, 'many'))).toEqual(describeTree(tree))
    expect((await sender.events(id)).length).toBeLessThan(100)
    expect((await receiver.events(receiverId)).length).toBeLessThan(100)
  })

  test('leave symbolic links behind and name them', async () => {
    const tree = join(world.folder, 'linked')
    makeTree(tree, [{ path: 'real', text: 'real' }])
    symlinkSync('/etc/passwd', join(tree, 'link'))
    const command = sender.start(['send', '--detach', '--json', '--', tree])
    const line = await command.line('transfer.enqueued')
    expect(JSON.stringify(line['skipped'])).toContain('link')
    const output = await world.dir('linked-out')
    const { exitCode } = await receiver.receive(line['code'], output).finished()
    expect(exitCode).toBe(0)
    expect(existsSync(join(output, 'linked', 'link'))).toBe(false)
    expect(textOf(join(output, 'linked', 'real'))).toBe('real')
  })
})

test('nothing that exists is overwritten', async () => {
  const path = join(world.folder, 'in', 'again.txt')
  makeTree(join(world.folder, 'in'), [{ path: 'again.txt', text: 'new' }])
  const output = await world.dir('taken')
  writeFileSync(join(output, 'again.txt'), 'old')
  const { code } = await sender.send([path])
  const { exitCode } = await receiver.receive(code, output).finished()
  expect(exitCode).toBe(0)
  expect(textOf(join(output, 'again.txt'))).toBe('old')
  expect(textOf(join(output, 'again (1).txt'))).toBe('new')
})

test('nothing of the staging is left in the folder that received', async () => {
  const path = randomFile(join(world.folder, 'in', 'clean'), 2 * CHUNK)
  const { output } = await deliver([path])
  expect(Object.keys(describeTree(output)).sort()).toEqual(['/', 'clean'])
})
