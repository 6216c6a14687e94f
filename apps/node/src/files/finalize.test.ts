import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { chmod, lstat, mkdir, open, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { describe, expect, test } from 'vitest'
import { blake3Of } from '../crypto/blake3.js'
import { forEachIndex } from './concurrently.js'
import type { FinalizeOptions, FinishedFile } from './finalize.js'
import { finalize } from './finalize.js'
import { scanSources } from './scan.js'
import { Staging } from './staging.js'
import { useTempDirs, writeTree } from './testing/tempDir.js'
import { copyChunks, failureOf, hashAllFiles, TRANSFER_ID, transferAll, unwrap } from './testing/transfer.js'

const tempDir = useTempDirs()
const hex = (bytes: Uint8Array) => Buffer.from(blake3Of(bytes)).toString('hex')

/** Every path below `root` with kind, mode, time and content: what two trees are compared by. */
const snapshot = async (root: string, path = ''): Promise<string[]> => {
  const lines: string[] = []
  for (const name of (await readdir(join(root, path))).sort()) {
    const own = path === '' ? name : `${path}/${name}`
    const stats = await lstat(join(root, own))
    const mode = (stats.mode & 0o777).toString(8)
    const time = Math.floor(stats.mtimeMs)
    if (stats.isDirectory()) lines.push(`${own}/ ${mode} ${time}`, ...(await snapshot(root, own)))
    else lines.push(`${own} ${mode} ${time} ${hex(await readFile(join(root, own)))}`)
  }
  return lines
}

const mixedTree = async (): Promise<string> => {
  const dir = await tempDir()
  await writeTree(dir, {
    'photos/a.jpg': randomBytes(2_500_000),
    'photos/empty/': '',
    'photos/none.txt': '',
    'photos/sub/deep/日本.txt': 'x',
    'photos/sub/A': '1',
    'photos/sub/a': '2',
    'photos/sub/what?': 'q',
    'photos/sub/aux.c': 'c',
    'photos/sub/back\\slash': 'b',
    'film.mkv': randomBytes(1_048_576),
    'run.sh': '#!/bin/sh\n',
    zero: '',
    'lonely/': '',
  })
  await chmod(join(dir, 'run.sh'), 0o755)
  await chmod(join(dir, 'photos/sub/A'), 0o744)
  let time = 1_500_000_000.123
  for (const path of [
    'film.mkv',
    'run.sh',
    'zero',
    'photos/a.jpg',
    'photos/none.txt',
    'photos/sub/deep/日本.txt',
    'photos/sub/A',
    'photos/sub/a',
    'photos/sub/what?',
    'photos/sub/aux.c',
    'photos/sub/back\\slash',
    'photos/sub/deep',
    'photos/sub',
    'photos/empty',
    'photos',
    'lonely',
  ]) {
    await utimes(join(dir, path), time, time)
    time += 86_400.377
  }
  return dir
}
const tops = ['film.mkv', 'lonely', 'photos', 'run.sh', 'zero']

/** A staging folder that only lacks the end. */
const readyToFinalize = async (sources: string, out: string): Promise<Staging> => {
  const scan = unwrap(await scanSources(tops.map((top) => join(sources, top))))
  const staging = unwrap(await Staging.create(out, TRANSFER_ID, scan.manifestBytes))
  await copyChunks(scan, staging)
  expect((await staging.checkpoint()).ok).toBe(true)
  await hashAllFiles(staging)
  return staging
}

describe('finalize', () => {
  test('a mixed tree arrives with content, modes and times, and nothing of ours stays', async () => {
    const sources = await mixedTree()
    const out = await tempDir()
    const completed: [number, number][] = []
    const files = await transferAll(
      tops.map((top) => join(sources, top)),
      out,
      {
        onFilesCompleted: (first, count) => completed.push([first, count]),
      },
    )
    const expected = (await snapshot(sources)).map((line) => line.replace('photos/sub/A 744', 'photos/sub/A 755'))
    expect(await snapshot(out)).toEqual(expected)
    expect(completed).toEqual([[0, files.length]])
    const byPath = new Map(files.map((file) => [file.path, file]))
    expect(byPath.size).toBe(11)
    for (const [path, { size, blake3 }] of byPath) {
      const content = await readFile(join(sources, path))
      expect([size, blake3]).toEqual([content.length, hex(content)])
    }
  })

  test('never touches what exists: files, folders and links keep their names, ours get numbers', async () => {
    const sources = await tempDir()
    const out = await tempDir()
    await writeTree(sources, { 'a.txt': 'new', 'a (1).txt': 'new one', 'd/x': 'new', linked: 'new', empty: 'new' })
    await writeTree(out, { 'a.txt': 'old', 'd/old': 'old', 'd (1)/': '', empty: '' })
    await symlink(join(out, 'target'), join(out, 'linked'))
    const before = await snapshot(out).catch(() => [])
    const paths = ['a.txt', 'a (1).txt', 'd', 'linked', 'empty'].map((name) => join(sources, name))
    const files = await transferAll(paths, out)
    expect(files.map(({ path }) => path).sort()).toEqual([
      'a (1).txt',
      'a (2).txt',
      'd (2)/x',
      'empty (1)',
      'linked (1)',
    ])
    expect(await readFile(join(out, 'a.txt'), 'utf8')).toBe('old')
    expect(await readFile(join(out, 'a (1).txt'), 'utf8')).toBe('new one')
    expect(await readFile(join(out, 'a (2).txt'), 'utf8')).toBe('new')
    expect(await readdir(join(out, 'd'))).toEqual(['old'])
    expect(await readdir(join(out, 'd (1)'))).toEqual([])
    expect(await readFile(join(out, 'd (2)/x'), 'utf8')).toBe('new')
    await expect(stat(join(out, 'target'))).rejects.toThrow(/ENOENT/)
    expect(before).toEqual([])
  })

  test.each([{}, { isLinkKnown: false }])(
    'somebody who takes a name at the last moment keeps it (%o)',
    async (options) => {
      const sources = await mixedTree()
      const out = await tempDir()
      const staging = await readyToFinalize(sources, out)
      const files = unwrap(
        await finalize(staging, {
          ...options,
          afterStep: (name) => {
            if (name !== 'names: publishing') return
            writeFileSync(join(out, 'film.mkv'), 'theirs')
            writeFileSync(join(out, 'zero'), '')
            mkdirSync(join(out, 'photos'))
          },
        }),
      )
      await staging.close()
      const tops = new Set(files.map(({ path }) => path.split('/')[0]))
      expect(tops).toEqual(new Set(['film (1).mkv', 'photos (1)', 'run.sh', 'zero (1)']))
      expect(await readFile(join(out, 'film.mkv'), 'utf8')).toBe('theirs')
      expect(await readdir(join(out, 'photos'))).toEqual([])
      expect((await readdir(join(out, 'photos (1)'))).length).toBe(4)
    },
  )

  test('somebody who takes a name while we are down keeps it', async () => {
    const sources = await mixedTree()
    const out = await tempDir()
    const staging = await readyToFinalize(sources, out)
    const dying = finalize(staging, {
      afterStep: (name) => {
        if (name === 'names: publishing') throw new Error('crash')
      },
    })
    await expect(dying).rejects.toThrow('crash')
    await writeTree(out, { 'film.mkv': '', 'photos/theirs': 'x' })
    const files = unwrap(await finalize(staging))
    await staging.close()
    const tops = new Set(files.map(({ path }) => path.split('/')[0]))
    expect(tops).toEqual(new Set(['film (1).mkv', 'photos (1)', 'run.sh', 'zero']))
    expect(await readFile(join(out, 'film.mkv'), 'utf8')).toBe('')
    expect(await readdir(join(out, 'photos'))).toEqual(['theirs'])
  })

  test('an output folder may be a link to one', async () => {
    const sources = await mixedTree()
    const out = await tempDir()
    await mkdir(join(out, 'real'))
    await symlink('real', join(out, 'link'))
    await transferAll([join(sources, 'photos'), join(sources, 'zero')], join(out, 'link'))
    expect((await readdir(join(out, 'real'))).sort()).toEqual(['photos', 'zero'])
  })

  test('a file system without modes and times takes the files all the same', async () => {
    const sources = await mixedTree()
    const out = await tempDir()
    const handle = await open(out)
    const prototype: Pick<FileHandle, 'chmod' | 'utimes'> = Object.getPrototypeOf(handle)
    await handle.close()
    const { chmod, utimes } = prototype
    const refuse = () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'fchmod' }))
    try {
      prototype.chmod = refuse
      prototype.utimes = refuse
      const files = await transferAll([join(sources, 'photos')], out)
      expect(files.length).toBe(8)
    } finally {
      Object.assign(prototype, { chmod, utimes })
    }
  })

  test('modes are what the umask leaves', async () => {
    const sources = await mixedTree()
    const out = await tempDir()
    const before = process.umask(0o027)
    try {
      await transferAll([join(sources, 'photos'), join(sources, 'run.sh')], out)
    } finally {
      process.umask(before)
    }
    const modeOf = async (path: string) => ((await stat(join(out, path))).mode & 0o777).toString(8)
    expect(await modeOf('photos')).toBe('750')
    expect(await modeOf('photos/sub')).toBe('750')
    expect(await modeOf('photos/a.jpg')).toBe('640')
    expect(await modeOf('run.sh')).toBe('750')
  })

  test.each<[string, FinalizeOptions]>([
    ['link', {}],
    ['an empty file where link is not known', { isLinkKnown: false }],
  ])(
    'a crash after any step ends with exactly one copy, names taken by %s',
    async (_way, options) => {
      const sources = await mixedTree()
      const expected = (await snapshot(sources)).map((line) => line.replace('photos/sub/A 744', 'photos/sub/A 755'))
      class Crash extends Error {}
      let steps = 0
      for (let crashAt = 1; ; crashAt += 1) {
        const out = await tempDir()
        await writeTree(out, { 'run.sh': 'here before' })
        const first = await readyToFinalize(sources, out)
        let step = 0
        const dying = finalize(first, {
          ...options,
          afterStep: () => {
            step += 1
            if (step >= crashAt) throw new Crash()
          },
        })
        const hasCrashed = await dying.then(
          () => false,
          (error: unknown) => error instanceof Crash,
        )
        await first.close()
        const again = unwrap(await Staging.reopen(out, TRANSFER_ID))
        if (again === undefined) throw new Error('the staging folder is gone')
        if (crashAt <= 2) await hashAllFiles(again).catch(() => undefined)
        const files = unwrap(await finalize(again, options))
        // And once more: it has ended, and says the same.
        expect(unwrap(await finalize(again, options))).toEqual(files)
        await again.close()
        unwrap(await Staging.discard(out, TRANSFER_ID))
        const found = await snapshot(out)
        const own = found
          .filter((line) => !line.startsWith('run.sh '))
          .map((line) => line.replace('run (1).sh', 'run.sh'))
        expect(own.sort(), `after step ${crashAt}`).toEqual([...expected].sort())
        expect(await readFile(join(out, 'run.sh'), 'utf8')).toBe('here before')
        expect(files.map(({ path }) => path)).toContain('run (1).sh')
        await rm(out, { recursive: true })
        steps = crashAt
        if (!hasCrashed) break
      }
      expect(steps).toBeGreaterThan(30)
    },
    120_000,
  )

  test('tells completed files in batches', async () => {
    const sources = await tempDir()
    const out = await tempDir()
    await writeTree(sources, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, String(i)])))
    const completed: [number, number][] = []
    const paths = (await readdir(sources)).map((name) => join(sources, name))
    await transferAll(paths, out, { onFilesCompleted: (first, count) => completed.push([first, count]) })
    expect(completed).toEqual([
      [0, 256],
      [256, 44],
    ])
    expect((await readdir(out)).length).toBe(300)
  })

  test('an output folder that went away is told, and the end comes when it is back', async () => {
    const sources = await mixedTree()
    const out = await tempDir()
    const staging = await readyToFinalize(sources, out)
    await rm(join(out, `.godwit-${TRANSFER_ID}`, 'parts'), { recursive: true })
    expect(failureOf(await finalize(staging)).code).toMatch(/ERR_DISK_IO|ERR_OUTPUT_MISSING/)
    await staging.close()
  })

  test.each(['film.mkv', 'photos/a.jpg'])(
    '%s, lost from the staging, is missing again and not waited for',
    async (lost) => {
      const sources = await mixedTree()
      const out = await tempDir()
      const staging = await readyToFinalize(sources, out)
      const file = staging.files.findIndex(({ path }) => path.join('/') === lost)
      await rm(staging.layout.partPath(file))
      expect(failureOf(await finalize(staging))).toMatchObject({ code: 'ERR_DISK_IO' })
      await staging.close()
      const again = unwrap(await Staging.reopen(out, TRANSFER_ID))
      const { missing } = unwrap(await (again as Staging).verify(RangeSet.of(0, staging.plan.chunkCount)))
      const { first, count } = staging.plan.chunksOfFile(file)
      expect(missing.contains(first, first + count)).toBe(true)
      await (again as Staging).close()
    },
  )

  test('5,000 small files', async () => {
    const sources = await tempDir()
    const out = await tempDir()
    for (let folder = 0; folder < 50; folder += 1) await mkdir(join(sources, `top/${folder}`), { recursive: true })
    await forEachIndex(5_000, (i) => writeFile(join(sources, `top/${i % 50}/file ${i}`), `content of ${i}`))
    const times: string[] = []
    const timed = async <T>(name: string, action: () => Promise<T>): Promise<T> => {
      const start = performance.now()
      const result = await action()
      times.push(`${name} ${Math.round(performance.now() - start)} ms`)
      return result
    }
    const scan = unwrap(await timed('scan', () => scanSources([join(sources, 'top')])))
    const staging = unwrap(await Staging.create(out, TRANSFER_ID, scan.manifestBytes))
    await timed('read and write', () => copyChunks(scan, staging))
    await timed('checkpoint', async () => expect((await staging.checkpoint()).ok).toBe(true))
    await timed('read back', () => hashAllFiles(staging))
    const files: readonly FinishedFile[] = unwrap(await timed('finalize', () => finalize(staging)))
    await staging.close()
    await timed('discard', () => Staging.discard(out, TRANSFER_ID))
    expect(files.length).toBe(5_000)
    expect(await readFile(join(out, 'top/7/file 57'), 'utf8')).toBe('content of 57')
    console.log(times.join(', '))
  }, 60_000)
})
