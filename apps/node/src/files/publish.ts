/**
 * The last step of `finalize`: finished trees and files appear in the output folder under their recorded names.
 *
 * A name is taken in a way that fails where anything has it: `link` for a file, `mkdir` for a folder (the finished tree
 * then replaces that empty folder of ours). Where `link` is not known, an empty file made with O_EXCL takes the name and
 * the part replaces it. After a crash, what has a recorded name is ours if it is the part itself, or the empty file or
 * folder that an earlier run can have made; anything else is somebody's, and the top gets another number.
 */
import { link, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { forEachIndex } from './concurrently.js'
import { failedWith } from './diskErrors.js'
import { syncDir } from './durable.js'
import type { FinalizeStep } from './finalizeSteps.js'
import type { NamesRecord, Top } from './finalNames.js'
import { chooseNextName, writeNames } from './finalNames.js'
import type { StagingLayout } from './stagingDir.js'
import { exists } from './stagingDir.js'

export interface PublisherOptions {
  readonly layout: StagingLayout
  /** In phase `publishing`, as recorded. */
  readonly names: NamesRecord
  /** An earlier run may have taken the recorded names already. */
  readonly wasPublishing: boolean
  readonly isLinkKnown: boolean
  readonly afterStep: (name: FinalizeStep) => void
  readonly onFilesCompleted: (first: number, count: number) => void
  readonly setFolderTime: (top: Top, path: string) => Promise<void>
}

/** Tops published before the output folder is synced once for all of them. */
const BATCH_TOPS = 256

export class Publisher {
  readonly #options: PublisherOptions
  /** Tops whose recorded name an earlier run may have taken. */
  readonly #maybeTaken: Set<Top>
  /** Names that this transfer's tops have or had. */
  readonly #taken: Set<string>
  #isLinkKnown: boolean

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#isLinkKnown = options.isLinkKnown
    this.#taken = new Set(options.names.tops.flatMap(({ name, finalName }) => [name, finalName]))
    this.#maybeTaken = new Set(options.wasPublishing ? options.names.tops : [])
  }

  async run(): Promise<void> {
    const { tops } = this.#options.names
    for (let start = 0; start < tops.length; start += BATCH_TOPS) {
      const batch = tops.slice(start, start + BATCH_TOPS)
      for (const [i, top] of batch.entries()) {
        if (top.kind === 'folder') await this.#publishFolder(top, start + i)
        else await this.#publishFile(top)
      }
      await syncDir(this.#options.layout.outputDir)
      this.#step('output folder durable')
      // Only now: a name that a crash takes back must leave the part.
      await forEachIndex(batch.length, async (i) => {
        const top = batch[i]
        if (top?.kind === 'file') await this.#unlinkPart(top)
      })
      this.#tell(batch)
    }
  }

  async #publishFolder(top: Top, index: number): Promise<void> {
    const tree = this.#options.layout.treePath(index)
    if (await exists(tree)) {
      while (!(await this.#takeFolderName(top))) await this.#renumber(top)
      this.#step('folder name taken')
      await rename(tree, this.#finalPath(top))
      this.#step('folder published')
    }
    if (await exists(this.#finalPath(top))) await this.#options.setFolderTime(top, this.#finalPath(top))
  }

  /** False where somebody has the name. */
  async #takeFolderName(top: Top): Promise<boolean> {
    const path = this.#finalPath(top)
    try {
      await mkdir(path, { mode: 0o700 })
      return true
    } catch (error) {
      if (!failedWith(error, 'EEXIST')) throw error
    }
    return this.#maybeTaken.has(top) && (await isOwn(path, 'folder')) && (await readdir(path)).length === 0
  }

  async #publishFile(top: Top): Promise<void> {
    const part = this.#partPath(top)
    if (!(await exists(part))) return
    while (!(await this.#placeFile(top, part))) await this.#renumber(top)
    this.#step('file published')
  }

  /** Gives the part its final name; false where somebody has it. */
  async #placeFile(top: Top, part: string): Promise<boolean> {
    const path = this.#finalPath(top)
    if (this.#isLinkKnown) {
      try {
        await link(part, path)
        return true
      } catch (error) {
        if (failedWith(error, 'EEXIST'))
          return (await isSameFile(part, path)) || (await this.#replaceOwnClaim(top, part))
        if (!failedWith(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error
        this.#isLinkKnown = false
      }
    }
    await this.#recordClaims()
    try {
      await (await open(path, 'wx', 0o600)).close()
    } catch (error) {
      if (!failedWith(error, 'EEXIST')) throw error
      return this.#replaceOwnClaim(top, part)
    }
    this.#step('file name taken')
    await rename(part, path)
    return true
  }

  /** Puts the part in the place of the empty file that an earlier run made, if that is what stands there. */
  async #replaceOwnClaim(top: Top, part: string): Promise<boolean> {
    const path = this.#finalPath(top)
    if (!(this.#maybeTaken.has(top) && top.isClaimed && (await isOwn(path, 'file')))) return false
    await rename(part, path)
    return true
  }

  /** From here on, an empty file under a recorded name may be ours. Written once for all tops that are left. */
  async #recordClaims(): Promise<void> {
    const { names, layout } = this.#options
    const unclaimed = names.tops.filter((top) => top.kind === 'file' && !top.isClaimed)
    if (unclaimed.length === 0) return
    for (const top of unclaimed) {
      top.isClaimed = true
      // An empty file there now was not made by an earlier run: none had claimed it.
      this.#maybeTaken.delete(top)
    }
    await writeNames(layout.dir, names)
    this.#step('names: claimed')
  }

  async #renumber(top: Top): Promise<void> {
    const { names, layout } = this.#options
    await chooseNextName(layout.outputDir, this.#taken, top)
    this.#maybeTaken.delete(top)
    await writeNames(layout.dir, names)
    this.#step('names: another number')
  }

  async #unlinkPart(top: Top): Promise<void> {
    try {
      await unlink(this.#partPath(top))
      this.#step('part unlinked')
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
    }
  }

  #tell(batch: readonly Top[]): void {
    // Files without a name leave gaps.
    const files = new RangeSet()
    for (const { firstFile, fileCount } of batch) files.add(firstFile, firstFile + fileCount)
    for (const [missing, count] of this.#options.names.missing) files.remove(missing, missing + count)
    for (const [first, count] of files.toPairs()) this.#options.onFilesCompleted(first, count)
  }

  #finalPath(top: Top): string {
    return join(this.#options.layout.outputDir, top.finalName)
  }

  #partPath(top: Top): string {
    return this.#options.layout.partPath(top.firstFile)
  }

  #step(name: FinalizeStep): void {
    this.#options.afterStep(name)
  }
}

const isSameFile = async (left: string, right: string): Promise<boolean> => {
  const [a, b] = await Promise.all([lstat(left, { bigint: true }), lstat(right, { bigint: true })])
  return a.ino === b.ino && a.dev === b.dev && a.ino !== 0n
}

/** Whether a file of no bytes, or a folder, of this user stands at `path`. */
const isOwn = async (path: string, kind: 'file' | 'folder'): Promise<boolean> => {
  const stats = await lstat(path)
  const uid = process.getuid?.()
  if (uid !== undefined && stats.uid !== uid) return false
  return kind === 'file' ? stats.isFile() && stats.size === 0 : stats.isDirectory()
}
