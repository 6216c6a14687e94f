import { spawnSync } from 'node:child_process'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { ByteWriter } from '@godwit/protocol/bytes'
import type { ManifestEntry } from '@godwit/protocol/manifest'
import { HOSTILE_NAMES, RESERVED_TOP_NAMES } from '@godwit/protocol/namesCorpus'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { describe, expect, test } from 'vitest'
import { blake3Of } from '../crypto/blake3.js'
import { checkDiskSpace, checkOutputDir } from './diskSpace.js'
import { scanSources } from './scan.js'
import { Staging } from './staging.js'
import { useTempDirs, writeTree } from './testing/tempDir.js'
import { bytesOfManifest, copyChunks, failureOf, TRANSFER_ID, unwrap } from './testing/transfer.js'

const tempDir = useTempDirs()
const isRoot = process.getuid?.() === 0
const MIB = 1024 * 1024
const isWellFormed = (text: string) => !/\p{Cs}/u.test(text)

const file = (name: string, sizeBytes: number): ManifestEntry => ({
  kind: 'file',
  path: [name],
  sizeBytes,
  mtimeMs: 0,
  isExecutable: false,
})

/** Makes every fdatasync of this process fail until the returned function is called. */
const failDatasync = async (dir: string, code: string): Promise<() => void> => {
  const handle = await open(dir)
  const prototype: { datasync: () => Promise<void> } = Object.getPrototypeOf(handle)
  await handle.close()
  const { datasync } = prototype
  prototype.datasync = () => Promise.reject(Object.assign(new Error(code), { code, syscall: 'fdatasync' }))
  return () => {
    prototype.datasync = datasync
  }
}

/** A staging folder for a file of three chunks and one of one; chunk n is full of bytes n + 1. */
const opened = async () => {
  const out = await tempDir()
  const manifestBytes = bytesOfManifest({ entries: [file('big', 2 * MIB + 5), file('empty', 0), file('small', 3)] })
  const staging = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
  const dir = join(out, `.godwit-${TRANSFER_ID}`)
  const dataOf = (chunk: number) => new Uint8Array(staging.plan.lengthOf(chunk)).fill(chunk + 1)
  const write = (chunk: number, to = staging) => to.write(chunk, dataOf(chunk), blake3Of(dataOf(chunk)))
  return { out, dir, manifestBytes, staging, dataOf, write }
}
const reopened = async (out: string): Promise<Staging> => {
  const staging = unwrap(await Staging.reopen(out, TRANSFER_ID))
  if (staging === undefined) throw new Error('the staging folder is gone')
  return staging
}
const durableOf = async (staging: Staging) => {
  const result = await staging.checkpoint()
  return result.ok ? result.durable.toPairs() : result.failure
}

/** What a folder held each time that it was synced, until `stop` is called; by the paths of /proc. */
const watchSyncs = async (dir: string) => {
  const handle = await open(dir)
  const prototype: { sync: () => Promise<void> } = Object.getPrototypeOf(handle)
  await handle.close()
  const { sync } = prototype
  const seen: { readonly path: string; readonly names: readonly string[] }[] = []
  prototype.sync = async function (this: { fd: number }): Promise<void> {
    const path = readlinkSync(`/proc/self/fd/${this.fd}`)
    const names = statSync(path).isDirectory() ? readdirSync(path) : []
    await sync.call(this)
    seen.push({ path, names })
  }
  return {
    lastOf: (path: string): readonly string[] => seen.findLast((one) => one.path === path)?.names ?? [],
    stop: () => {
      prototype.sync = sync
    },
  }
}

describe('Staging', () => {
  test.runIf(process.platform === 'linux')(
    'is in its folder durably, with the file of the hashes, once made',
    async () => {
      const out = await realpath(await tempDir())
      const syncs = await watchSyncs(out)
      try {
        const manifestBytes = bytesOfManifest({ entries: [file('one', 3)] })
        const staging = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
        expect(syncs.lastOf(staging.layout.dir)).toEqual(expect.arrayContaining(['chunks', 'manifest', 'parts']))
        expect(syncs.lastOf(out)).toEqual([`.godwit-${TRANSFER_ID}`])
        await staging.close()
      } finally {
        syncs.stop()
      }
    },
  )

  test("is a folder for this user only, with none of the peer's names", async () => {
    const { dir, staging, write } = await opened()
    for (const chunk of [3, 1, 0, 2]) unwrap(await write(chunk))
    expect(await durableOf(staging)).toEqual([[0, 4]])
    expect((await lstat(dir)).mode & 0o777).toBe(0o700)
    expect((await readdir(dir)).sort()).toEqual(['chunks', 'manifest', 'parts'])
    expect((await readdir(join(dir, 'parts/0'))).sort()).toEqual(['f0', 'f2'])
    expect((await readFile(join(dir, 'parts/0/f0'))).length).toBe(2 * MIB + 5)
    await staging.close()
  })

  test('tells at a checkpoint what became durable since the last one', async () => {
    const { staging, write } = await opened()
    expect(await durableOf(staging)).toEqual([])
    unwrap(await write(0))
    unwrap(await write(2))
    expect(await durableOf(staging)).toEqual([
      [0, 1],
      [2, 1],
    ])
    expect(await durableOf(staging)).toEqual([])
    unwrap(await write(1))
    const both = await Promise.all([durableOf(staging), durableOf(staging)])
    expect(both).toEqual([[[1, 1]], []])
    await staging.close()
  })

  test('knows after a restart what is there, more or less than the log claims', async () => {
    const { out, staging, write } = await opened()
    for (const chunk of [0, 3]) unwrap(await write(chunk))
    await durableOf(staging)
    unwrap(await write(1))
    await staging.close()

    const again = await reopened(out)
    const held = unwrap(await again.verify(RangeSet.of(1, 4)))
    // Chunk 1 was written, but no checkpoint recorded it; 0 is beyond the log; 2 never came.
    expect(held.held.toPairs()).toEqual([
      [0, 1],
      [3, 1],
    ])
    expect(held.missing.toPairs()).toEqual([[1, 2]])
    await again.close()
  })

  test('hashes what the log does not claim, and everything in mode full', async () => {
    const { dir, staging, write } = await opened()
    for (const chunk of [0, 1, 2, 3]) unwrap(await write(chunk))
    await durableOf(staging)
    const part = await open(join(dir, 'parts/0/f0'), 'r+')
    await part.write(Buffer.of(99), 0, 1, MIB + 7)
    await part.close()
    const all = RangeSet.of(0, 4)
    expect(unwrap(await staging.verify(all)).held.size).toBe(4)
    expect(unwrap(await staging.verify(new RangeSet())).held.toPairs()).toEqual([
      [0, 1],
      [2, 2],
    ])
    expect(unwrap(await staging.verify(all, 'full')).missing.toPairs()).toEqual([[1, 1]])
    expect(unwrap(await staging.damagedChunks(0)).toPairs()).toEqual([[1, 1]])
    expect(unwrap(await staging.damagedChunks(2)).isEmpty).toBe(true)

    unwrap(await staging.forget(RangeSet.of(1, 2)))
    expect(unwrap(await staging.verify(all)).missing.toPairs()).toEqual([[1, 1]])
    unwrap(await write(1))
    await durableOf(staging)
    expect(unwrap(await staging.damagedChunks(0)).isEmpty).toBe(true)
    await staging.close()
  })

  test('finds parts that were cut or removed without reading', async () => {
    const { dir, staging, write } = await opened()
    for (const chunk of [0, 1, 2, 3]) unwrap(await write(chunk))
    await durableOf(staging)
    await truncate(join(dir, 'parts/0/f0'), MIB + 1)
    await rm(join(dir, 'parts/0/f2'))
    expect(unwrap(await staging.verify(RangeSet.of(0, 4))).held.toPairs()).toEqual([[0, 1]])
    await staging.close()
  })

  test('reads whole files back, empty ones too, and a damaged one hashes to something else', async () => {
    const { dir, staging, write, dataOf } = await opened()
    for (const chunk of [0, 1, 2, 3]) unwrap(await write(chunk))
    const big = Buffer.concat([dataOf(0), dataOf(1), dataOf(2)])
    expect(unwrap(await staging.hashFile(0))).toEqual(blake3Of(big))
    expect(unwrap(await staging.hashFile(1))).toEqual(blake3Of(new Uint8Array()))
    expect(staging.hashesOfAllBut(new RangeSet())).toBeUndefined()
    expect(unwrap(await staging.hashFile(2))).toEqual(blake3Of(dataOf(3)))
    expect(staging.hashesOfAllBut(new RangeSet())?.length).toBe(96)
    await truncate(join(dir, 'parts/0/f0'), MIB)
    expect(unwrap(await staging.hashFile(0))).not.toEqual(blake3Of(big))
    await staging.close()
  })

  test('takes up what an earlier attempt had begun, and only with the same manifest', async () => {
    const { out, dir, manifestBytes, staging, write } = await opened()
    unwrap(await write(0))
    await durableOf(staging)
    await staging.close()
    const again = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
    expect(unwrap(await again.verify(new RangeSet())).held.toPairs()).toEqual([[0, 1]])
    await again.close()
    const other = bytesOfManifest({ entries: [file('other', 1)] })
    expect(failureOf(await Staging.create(out, TRANSFER_ID, other)).code).toBe('ERR_RESUME_REFUSED')

    // A crash before the manifest was whole.
    await rm(join(dir, 'manifest'))
    expect(unwrap(await Staging.reopen(out, TRANSFER_ID))).toBeUndefined()
    const third = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
    await third.close()
    unwrap(await Staging.discard(out, TRANSFER_ID))
    unwrap(await Staging.discard(out, TRANSFER_ID))
    expect(await readdir(out)).toEqual([])
    expect(unwrap(await Staging.reopen(out, TRANSFER_ID))).toBeUndefined()
  })

  test('refuses a link, a file or a foreign folder in its place, and links in place of parts', async () => {
    const manifestBytes = bytesOfManifest({ entries: [file('a', 1)] })
    const elsewhere = await tempDir()
    const out = await tempDir()
    const dir = join(out, `.godwit-${TRANSFER_ID}`)
    await symlink(elsewhere, dir)
    expect(failureOf(await Staging.create(out, TRANSFER_ID, manifestBytes)).code).toBe('ERR_OUTPUT_UNWRITABLE')
    expect(failureOf(await Staging.reopen(out, TRANSFER_ID)).code).toBe('ERR_OUTPUT_UNWRITABLE')
    await rm(dir)
    await writeFile(dir, '')
    expect(failureOf(await Staging.create(out, TRANSFER_ID, manifestBytes)).code).toBe('ERR_OUTPUT_UNWRITABLE')
    await rm(dir)
    if (isRoot) {
      await mkdir(dir)
      spawnSync('chown', ['65534', dir])
      expect(failureOf(await Staging.create(out, TRANSFER_ID, manifestBytes)).code).toBe('ERR_OUTPUT_UNWRITABLE')
      await rm(dir, { recursive: true })
    }
    const staging = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
    await mkdir(join(dir, 'parts/0'))
    await symlink(join(elsewhere, 'victim'), join(dir, 'parts/0/f0'))
    const data = Uint8Array.of(1)
    expect(failureOf(await staging.write(0, data, blake3Of(data))).code).toBe('ERR_OUTPUT_UNWRITABLE')
    expect(await readdir(elsewhere)).toEqual([])
    await staging.close()
  })

  test('leaves nothing behind of a manifest that is refused, whatever its names are', async () => {
    const above = await tempDir()
    const out = join(above, 'out')
    await mkdir(out)
    expect(failureOf(await Staging.create(out, TRANSFER_ID, Uint8Array.of(1, 1))).code).toBe('ERR_MANIFEST_REFUSED')
    for (const name of [...HOSTILE_NAMES, ...RESERVED_TOP_NAMES]) {
      for (const path of [[name], ['folder', name]]) {
        if (path.length > 1 && RESERVED_TOP_NAMES.includes(name)) continue
        const writer = new ByteWriter().u8(1).varint(path.length)
        if (path.length > 1) writer.u8(1).text('folder').varint(0)
        // A lone surrogate, as a careless encoder writes it.
        const bytes = isWellFormed(name) ? Buffer.from(name) : Buffer.of(0xed, 0xa0, 0x80)
        writer
          .u8((path.length - 1) << 2)
          .lengthPrefixed(bytes)
          .varint(0)
          .varint(1)
        expect(failureOf(await Staging.create(out, TRANSFER_ID, writer.finish())).code).toBe('ERR_MANIFEST_REFUSED')
      }
    }
    expect(await readdir(out)).toEqual([])
    expect(await readdir(above)).toEqual(['out'])
  })

  test('holds more files than it keeps open', async () => {
    const sources = await tempDir()
    const out = await tempDir()
    await writeTree(sources, Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`top/${i}`, `content ${i}`])))
    const scan = unwrap(await scanSources([join(sources, 'top')]))
    const staging = unwrap(await Staging.create(out, TRANSFER_ID, scan.manifestBytes))
    await copyChunks(scan, staging, 0, 600, 400)
    expect(await durableOf(staging)).toEqual([[0, 600]])
    expect(unwrap(await staging.verify(new RangeSet(), 'full')).held.size).toBe(600)
    await staging.close()
  })
})

describe('what goes wrong on a disk', () => {
  test('an output folder that is missing or no folder', async () => {
    const out = await tempDir()
    await writeFile(join(out, 'file'), '')
    const manifestBytes = bytesOfManifest({ entries: [file('a', 1)] })
    expect((await checkOutputDir(out)).ok).toBe(true)
    for (const path of [join(out, 'nowhere'), join(out, 'file'), join(out, 'file/x')]) {
      expect(failureOf(await checkOutputDir(path)).code).toBe('ERR_OUTPUT_MISSING')
      expect(failureOf(await Staging.create(path, TRANSFER_ID, manifestBytes)).code).toBe('ERR_OUTPUT_MISSING')
      expect(unwrap(await Staging.reopen(join(out, 'nowhere'), TRANSFER_ID))).toBeUndefined()
    }
  })

  test.skipIf(isRoot)('an output folder that may not be written', async () => {
    const out = await tempDir()
    await chmod(out, 0o500)
    expect(failureOf(await checkOutputDir(out)).code).toBe('ERR_OUTPUT_UNWRITABLE')
    const manifestBytes = bytesOfManifest({ entries: [file('a', 1)] })
    expect(failureOf(await Staging.create(out, TRANSFER_ID, manifestBytes)).code).toBe('ERR_OUTPUT_UNWRITABLE')
    await chmod(out, 0o700)
  })

  test('a failed fsync is final: what it covered has to come again, and the next one is believed', async () => {
    const { dir, staging, write } = await opened()
    unwrap(await write(3))
    expect(await durableOf(staging)).toEqual([[3, 1]])
    for (const chunk of [0, 1]) unwrap(await write(chunk))
    const restore = await failDatasync(dir, 'EIO')
    try {
      const underWay = write(2)
      const result = await staging.checkpoint()
      expect(result.ok ? undefined : result.failure.code).toBe('ERR_DISK_IO')
      const lost = result.ok ? new RangeSet() : result.lost
      expect(lost.contains(0, 2)).toBe(true)
      // The write that ran meanwhile is lost with the others, failed, or waits for the next checkpoint.
      await underWay
    } finally {
      restore()
    }
    const next = await durableOf(staging)
    expect([[], [[2, 1]]]).toContainEqual(next)
    for (const chunk of [0, 1, 2]) unwrap(await write(chunk))
    expect(await durableOf(staging)).toEqual([[0, 3]])
    expect(unwrap(await staging.verify(RangeSet.of(0, 4), 'full')).held.size).toBe(4)
    await staging.close()
  })

  test('a sync that fails while a handle is given up fails the next checkpoint', async () => {
    const out = await tempDir()
    const entries = Array.from({ length: 300 }, (_, i) => file(`f${String(i).padStart(3, '0')}`, 1))
    const staging = unwrap(await Staging.create(out, TRANSFER_ID, bytesOfManifest({ entries })))
    const write = (chunk: number) => staging.write(chunk, Uint8Array.of(chunk), blake3Of(Uint8Array.of(chunk)))
    for (let chunk = 0; chunk < 256; chunk += 1) unwrap(await write(chunk))
    const restore = await failDatasync(out, 'EIO')
    await write(256)
    restore()
    const result = await staging.checkpoint()
    expect(result.ok ? [] : [result.failure.code, result.lost.has(0)]).toEqual(['ERR_DISK_IO', true])
    expect(await durableOf(staging)).toEqual([])
    await staging.close()
  })

  test('too little space is told beforehand, with what is missing', async () => {
    const out = await tempDir()
    expect((await checkDiskSpace(out, { bytes: 0, files: 0 })).ok).toBe(true)
    const failure = failureOf(await checkDiskSpace(out, { bytes: 2 ** 50, files: 1 }))
    expect(failure.code).toBe('ERR_DISK_FULL')
    expect(failure.detail).toMatch(/^[0-9]{15,} bytes are missing in /)
  })

  test.skipIf(!isRoot)('a disk that fills up: the write fails, what was durable stays', async ({ skip }) => {
    const out = await tempDir()
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', out]).status !== 0) skip()
    try {
      const manifestBytes = bytesOfManifest({ entries: [file('big', 8 * MIB)] })
      const staging = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
      const data = new Uint8Array(MIB).fill(7)
      const written: number[] = []
      for (let chunk = 0; chunk < 8; chunk += 1) {
        const result = await staging.write(chunk, data, blake3Of(data))
        if (result.ok) written.push(chunk)
        else expect(result.failure.code).toBe('ERR_DISK_FULL')
      }
      expect(written.length).toBeGreaterThanOrEqual(2)
      expect(written.length).toBeLessThan(8)
      // Makes room for the hash file, as a user would who frees some.
      await truncate(join(out, `.godwit-${TRANSFER_ID}`, 'parts/0/f0'), written.length * MIB)
      await staging.close()
      const again = await reopened(out)
      expect(unwrap(await again.verify(RangeSet.of(0, 8))).held.isEmpty).toBe(true)
      await again.close()
    } finally {
      spawnSync('umount', [out])
    }
  })

  test.skipIf(!isRoot)('a disk that fills up at the checkpoint: nothing is claimed', async ({ skip }) => {
    const out = await tempDir()
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', out]).status !== 0) skip()
    try {
      const manifestBytes = bytesOfManifest({ entries: [file('big', 2 * MIB)] })
      const staging = unwrap(await Staging.create(out, TRANSFER_ID, manifestBytes))
      const data = new Uint8Array(MIB).fill(7)
      unwrap(await staging.write(0, data, blake3Of(data)))
      const filler = await open(join(out, 'filler'), 'w')
      for (const size of [MIB, 4096]) {
        for (;;) {
          const isFull = await filler.appendFile(new Uint8Array(size)).then(
            () => false,
            () => true,
          )
          if (isFull) break
        }
      }
      const result = await staging.checkpoint()
      expect(result.ok ? undefined : [result.failure.code, result.lost.toPairs()]).toEqual(['ERR_DISK_FULL', [[0, 1]]])
      await filler.truncate(0)
      await filler.close()
      expect(unwrap(await staging.verify(new RangeSet())).held.isEmpty).toBe(true)
      unwrap(await staging.write(0, data, blake3Of(data)))
      expect(await durableOf(staging)).toEqual([[0, 1]])
      await staging.close()
    } finally {
      spawnSync('umount', [out])
    }
  })
})
