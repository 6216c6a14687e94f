/** What the demo sends, and whether it arrived: makes a file of random bytes, measures a path, compares two trees. */
import { randomFillSync } from 'node:crypto'
import { type FileHandle, lstat, open, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'

const BLOCK_BYTES = 4 * 1024 * 1024

/** Writes a new file of `bytes` random bytes. */
export const makeRandomFile = async (file: string, bytes: number): Promise<void> => {
  const handle = await open(file, 'wx', 0o600)
  const block = new Uint8Array(BLOCK_BYTES)
  try {
    for (let done = 0; done < bytes; done += block.length) {
      randomFillSync(block)
      await handle.write(block, 0, Math.min(block.length, bytes - done))
    }
  } finally {
    await handle.close()
  }
}

/** Regular files below a path with their sizes; relative paths, '' for the path itself when it is a file. */
export const filesBelow = async (path: string, relative = ''): Promise<ReadonlyMap<string, number>> => {
  const files = new Map<string, number>()
  const stat = await lstat(join(path, relative))
  if (stat.isFile()) files.set(relative, stat.size)
  if (!stat.isDirectory()) return files
  for (const name of await readdir(join(path, relative))) {
    for (const [file, size] of await filesBelow(path, join(relative, name))) files.set(file, size)
  }
  return files
}

/** Bytes that this user can still write on the file system of `folder`. */
export const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** The first file that is missing, too many or different in `copy`; undefined when all bytes are the same. */
export const firstDifference = async (original: string, copy: string): Promise<string | undefined> => {
  const [wanted, found] = await Promise.all([filesBelow(original), filesBelow(copy).catch(() => new Map())])
  for (const file of found.keys()) if (!wanted.has(file)) return file
  for (const [file, size] of wanted) {
    if (found.get(file) !== size || !(await isSameContent(join(original, file), join(copy, file)))) return file
  }
  return undefined
}

const isSameContent = async (left: string, right: string): Promise<boolean> => {
  const handles = await Promise.all([open(left, 'r'), open(right, 'r')])
  try {
    for (;;) {
      const [one, other] = await Promise.all([readBlock(handles[0]), readBlock(handles[1])])
      if (!one.equals(other)) return false
      if (one.length === 0) return true
    }
  } finally {
    await Promise.all(handles.map((handle) => handle.close()))
  }
}

/** The next block in full, since a read may give less than what was asked for; shorter only at the end. */
const readBlock = async (handle: FileHandle): Promise<Buffer> => {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let filled = 0
  while (filled < block.length) {
    const { bytesRead } = await handle.read(block, filled, block.length - filled, null)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return block.subarray(0, filled)
}
