/**
 * A disk that keeps two states: what a reader sees, and what would be there after a power cut.
 *
 * Data of a file is durable page by page once the file is synced; before that each written page survives a power cut
 * whole, in part (a number of whole sectors) or not at all. Changes of folders are durable once a folder that they touch is
 * synced; before that each is there or not, in order within a folder, and a rename is whole or did not happen. Times and
 * modes count as durable at once. Nothing here takes time or fails by itself; `nodeFs.ts` adds both.
 */
import type { SeededRandom } from '@godwit/engine/testing/random'

export const PAGE_BYTES = 4096
const SECTOR_BYTES = 512
/** How likely an unsynced page, and an unsynced change of a folder, survives; and how likely a page is torn. */
const SURVIVAL = 0.5
const TEARING = 0.25

export class Inode {
  readonly kind: 'file' | 'folder'
  readonly number: number
  mode: number
  mtimeMs: number
  ctimeMs: number
  links = 0
  /** Of a file: bytes as they are read. */
  data: Uint8Array = new Uint8Array(0)
  size = 0
  durableData: Uint8Array = new Uint8Array(0)
  durableSize = 0
  readonly dirtyPages = new Set<number>()
  /** Of a folder. */
  entries = new Map<string, Inode>()
  durableEntries = new Map<string, Inode>()

  constructor(kind: Inode['kind'], number: number, mode: number, nowMs: number) {
    this.kind = kind
    this.number = number
    this.mode = mode
    this.mtimeMs = nowMs
    this.ctimeMs = nowMs
  }
}

/** An error as a system call throws it. */
export const systemError = (code: string, syscall: string, path = ''): Error =>
  Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path, errno: -1 })

interface Change {
  readonly folders: readonly Inode[]
  readonly apply: () => void
}

/** Where a path leads: the folder that contains its last component, and what is there. */
interface Place {
  readonly folder: Inode
  readonly name: string
  readonly inode: Inode | undefined
}

export class VirtualDisk {
  readonly root: Inode
  readonly #random: SeededRandom
  #nextNumber = 1
  #changes: Change[] = []
  /** For tests of the checkers: a disk that says synced and is not. */
  isLying = false
  /** While true writes find no room. */
  isFull = false

  constructor(random: SeededRandom) {
    this.#random = random
    this.root = this.makeInode('folder', 0o755, 0)
  }

  makeInode(kind: Inode['kind'], mode: number, nowMs: number): Inode {
    return new Inode(kind, this.#nextNumber++, mode, nowMs)
  }

  /** Where `path` leads. Throws ENOENT or ENOTDIR where what contains it is not there. */
  locate(path: string, syscall: string): Place {
    const names = path.split('/').filter((name) => name !== '')
    const name = names.pop() ?? ''
    let folder = this.root
    for (const one of names) {
      const next = folder.entries.get(one)
      if (next === undefined) throw systemError('ENOENT', syscall, path)
      if (next.kind !== 'folder') throw systemError('ENOTDIR', syscall, path)
      folder = next
    }
    return { folder, name, inode: name === '' ? folder : folder.entries.get(name) }
  }

  /** What stands at `path`. Throws ENOENT. */
  lookUp(path: string, syscall: string): Inode {
    const { inode } = this.locate(path, syscall)
    if (inode === undefined) throw systemError('ENOENT', syscall, path)
    return inode
  }

  add(folder: Inode, name: string, inode: Inode): void {
    this.#change(
      [folder],
      () => {
        folder.entries.set(name, inode)
        inode.links += 1
      },
      () => folder.durableEntries.set(name, inode),
    )
  }

  remove(folder: Inode, name: string): void {
    this.#change(
      [folder],
      () => {
        const inode = folder.entries.get(name)
        if (inode !== undefined) inode.links -= 1
        folder.entries.delete(name)
      },
      () => folder.durableEntries.delete(name),
    )
  }

  /** Replaces whatever has the new name. */
  rename(from: Inode, name: string, to: Inode, newName: string): void {
    const inode = from.entries.get(name)
    if (inode === undefined) return
    this.#change(
      [from, to],
      () => {
        const replaced = to.entries.get(newName)
        if (replaced !== undefined) replaced.links -= 1
        from.entries.delete(name)
        to.entries.set(newName, inode)
      },
      () => {
        from.durableEntries.delete(name)
        to.durableEntries.set(newName, inode)
      },
    )
  }

  write(inode: Inode, bytes: Uint8Array, position: number): void {
    const end = position + bytes.length
    if (inode.data.length < end) {
      const grown = new Uint8Array(Math.max(end, Math.min(inode.data.length * 2, end + 1024 * 1024)))
      grown.set(inode.data.subarray(0, inode.size))
      inode.data = grown
    }
    inode.data.set(bytes, position)
    inode.size = Math.max(inode.size, end)
    for (let page = Math.floor(position / PAGE_BYTES); page * PAGE_BYTES < end; page++) inode.dirtyPages.add(page)
  }

  truncate(inode: Inode): void {
    inode.data = new Uint8Array(0)
    inode.size = 0
    inode.dirtyPages.clear()
    // As file systems do it that allocate late: the old contents are gone with the first sync or by chance before.
    inode.dirtyPages.add(0)
  }

  /** fsync of a file or folder. */
  sync(inode: Inode): void {
    if (this.isLying) return
    if (inode.kind === 'folder') {
      this.#syncFolder(inode)
      return
    }
    const data = inode.durableData.length >= inode.size ? inode.durableData : new Uint8Array(inode.data.length)
    if (data !== inode.durableData) data.set(inode.durableData.subarray(0, Math.min(inode.durableSize, data.length)))
    for (const page of inode.dirtyPages)
      copyBytes(inode.data, data, page * PAGE_BYTES, (page + 1) * PAGE_BYTES, inode.size)
    inode.durableData = data
    inode.durableSize = inode.size
    inode.dirtyPages.clear()
  }

  /** The lights go out: only what is durable is left, and of the rest what chance leaves. */
  cutPower(): void {
    const stopped = new Set<Inode>()
    for (const { folders, apply } of this.#changes) {
      const isKept = !folders.some((folder) => stopped.has(folder)) && this.#random.happens(SURVIVAL)
      if (isKept) apply()
      else for (const folder of folders) stopped.add(folder)
    }
    this.#changes = []
    this.#restore(this.root, new Set())
  }

  /** The bytes of a file as they would be after a power cut that took all that can be taken; undefined for none. */
  durableFile(path: string): Uint8Array | undefined {
    let inode: Inode | undefined = this.root
    for (const name of path.split('/').filter((one) => one !== '')) inode = inode?.durableEntries.get(name)
    return inode?.kind === 'file' ? inode.durableData.subarray(0, inode.durableSize) : undefined
  }

  /** The bytes of a file as they are read now; undefined for none. */
  file(path: string): Uint8Array | undefined {
    let inode: Inode | undefined = this.root
    for (const name of path.split('/').filter((one) => one !== '')) inode = inode?.entries.get(name)
    return inode?.kind === 'file' ? inode.data.subarray(0, inode.size) : undefined
  }

  /** Paths of everything below a folder, sorted; folders end with a slash. */
  list(path: string): readonly string[] {
    const found: string[] = []
    const visit = (folder: Inode, prefix: string): void => {
      for (const [name, inode] of folder.entries) {
        found.push(inode.kind === 'folder' ? `${prefix}${name}/` : `${prefix}${name}`)
        if (inode.kind === 'folder') visit(inode, `${prefix}${name}/`)
      }
    }
    visit(this.lookUp(path, 'scan'), '')
    return found.sort()
  }

  #change(folders: readonly Inode[], now: () => void, apply: () => void): void {
    now()
    this.#changes.push({ folders, apply })
  }

  /** Makes durable what touches `folder`, and what that depends on. */
  #syncFolder(folder: Inode): void {
    const wanted = new Set([folder])
    // From the last change back: one that is needed needs those before it in its folders.
    const needed = new Set<Change>()
    for (const change of [...this.#changes].reverse()) {
      if (!change.folders.some((one) => wanted.has(one))) continue
      needed.add(change)
      for (const one of change.folders) wanted.add(one)
    }
    for (const change of this.#changes) if (needed.has(change)) change.apply()
    this.#changes = this.#changes.filter((change) => !needed.has(change))
  }

  #restore(inode: Inode, seen: Set<Inode>): void {
    if (seen.has(inode)) return
    seen.add(inode)
    if (inode.kind === 'file') {
      this.#restoreFile(inode)
      return
    }
    inode.entries = new Map(inode.durableEntries)
    for (const child of inode.entries.values()) {
      if (!seen.has(child)) child.links = 0
      child.links += 1
      this.#restore(child, seen)
    }
  }

  #restoreFile(inode: Inode): void {
    if (inode.dirtyPages.size === 0 && inode.size === inode.durableSize) return
    const size = this.#random.happens(SURVIVAL) ? inode.size : inode.durableSize
    const data = new Uint8Array(size)
    data.set(inode.durableData.subarray(0, Math.min(size, inode.durableSize)))
    for (const page of [...inode.dirtyPages].sort((a, b) => a - b)) {
      const start = page * PAGE_BYTES
      if (this.#random.happens(TEARING)) {
        const sectors = this.#random.below(PAGE_BYTES / SECTOR_BYTES)
        copyBytes(inode.data, data, start, start + sectors * SECTOR_BYTES, inode.size)
      } else if (this.#random.happens(SURVIVAL)) {
        copyBytes(inode.data, data, start, start + PAGE_BYTES, inode.size)
      }
    }
    inode.data = data
    inode.size = size
    inode.durableData = data.slice()
    inode.durableSize = size
    inode.dirtyPages.clear()
  }
}

/** Copies `[start, end)`, as far as the source goes (`sourceEnd`) and the target has room. */
const copyBytes = (source: Uint8Array, target: Uint8Array, start: number, end: number, sourceEnd: number): void => {
  const to = Math.min(end, sourceEnd, target.length)
  if (to > start) target.set(source.subarray(start, to), start)
}
