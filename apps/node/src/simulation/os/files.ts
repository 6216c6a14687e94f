/** What the two stand-ins for Node's file modules share: opening, stats, removing, on the disk of the calling process. */
import { constants } from 'node:fs'
import { type Inode, PAGE_BYTES, systemError, type VirtualDisk } from './disk.js'
import { kernel, ownProcess } from './kernel.js'

/** Free blocks of a disk that is not full. */
const BLOCKS = 1_000_000

export const ownDisk = (): VirtualDisk => ownProcess().host.disk

export class Stats {
  readonly #kind: Inode['kind']
  readonly mode: number | bigint
  readonly size: number | bigint
  readonly ino: number | bigint
  readonly dev: number | bigint
  readonly uid: number | bigint
  readonly mtimeMs: number | bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint

  constructor(inode: Inode, isBig: boolean) {
    const as = (value: number): number | bigint => (isBig ? BigInt(Math.floor(value)) : value)
    this.#kind = inode.kind
    this.mode = as(inode.mode)
    this.size = as(inode.size)
    this.ino = as(inode.number)
    this.dev = as(1)
    this.uid = as(process.getuid?.() ?? 0)
    this.mtimeMs = as(inode.mtimeMs)
    this.mtimeNs = BigInt(Math.round(inode.mtimeMs * 1e6))
    this.ctimeNs = BigInt(Math.round(inode.ctimeMs * 1e6))
  }

  isFile(): boolean {
    return this.#kind === 'file'
  }

  isDirectory(): boolean {
    return this.#kind === 'folder'
  }

  isSymbolicLink(): boolean {
    return false
  }

  isFIFO(): boolean {
    return false
  }

  isSocket(): boolean {
    return false
  }
}

/** `r`, `w`, `wx` as numbers. */
const FLAGS: Readonly<Record<string, number>> = {
  r: constants.O_RDONLY,
  w: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  wx: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
}

export const openInode = (path: string, flags: number | string, mode: number): Inode => {
  const disk = ownDisk()
  const bits = typeof flags === 'number' ? flags : (FLAGS[flags] ?? 0)
  const { folder, name, inode } = disk.locate(path, 'open')
  if (inode === undefined) {
    if ((bits & constants.O_CREAT) === 0) throw systemError('ENOENT', 'open', path)
    if (disk.isFull) throw systemError('ENOSPC', 'open', path)
    const made = disk.makeInode('file', mode, kernel().wallMs())
    disk.add(folder, name, made)
    return made
  }
  if ((bits & constants.O_EXCL) !== 0) throw systemError('EEXIST', 'open', path)
  if ((bits & constants.O_TRUNC) !== 0) disk.truncate(inode)
  return inode
}

export const writeInode = (inode: Inode, bytes: Uint8Array, position: number): void => {
  const disk = ownDisk()
  if (disk.isFull) throw systemError('ENOSPC', 'write')
  disk.write(inode, bytes, position)
  inode.mtimeMs = kernel().wallMs()
  inode.ctimeMs = inode.mtimeMs
}

export const makeFolder = (path: string, mode: number, isRecursive: boolean): void => {
  const disk = ownDisk()
  if (isRecursive) {
    const parent = path.slice(0, path.lastIndexOf('/'))
    if (parent !== '') makeFolder(parent, mode, true)
  }
  const { folder, name, inode } = disk.locate(path, 'mkdir')
  if (inode !== undefined) {
    if (isRecursive && inode.kind === 'folder') return
    throw systemError('EEXIST', 'mkdir', path)
  }
  if (disk.isFull) throw systemError('ENOSPC', 'mkdir', path)
  disk.add(folder, name, disk.makeInode('folder', mode, kernel().wallMs()))
}

export const removePath = (path: string, options: { readonly recursive?: boolean; readonly force?: boolean }): void => {
  const disk = ownDisk()
  let place: ReturnType<VirtualDisk['locate']>
  try {
    place = disk.locate(path, 'rm')
  } catch (error) {
    if (options.force === true) return
    throw error
  }
  const { folder, name, inode } = place
  if (inode === undefined) {
    if (options.force === true) return
    throw systemError('ENOENT', 'rm', path)
  }
  if (inode.kind === 'folder') {
    if (options.recursive !== true) throw systemError('EISDIR', 'rm', path)
    for (const child of [...inode.entries.keys()]) removePath(`${path}/${child}`, options)
  }
  disk.remove(folder, name)
}

export const movePath = (from: string, to: string): void => {
  const disk = ownDisk()
  const source = disk.locate(from, 'rename')
  const target = disk.locate(to, 'rename')
  const { inode } = source
  if (inode === undefined) throw systemError('ENOENT', 'rename', from)
  if (target.inode === inode) return
  if (target.inode?.kind === 'folder') {
    if (inode.kind !== 'folder') throw systemError('EISDIR', 'rename', to)
    if (target.inode.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to)
  } else if (target.inode !== undefined && inode.kind === 'folder') throw systemError('ENOTDIR', 'rename', to)
  disk.rename(source.folder, source.name, target.folder, target.name)
}

export const linkPath = (from: string, to: string): void => {
  const disk = ownDisk()
  const inode = disk.lookUp(from, 'link')
  const target = disk.locate(to, 'link')
  if (target.inode !== undefined) throw systemError('EEXIST', 'link', to)
  disk.add(target.folder, target.name, inode)
}

export const unlinkPath = (path: string): void => {
  const disk = ownDisk()
  const { folder, name, inode } = disk.locate(path, 'unlink')
  if (inode === undefined) throw systemError('ENOENT', 'unlink', path)
  if (inode.kind === 'folder') throw systemError('EISDIR', 'unlink', path)
  disk.remove(folder, name)
}

export const removeFolder = (path: string): void => {
  const disk = ownDisk()
  const { folder, name, inode } = disk.locate(path, 'rmdir')
  if (inode === undefined) throw systemError('ENOENT', 'rmdir', path)
  if (inode.kind !== 'folder') throw systemError('ENOTDIR', 'rmdir', path)
  if (inode.entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path)
  disk.remove(folder, name)
}

export const namesIn = (path: string): string[] => {
  const inode = ownDisk().lookUp(path, 'scandir')
  if (inode.kind !== 'folder') throw systemError('ENOTDIR', 'scandir', path)
  return [...inode.entries.keys()]
}

/** The contents of a file, the caller's own. */
export const contentsOf = (path: string): Buffer => {
  const inode = ownDisk().lookUp(path, 'open')
  if (inode.kind !== 'file') throw systemError('EISDIR', 'read', path)
  return Buffer.from(inode.data.slice(0, inode.size))
}

export const freeSpace = (): { readonly bavail: number; readonly blocks: number; readonly bsize: number } => ({
  bavail: ownDisk().isFull ? 0 : BLOCKS,
  blocks: BLOCKS,
  bsize: PAGE_BYTES,
})

export const setTimes = (inode: Inode, mtimeSeconds: number): void => {
  // As a file system with whole microseconds.
  inode.mtimeMs = Math.floor(mtimeSeconds * 1e6) / 1000
  inode.ctimeMs = kernel().wallMs()
}

export const bytesOfContent = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content
