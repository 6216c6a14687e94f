/**
 * The staging folder `DEST/.godwit-<transfer id>`: how it is made, found again and laid out. The peer's names do not
 * appear in it until `finalize` builds its trees.
 *
 * ```
 * manifest        as received; written whole before anything else
 * chunks          32 bytes per chunk, at chunk number × 32: its BLAKE3, or zeros while it is not there
 * parts/K/fN      file number N; at most 1,000 in each K = ⌊N / 1000⌋; sparse
 * hashes          32 bytes per file, once all are verified
 * names           the final names, from the beginning of the end
 * tree/I          top folder number I under construction
 * ```
 */
import { constants } from 'node:fs'
import { chmod, lstat, mkdir, open, readFile, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '@godwit/protocol/assert'
import { MANIFEST_MAX_BYTES } from '@godwit/protocol/limits'
import type { NameRules } from '@godwit/protocol/names'
import { NAME_RULES, STAGING_PREFIX } from '@godwit/protocol/names'
import { DiskRefusal, failedWith } from './diskErrors.js'
import { syncDir, whereKnown } from './durable.js'
import { shownPath } from './sourceErrors.js'

const PARTS_PER_FOLDER = 1_000

/** Where the parts of one transfer's staging lie. */
export class StagingLayout {
  readonly outputDir: string
  readonly dir: string

  constructor(outputDir: string, transferId: string) {
    assert(/^[a-z0-9]{1,64}$/.test(transferId), 'a transfer id is safe in a path')
    this.outputDir = outputDir
    this.dir = join(outputDir, `${STAGING_PREFIX}${transferId}`)
  }

  get partsDir(): string {
    return join(this.dir, 'parts')
  }

  get treesDir(): string {
    return join(this.dir, 'tree')
  }

  /** Number of the folder that holds a file's part. */
  partFolder(file: number): number {
    return Math.floor(file / PARTS_PER_FOLDER)
  }

  partFolderPath(folder: number): string {
    return join(this.partsDir, String(folder))
  }

  partPath(file: number): string {
    return join(this.partFolderPath(this.partFolder(file)), `f${file}`)
  }

  treePath(top: number): string {
    return join(this.treesDir, String(top))
  }
}

/** Makes the staging folder; true where it is new, false where an earlier attempt of ours had made it. */
export const makeStagingDir = async (layout: StagingLayout): Promise<boolean> => {
  try {
    await mkdir(layout.dir, { mode: 0o700 })
    return true
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
    await checkOwnDir(layout.dir)
    return false
  }
}

/** Refuses what stands in a staging folder's place unless it is a real folder of this user. */
export const checkOwnDir = async (path: string): Promise<void> => {
  const stats = await lstat(path)
  const uid = process.getuid?.()
  if (!stats.isDirectory()) throw new DiskRefusal('ERR_OUTPUT_UNWRITABLE', `${shownPath(path)} is not a folder`)
  if (uid !== undefined && stats.uid !== uid) {
    throw new DiskRefusal('ERR_OUTPUT_UNWRITABLE', `${shownPath(path)} belongs to another user`)
  }
  if ((stats.mode & 0o077) !== 0) await whereKnown(() => chmod(path, 0o700))
}

/** The manifest that an earlier attempt left; undefined where it did not get that far or there is none. */
export const readStagedManifest = async (layout: StagingLayout): Promise<Uint8Array | undefined> => {
  try {
    return await readBounded(join(layout.dir, 'manifest'), MANIFEST_MAX_BYTES)
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
}

/** A record's bytes; one that is larger than `maxBytes` did not come from us. */
export const readBounded = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const { size } = await handle.stat()
    if (size > maxBytes) throw new DiskRefusal('ERR_DISK_IO', `${shownPath(path)} is damaged`)
    return await readFile(handle)
  } finally {
    await handle.close()
  }
}

/** What the target's file system does, found out by trying in the staging folder. */
export interface TargetTraits {
  readonly rules: NameRules
  /** Mode bits that this process takes away from what it creates. */
  readonly umask: number
}

/** A Linux machine may have a FAT stick for its target: names that collide or break there are found before they do. */
export const probeTarget = async (layout: StagingLayout): Promise<TargetTraits> => {
  const own = process.platform === 'win32' ? NAME_RULES.win32 : NAME_RULES.linux
  const probe = join(layout.dir, 'Probe')
  await rm(probe, { recursive: true, force: true })
  await mkdir(probe, { mode: 0o777 })
  const umask = 0o777 & ~(await stat(probe)).mode
  const foldsCase = await exists(join(layout.dir, 'pROBE'))
  const takesAnyCharacter = await makesDir(join(probe, 'a:?'))
  await rm(probe, { recursive: true, force: true })
  return { rules: { foldsCase: own.foldsCase || foldsCase, isWindows: own.isWindows || !takesAnyCharacter }, umask }
}

const makesDir = async (path: string): Promise<boolean> => {
  try {
    await mkdir(path)
    await rmdir(path)
    return true
  } catch (error) {
    if (failedWith(error, 'EINVAL', 'ENOENT', 'EPERM', 'EACCES')) return false
    throw error
  }
}

/** Whether anything stands at `path`, a dangling link included. */
export const exists = async (path: string): Promise<boolean> => {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false
    throw error
  }
}

/** Removes a staging folder with everything in it; fine where there is none. Links in it are not followed. */
export const removeStaging = async (layout: StagingLayout): Promise<void> => {
  await rm(layout.dir, { recursive: true, force: true, maxRetries: 3 })
  await syncDir(layout.outputDir)
}
