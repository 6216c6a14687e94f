import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { blake3Of } from '../crypto/blake3.js'
import { Staging } from '../files/staging.js'
import { useTempDirs } from '../files/testing/tempDir.js'
import { bytesOfManifest, TRANSFER_ID, unwrap } from '../files/testing/transfer.js'
import { ReceiverDisk, type ReceiverDiskOutcomes } from './receiverDisk.js'

const tempDir = useTempDirs()
const MIB = 1024 * 1024

const manifestOf = (mebibytes: number): Uint8Array =>
  bytesOfManifest({
    entries: [{ kind: 'file', path: ['big'], sizeBytes: mebibytes * MIB, mtimeMs: 0, isExecutable: false }],
  })

/** What an earlier session left: `chunks` of the first chunks, durable, and nothing of it in the log. */
const stage = async (outputDir: string, manifest: Uint8Array, chunks: number): Promise<void> => {
  const staging = unwrap(await Staging.create(outputDir, TRANSFER_ID, manifest))
  const data = new Uint8Array(MIB).fill(9)
  for (let chunk = 0; chunk < chunks; chunk++) unwrap(await staging.write(chunk, data, blake3Of(data)))
  await staging.checkpoint()
  await staging.close()
}

const ignored: ReceiverDiskOutcomes = {
  onChunkWritten: () => {},
  onCheckpoint: () => {},
  onFileVerified: () => {},
  onFinalized: () => {},
  onFilesCompleted: () => {},
  onFiles: () => {},
}
const diskOf = (outputDir: string, manifest: Uint8Array) =>
  new ReceiverDisk({ transferId: TRANSFER_ID, outputDir, manifest, claimed: [], missing: [] }, ignored)

test('finds by hashing what the log does not know', async () => {
  const out = await tempDir()
  await stage(out, manifestOf(4), 3)
  const disk = diskOf(out, manifestOf(4))
  const opened = unwrap(await disk.open())
  expect(opened.held.toPairs()).toEqual([[0, 3]])
  expect(opened).toMatchObject({ isResumed: true, isFinalizing: false })
  await disk.close()
})

test.runIf(process.platform === 'linux')('that is closed while it opens leaves no file open behind it', async () => {
  const out = await tempDir()
  await stage(out, manifestOf(20), 20)
  const filesOpen = () => readdirSync('/proc/self/fd').length
  const before = filesOpen()
  const disk = diskOf(out, manifestOf(20))
  const opening = disk.open()
  await disk.close()
  // The end of the session is told now: whoever comes next has the staging for himself.
  expect(filesOpen()).toBe(before)
  await opening
  await disk.close()
  expect(filesOpen()).toBe(before)
})

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'wants room for what is missing, not for what is staged, whatever the log knows of it',
  async () => {
    const out = join(await tempDir(), 'small')
    mkdirSync(out)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', out])
    try {
      const fresh = diskOf(out, manifestOf(130))
      expect(await fresh.open()).toMatchObject({ ok: false, failure: { code: 'ERR_DISK_FULL' } })
      await fresh.close()
      expect(readdirSync(out)).toEqual([])
      await stage(out, manifestOf(130), 110)
      const disk = diskOf(out, manifestOf(130))
      const opened = await disk.open()
      await disk.close()
      expect(opened).toMatchObject({ ok: true, value: { isResumed: true } })
    } finally {
      execFileSync('umount', ['--lazy', out])
    }
  },
)
