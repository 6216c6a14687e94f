/**
 * Stands in for `node:fs/promises` in a simulation: every call takes virtual time, takes effect at its end, and may be the
 * last thing that its process does.
 */
import type { Inode } from './disk.js'
import { systemError } from './disk.js'
import {
  bytesOfContent,
  contentsOf,
  freeSpace,
  linkPath,
  makeFolder,
  movePath,
  namesIn,
  openInode,
  ownDisk,
  removeFolder,
  removePath,
  Stats,
  setTimes,
  unlinkPath,
  writeInode,
} from './files.js'
import { callingProcess, ownProcess, type SimProcess } from './kernel.js'

/** Microseconds that a call takes at the most: one on names or cached data, and one that waits for the disk. */
const QUICK_US = 300
const SYNC_US = 15_000

const quick = <T>(name: string, effect: () => T): Promise<T> => callingProcess().call(name, QUICK_US, effect)

class FileHandle {
  readonly #inode: Inode
  readonly #path: string
  readonly #process: SimProcess
  #isOpen = true

  constructor(inode: Inode, path: string) {
    this.#inode = inode
    this.#path = path
    this.#process = ownProcess()
    this.#process.descriptors += 1
  }

  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number; readonly buffer: Uint8Array }> {
    return this.#quick('read', () => {
      const end = Math.min(position + length, this.#inode.size)
      const bytesRead = Math.max(0, end - position)
      buffer.set(this.#inode.data.subarray(position, position + bytesRead), offset)
      return { bytesRead, buffer }
    })
  }

  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Uint8Array }> {
    return this.#quick('write', () => {
      writeInode(this.#inode, buffer.subarray(offset, offset + length), position)
      return { bytesWritten: length, buffer }
    })
  }

  writeFile(content: string | Uint8Array): Promise<void> {
    return this.#quick('write', () => writeInode(this.#inode, bytesOfContent(content), 0))
  }

  readFile(): Promise<Buffer> {
    return this.#quick('read', () => Buffer.from(this.#inode.data.slice(0, this.#inode.size)))
  }

  stat(options: { readonly bigint?: boolean } = {}): Promise<Stats> {
    return this.#quick('fstat', () => new Stats(this.#inode, options.bigint === true))
  }

  sync(): Promise<void> {
    return this.#process.call(`fsync ${this.#path}`, SYNC_US, () => ownDisk().sync(this.#inode))
  }

  datasync(): Promise<void> {
    return this.#process.call(`fdatasync ${this.#path}`, SYNC_US, () => ownDisk().sync(this.#inode))
  }

  chmod(mode: number): Promise<void> {
    return this.#quick('chmod', () => {
      this.#inode.mode = mode
    })
  }

  utimes(_atime: number, mtime: number): Promise<void> {
    return this.#quick('utimes', () => setTimes(this.#inode, mtime))
  }

  close(): Promise<void> {
    return this.#quick('close', () => {
      this.#isOpen = false
      this.#process.descriptors -= 1
    })
  }

  #quick<T>(name: string, effect: () => T): Promise<T> {
    return this.#process.call(`${name} ${this.#path}`, QUICK_US, () => {
      if (!this.#isOpen) throw systemError('EBADF', name)
      return effect()
    })
  }
}

export const open = (path: string, flags: number | string, mode = 0o666): Promise<FileHandle> =>
  quick(`open ${path}`, () => new FileHandle(openInode(path, flags, mode), path))

export const readFile = async (file: string | FileHandle, encoding?: 'utf8'): Promise<Buffer | string> => {
  const bytes = await (typeof file === 'string' ? quick(`read ${file}`, () => contentsOf(file)) : file.readFile())
  return encoding === undefined ? bytes : bytes.toString(encoding)
}

export const writeFile = (
  path: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> =>
  quick(`write ${path}`, () => {
    const inode = openInode(path, 'w', options.mode ?? 0o666)
    writeInode(inode, bytesOfContent(content), 0)
  })

export const mkdir = (
  path: string,
  options: { readonly recursive?: boolean; readonly mode?: number } = {},
): Promise<void> => quick(`mkdir ${path}`, () => makeFolder(path, options.mode ?? 0o777, options.recursive === true))

export const rmdir = (path: string): Promise<void> => quick(`rmdir ${path}`, () => removeFolder(path))

/** One name after the other, as it really goes: a crash may leave half of a tree. */
export const rm = async (
  path: string,
  options: { readonly recursive?: boolean; readonly force?: boolean } = {},
): Promise<void> => {
  if (options.recursive === true) {
    const kind = await quick(`lstat ${path}`, () => {
      try {
        return ownDisk().locate(path, 'rm').inode?.kind
      } catch {
        return undefined
      }
    })
    if (kind === 'folder') {
      for (const name of await readdir(path)) await rm(`${path}/${String(name)}`, options)
    }
  }
  await quick(`rm ${path}`, () => removePath(path, options))
}

export const rename = (from: string, to: string): Promise<void> =>
  quick(`rename ${from} ${to}`, () => movePath(from, to))
export const link = (from: string, to: string): Promise<void> => quick(`link ${from} ${to}`, () => linkPath(from, to))
export const unlink = (path: string): Promise<void> => quick(`unlink ${path}`, () => unlinkPath(path))

export const readdir = (path: string, options: { readonly encoding?: 'buffer' } = {}): Promise<(string | Buffer)[]> =>
  quick(`readdir ${path}`, () =>
    namesIn(path).map((name) => (options.encoding === 'buffer' ? Buffer.from(name) : name)),
  )

export const lstat = (path: string, options: { readonly bigint?: boolean } = {}): Promise<Stats> =>
  quick(`lstat ${path}`, () => new Stats(ownDisk().lookUp(path, 'lstat'), options.bigint === true))
export const stat = lstat

export const access = (path: string): Promise<void> =>
  quick(`access ${path}`, () => void ownDisk().lookUp(path, 'access'))
export const statfs = (path: string): Promise<ReturnType<typeof freeSpace>> => quick(`statfs ${path}`, freeSpace)

export const chmod = (path: string, mode: number): Promise<void> =>
  quick(`chmod ${path}`, () => {
    ownDisk().lookUp(path, 'chmod').mode = mode
  })

export const utimes = (path: string, _atime: number, mtime: number): Promise<void> =>
  quick(`utimes ${path}`, () => setTimes(ownDisk().lookUp(path, 'utimes'), mtime))
