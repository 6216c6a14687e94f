import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, readlink, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { scanSources } from './scan.js'
import { SourceFiles } from './sourceFiles.js'
import { useTempDirs, writeTree } from './testing/tempDir.js'
import { failureOf, unwrap } from './testing/transfer.js'

const tempDir = useTempDirs()
const isRoot = process.getuid?.() === 0

describe('scanSources', () => {
  test('lists a tree depth first, with empty folders, times and the executable bit', async () => {
    const dir = await tempDir()
    await writeTree(dir, { 'top/b.txt': 'bb', 'top/a/deep/x': 'x', 'top/empty/': '', 'top/run': '#!' })
    await chmod(join(dir, 'top/run'), 0o710)
    await chmod(join(dir, 'top/b.txt'), 0o640)
    await utimes(join(dir, 'top/b.txt'), 1_600_000_000.25, 1_600_000_000.25)
    const { manifest, sources, skipped } = unwrap(await scanSources([join(dir, 'top')]))
    expect(manifest.entries.map(({ kind, path }) => `${kind} ${path.join('/')}`)).toEqual([
      'folder top',
      'folder top/a',
      'folder top/a/deep',
      'file top/a/deep/x',
      'file top/b.txt',
      'folder top/empty',
      'file top/run',
    ])
    expect(manifest.entries[4]).toMatchObject({ sizeBytes: 2, mtimeMs: 1_600_000_000_250, isExecutable: false })
    expect(manifest.entries[6]).toMatchObject({ isExecutable: true })
    expect(sources.map(({ path }) => path)).toEqual(['a/deep/x', 'b.txt', 'run'].map((name) => join(dir, 'top', name)))
    expect(skipped).toEqual([])
  })

  test('skips and names symbolic links and special files, and follows none', async () => {
    const dir = await tempDir()
    await writeTree(dir, { 'top/file': 'x', 'outside/secret': 's' })
    await symlink(join(dir, 'outside'), join(dir, 'top/link'))
    await symlink('nowhere', join(dir, 'top/dangling'))
    spawnSync('mkfifo', [join(dir, 'top/pipe')])
    await symlink(join(dir, 'top'), join(dir, 'linkToTop'))
    const scan = unwrap(await scanSources([join(dir, 'top'), join(dir, 'linkToTop')]))
    expect(scan.manifest.entries.map(({ path }) => path.join('/'))).toEqual(['top', 'top/file'])
    expect([...scan.skipped].sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: join(dir, 'linkToTop'), reason: 'a symbolic link' },
      { path: join(dir, 'top/dangling'), reason: 'a symbolic link' },
      { path: join(dir, 'top/link'), reason: 'a symbolic link' },
      { path: join(dir, 'top/pipe'), reason: 'a pipe' },
    ])
    expect(failureOf(await scanSources([join(dir, 'linkToTop')])).code).toBe('ERR_NOTHING_TO_SEND')
  })

  test('gives equal base names numbers and sends a path named twice once', async () => {
    const dir = await tempDir()
    await writeTree(dir, { 'a/f.txt': '1', 'b/f.txt': '2', 'c/f.txt': '3', 'a/d/x': 'x', 'b/d/y': 'y' })
    const paths = ['a/f.txt', 'b/f.txt', 'a/f.txt', 'c/f.txt', 'a/d', 'b/d'].map((path) => join(dir, path))
    const { manifest } = unwrap(await scanSources(paths))
    expect(manifest.entries.map(({ path }) => path.join('/'))).toEqual([
      'd',
      'd/x',
      'd (1)',
      'd (1)/y',
      'f (1).txt',
      'f (2).txt',
      'f.txt',
    ])
  })

  test('leaves out the staging folder of another transfer', async () => {
    const dir = await tempDir()
    await writeTree(dir, { 'top/.godwit-trabcdefghijklmnop/parts/0/f0': 'x', 'top/a': 'a' })
    const scan = unwrap(await scanSources([join(dir, 'top')]))
    expect(scan.manifest.entries.length).toBe(2)
    expect(scan.skipped[0]?.reason).toBe('a transfer being received')
  })

  test('refuses with a code that says why and a detail that says what', async () => {
    const dir = await tempDir()
    await writeTree(dir, { 'bad/a\nb': 'x', 'twins/e\u0301': 'x', 'twins/é': 'y', '.godwit-x': 'x' })
    expect(failureOf(await scanSources([join(dir, 'nowhere')]))).toEqual({
      code: 'ERR_PATH_NOT_FOUND',
      detail: join(dir, 'nowhere'),
    })
    expect(failureOf(await scanSources([join(dir, 'bad/a\nb/c')])).code).toBe('ERR_PATH_NOT_FOUND')
    const bad = failureOf(await scanSources([join(dir, 'bad')]))
    expect(bad.code).toBe('ERR_NAME_UNSENDABLE')
    expect(bad.detail).toBe(`${join(dir, 'bad')}/a\\u{a}b holds a control character`)
    expect(failureOf(await scanSources([join(dir, 'twins')])).code).toBe('ERR_NAME_UNSENDABLE')
    expect(failureOf(await scanSources([join(dir, '.godwit-x')])).code).toBe('ERR_NAME_UNSENDABLE')
    expect(failureOf(await scanSources(['/'])).code).toMatch(
      /ERR_NAME_UNSENDABLE|ERR_PATH_UNREADABLE|ERR_MANIFEST_TOO_LARGE/,
    )
    expect(failureOf(await scanSources([join(dir, 'bad')], { signal: AbortSignal.abort() })).code).toBe('ERR_CANCELLED')
  })

  test('refuses a name that is not UTF-8', async () => {
    const dir = await tempDir()
    await mkdir(join(dir, 'top'))
    await writeFile(Buffer.concat([Buffer.from(join(dir, 'top/')), Buffer.of(0x61, 0xff)]), 'x')
    expect(failureOf(await scanSources([join(dir, 'top')])).code).toBe('ERR_NAME_UNSENDABLE')
  })

  test('refuses what is deeper or longer than a manifest may be', async () => {
    const dir = await tempDir()
    const deep = Array.from({ length: 65 }, () => 'd').join('/')
    await mkdir(join(dir, deep), { recursive: true })
    expect(failureOf(await scanSources([join(dir, 'd')])).code).toBe('ERR_NAME_UNSENDABLE')
    await mkdir(join(dir, 'e', 'n'.repeat(250), 'n'.repeat(250), 'n'.repeat(250), 'n'.repeat(250), 'n'.repeat(250)), {
      recursive: true,
    })
    expect(failureOf(await scanSources([join(dir, 'e')])).code).toBe('ERR_NAME_UNSENDABLE')
  })

  test.skipIf(isRoot)('refuses the whole send for one unreadable file', async () => {
    const dir = await tempDir()
    await writeTree(dir, { 'top/a': 'a', 'top/b': 'b' })
    await chmod(join(dir, 'top/b'), 0)
    const failure = failureOf(await scanSources([join(dir, 'top')]))
    expect(failure).toEqual({ code: 'ERR_PATH_UNREADABLE', detail: join(dir, 'top/b') })
  })

  test('takes a sparse file of 5 GiB', async () => {
    const dir = await tempDir()
    await writeTree(dir, { sparse: '' })
    await truncate(join(dir, 'sparse'), 5 * 1024 ** 3)
    const { manifest } = unwrap(await scanSources([join(dir, 'sparse')]))
    expect(manifest.entries[0]).toMatchObject({ sizeBytes: 5 * 1024 ** 3 })
  })
})

describe('SourceFiles', () => {
  const opened = async (content: string) => {
    const dir = await tempDir()
    const path = join(dir, 'file')
    await writeFile(path, content)
    const { sources } = unwrap(await scanSources([path]))
    const files = new SourceFiles(sources)
    const read = (offset: number, length: number) => files.read(0, offset, new Uint8Array(length), length)
    return { dir, path, files, sources, read }
  }

  test('reads a stretch to the start of the buffer, also of shared memory', async () => {
    const { files } = await opened('hello world')
    const buffer = new Uint8Array(new SharedArrayBuffer(8))
    expect(unwrap(await files.read(0, 6, buffer, 5))).toBe(5)
    expect(Buffer.from(buffer).toString()).toBe('world\0\0\0')
    await files.closeAll()
  })

  test.each<[string, (path: string) => Promise<unknown>]>([
    ['grown', (path) => writeFile(path, '!', { flag: 'a' })],
    ['cut', (path) => truncate(path, 3)],
    [
      'rewritten with its time set back',
      async (path) => {
        const past = new Date(1_000)
        await writeFile(path, 'HELLO')
        await utimes(path, past, past)
      },
    ],
    ['removed', (path) => rm(path)],
    [
      'replaced by a link',
      async (path) => {
        await rename(path, `${path}.old`)
        await symlink(`${path}.old`, path)
      },
    ],
    [
      'replaced by a pipe',
      async (path) => {
        await rm(path)
        spawnSync('mkfifo', [path])
      },
    ],
  ])('says that a file was %s before it was opened', async (_what, change) => {
    const { path, read, files } = await opened('hello')
    await change(path)
    expect(failureOf(await read(0, 5))).toEqual({ code: 'ERR_SOURCE_CHANGED', detail: path })
    await files.closeAll()
  })

  test('says that a file changed while it was open', async () => {
    const { path, read, files } = await opened('hello')
    unwrap(await read(0, 2))
    await writeFile(path, 'HELLO WORLD')
    expect(failureOf(await read(2, 3)).code).toBe('ERR_SOURCE_CHANGED')
    await files.closeAll()
  })

  test('keeps at most 64 files open, however many are read at once', async () => {
    const dir = await tempDir()
    await writeTree(dir, Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`top/${i}`, String(i)])))
    const { sources } = unwrap(await scanSources([join(dir, 'top')]))
    const files = new SourceFiles(sources)
    const results = await Promise.all(
      sources.map(async ({ sizeBytes }, i) => {
        const buffer = Buffer.alloc(sizeBytes)
        unwrap(await files.read(i, 0, buffer, sizeBytes))
        return buffer.toString()
      }),
    )
    expect(results.sort()).toEqual(Array.from({ length: 200 }, (_, i) => String(i)).sort())
    if (process.platform === 'linux') {
      const targets = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
      const open = (await Promise.all(targets)).filter((target) => target.startsWith(dir))
      expect(open.length).toBeLessThanOrEqual(64)
    }
    await files.closeAll()
  })
})
