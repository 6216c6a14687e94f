/**
 * Folders for the files and nodes of a run: in memory, so that disks do not decide, or on the disk. Their names are
 * short, since a node's folder holds a unix socket, whose path may have 107 bytes.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endEverythingBelow } from '../../apps/cli/dist/demo/processes.js'
import { UsageError } from './cleanUp.mjs'

/** statfs(2): TMPFS_MAGIC. */
const TMPFS = 0x01021994
const MEMORY_FOLDER = '/dev/shm'
const PREFIX = 'gwb'
const MARGIN_BYTES = 256 * 2 ** 20

/** @param {string} folder */
export const isInMemory = (folder) => statfsSync(folder).type === TMPFS

/** @returns {string} a folder in memory, else the temporary folder of the system. */
export function memoryFolder() {
  try {
    if (isInMemory(MEMORY_FOLDER)) return MEMORY_FOLDER
  } catch {
    // No such folder here.
  }
  return tmpdir()
}

/**
 * A new folder below `parent`. On clean-up everything that runs in it is ended and it is removed.
 *
 * @param {import('./cleanUp.mjs').CleanUp} cleanUp @param {string} parent @param {number} neededBytes
 */
export async function scratchFolder(cleanUp, parent, neededBytes) {
  mkdirSync(parent, { recursive: true })
  await sweep(parent)
  const { bavail, bsize } = statfsSync(parent)
  if (bavail * bsize < neededBytes + MARGIN_BYTES)
    throw new UsageError(
      `${parent} has ${Math.floor((bavail * bsize) / 1e6)} MB free; the run needs ${Math.ceil(neededBytes / 1e6)} MB`,
    )
  const folder = mkdtempSync(join(parent, `${PREFIX}${process.pid}-`))
  cleanUp.add(() => removeFolder(folder))
  return folder
}

/** @param {string} folder */
async function removeFolder(folder) {
  await endEverythingBelow(folder, [])
  // A mount of a run that was killed.
  const mounts = existsSync('/proc/self/mounts') ? readFileSync('/proc/self/mounts', 'utf8') : ''
  for (const line of mounts.split('\n')) {
    const [device, mountPoint] = line.split(' ')
    if (mountPoint?.startsWith(`${folder}/`) !== true) continue
    spawnSync('umount', [mountPoint], { stdio: 'ignore' })
    if (device.startsWith('/dev/loop')) execFileSync('losetup', ['-d', device], { stdio: 'ignore' })
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}

/** Removes what runs that were killed have left in `parent`. @param {string} parent */
async function sweep(parent) {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}([0-9]+)-`).exec(name)?.[1]
    if (pid === undefined) continue
    try {
      process.kill(Number(pid), 0)
    } catch {
      await removeFolder(join(parent, name))
    }
  }
}
