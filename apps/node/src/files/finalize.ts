/**
 * The end of a receiving transfer: verified files get their mode, time and final names. Never over anything that
 * exists, and each step may be the last before a crash: called again, it goes on and ends with exactly one copy under
 * the recorded names.
 *
 * ```
 * hashes, names(building)   what was verified and what there is to do
 * prepare                   every part: fsync, mode, mtime; those of folders move into their tree in the staging folder
 * folders                   mode and mtime, deepest first; fsync
 * names(publishing)         the final names are chosen, and durable before the first of them appears
 * publish                   folders by mkdir and rename, files by link; fsync of the output folder; parts are unlinked
 * ```
 *
 * A part or tree that is gone has gone one step further: while building into its tree, while publishing to its final
 * name. The staging folder stays: whoever calls records the end first, then removes it (`Staging.discard`), so that a
 * crash in between finds it again.
 */
import { constants } from 'node:fs'
import { chmod, lstat, open, readdir, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '@godwit/protocol/assert'
import type { Result } from '@godwit/protocol/errors'
import type { ManifestFile, ManifestFolder } from '@godwit/protocol/manifest'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { BLAKE3_BYTES } from '../crypto/blake3.js'
import { forEachIndex } from './concurrently.js'
import { attempt, DiskRefusal, failedWith } from './diskErrors.js'
import { makeDir, syncDir, whereKnown, writeRecord } from './durable.js'
import type { FinalizeStep } from './finalizeSteps.js'
import type { NamesRecord, Top } from './finalNames.js'
import { chooseNames, firstNames, readNames, writeNames } from './finalNames.js'
import { Publisher } from './publish.js'
import { shownPath } from './sourceErrors.js'
import type { Staging } from './staging.js'
import { exists, readBounded } from './stagingDir.js'

/** A file under its final name. */
export interface FinishedFile {
  /** Relative to the output folder, `/` between its components, as it is (not escaped). */
  readonly path: string
  readonly size: number
  /** Hexadecimal, as `b3sum` prints it. */
  readonly blake3: string
}

export interface FinalizeOptions {
  /** Files that get no name, since the sender could not deliver them. An earlier call's are what counts. */
  readonly missing?: readonly RangePair[]
  /** Told once which files get no name, as it is recorded. */
  readonly onMissing?: (files: readonly RangePair[]) => void
  /** Files `first … first + count - 1` stand durably under their final names; told again when called again. */
  readonly onFilesCompleted?: (first: number, count: number) => void
  /** Called after each step that changes the disk; what it throws ends the call there. For tests of crashes. */
  readonly afterStep?: (name: FinalizeStep) => void
  /** False takes the way of file systems that do not know `link`. */
  readonly isLinkKnown?: boolean
}

/**
 * Gives a transfer's files their names. All chunks are there, and either `staging.hashFile` has verified every file or
 * an earlier call had begun. No write, checkpoint or read of `staging` may be under way.
 *
 * @returns every file that got its name; ERR_DISK_*, ERR_OUTPUT_* to be called again when mended.
 */
export const finalize = (staging: Staging, options: FinalizeOptions = {}): Promise<Result<readonly FinishedFile[]>> =>
  attempt('giving the files their names', () => new Finalizer(staging, options).run())

/**
 * Whether an end had begun here that can go on. Where a power cut took something out of it, it has not: then what is
 * missing is received again.
 */
export const isEndUnderWay = async (staging: Staging): Promise<boolean> =>
  (await staging.isFinalizing()) && new Finalizer(staging, {}).isWhole()

class Finalizer {
  readonly #staging: Staging
  readonly #options: FinalizeOptions
  /** Mode bits of files and folders, as this process may give them. */
  readonly #modes: { readonly plain: number; readonly executable: number }

  readonly #topTimes = new Map<string, number>()

  constructor(staging: Staging, options: FinalizeOptions) {
    this.#staging = staging
    this.#options = options
    const { umask } = staging.traits
    for (const { path, mtimeMs } of staging.manifest.entries) {
      if (path.length === 1) this.#topTimes.set(path[0] ?? '', mtimeMs)
    }
    this.#modes = { plain: 0o644 & ~umask, executable: 0o755 & ~umask }
  }

  async run(): Promise<FinishedFile[]> {
    const { layout } = this.#staging
    await this.#staging.closeParts()
    const known = await readNames(layout.dir)
    const names = known ?? (await this.#begin())
    this.#options.onMissing?.(names.missing)
    const hashes = await readBounded(join(layout.dir, 'hashes'), this.#staging.files.length * BLAKE3_BYTES)
    if (names.phase === 'building') {
      try {
        await this.#build(names)
      } catch (error) {
        await this.isWhole()
        throw error
      }
    }
    const publisher = new Publisher({
      layout,
      names,
      wasPublishing: known?.phase === 'publishing',
      isLinkKnown: this.#options.isLinkKnown ?? true,
      afterStep: (name) => this.#step(name),
      onFilesCompleted: (first, count) => this.#options.onFilesCompleted?.(first, count),
      setFolderTime: (top, path) => this.#setTopTime(top, path),
    })
    await publisher.run()
    return this.#report(names, hashes)
  }

  /** Whether every file that is to get a name is in its place or in its tree; starts over where one is not. */
  async isWhole(): Promise<boolean> {
    const { layout, files } = this.#staging
    const names = await readNames(layout.dir)
    if (names?.phase !== 'building') return names !== undefined
    const missing = RangeSet.ofPairs(names.missing)
    const treePath = this.#treePathOf(names)
    let isWhole = true
    await forEachIndex(files.length, async (number) => {
      const file = files[number]
      if (file === undefined || file.sizeBytes === 0 || missing.has(number)) return
      if (await exists(layout.partPath(number))) return
      if (file.path.length === 1 || !(await exists(treePath(file.path)))) isWhole = false
    })
    if (!isWhole) await this.#startOver()
    return isWhole
  }

  #treePathOf({ tops }: NamesRecord): (path: readonly string[]) => string {
    const { layout } = this.#staging
    const topOf = new Map(tops.map((top, index) => [top.name, index]))
    return (path) => join(layout.treePath(topOf.get(path[0] ?? '') ?? -1), ...path.slice(1))
  }

  /** What a power cut took out of the staging is received again: the next session finds no end that had begun. */
  async #startOver(): Promise<void> {
    const { layout } = this.#staging
    await rm(join(layout.dir, 'names'), { force: true })
    await syncDir(layout.dir)
    await rm(layout.treesDir, { recursive: true, force: true })
  }

  async #begin(): Promise<NamesRecord> {
    const { layout, manifest } = this.#staging
    const missing = RangeSet.ofPairs(this.#options.missing ?? [])
    const fileHashes = this.#staging.hashesOfAllBut(missing)
    assert(fileHashes !== undefined, 'files get their names when all of them are verified')
    await writeRecord(layout.dir, 'hashes', fileHashes)
    this.#step('hashes')
    const names = firstNames(manifest, missing)
    await writeNames(layout.dir, names)
    this.#step('names: building')
    return names
  }

  async #build(names: NamesRecord): Promise<void> {
    const { layout } = this.#staging
    await makeDir(layout.treesDir)
    const treePath = this.#treePathOf(names)
    const folders = this.#staging.manifest.entries.filter((entry) => entry.kind === 'folder')
    // Parents come first in a manifest.
    for (const folder of folders) {
      await makeDir(treePath(folder.path))
      this.#step('folder made')
    }
    const { files } = this.#staging
    const missing = RangeSet.ofPairs(names.missing)
    await forEachIndex(files.length, async (number) => {
      const file = files[number]
      if (file !== undefined && !missing.has(number))
        await this.#prepare(number, file, file.path.length > 1 ? treePath(file.path) : undefined)
    })
    await this.#checkFolders(treePath, missing)
    await this.#finishFolders(folders, treePath)
    await chooseNames(layout.outputDir, names.tops)
    names.phase = 'publishing'
    await writeNames(layout.dir, names)
    this.#step('names: publishing')
  }

  /** Makes one file as it will be and, in a folder, puts it there. */
  async #prepare(number: number, file: ManifestFile, target: string | undefined): Promise<void> {
    const part = this.#staging.layout.partPath(number)
    // An empty file has no chunk, so nothing has made its part; in a folder it is made in its place.
    const path = file.sizeBytes === 0 && target !== undefined ? target : part
    if (file.sizeBytes === 0 && target === undefined) {
      await makeDir(this.#staging.layout.partFolderPath(this.#staging.layout.partFolder(number)))
    }
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | (file.sizeBytes === 0 ? constants.O_CREAT : 0)
    try {
      const handle = await open(path, flags, 0o600)
      try {
        await handle.sync()
        await whereKnown(() => handle.chmod(file.isExecutable ? this.#modes.executable : this.#modes.plain))
        const time = timeOf(file.mtimeMs)
        await whereKnown(() => handle.utimes(time, time))
      } finally {
        await handle.close()
      }
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error
      // The part is gone: an earlier call has moved it.
      if (target !== undefined && (await exists(target))) return
      throw new DiskRefusal('ERR_DISK_IO', `${shownPath(part)} is gone`)
    }
    this.#step('file prepared')
    if (target === undefined || path === target) return
    await rename(part, target)
    this.#step('file in its folder')
  }

  /**
   * `rename` replaces silently. Names that this file system takes for one were refused when the staging folder was made;
   * should that have missed some, fewer things are there than there are names, and nothing is published.
   */
  async #checkFolders(treePath: (path: readonly string[]) => string, missing: RangeSet): Promise<void> {
    const { entries } = this.#staging.manifest
    const counts = new Map<string, number>()
    let number = 0
    for (const { kind, path } of entries) {
      if (kind === 'folder') counts.set(treePath(path), 0)
      else if (missing.has(number++)) continue
      if (path.length === 1) continue
      const parent = treePath(path.slice(0, -1))
      counts.set(parent, (counts.get(parent) ?? 0) + 1)
    }
    const folders = Array.from(counts)
    await forEachIndex(folders.length, async (i) => {
      const [folder = '', count = 0] = folders[i] ?? []
      if ((await readdir(folder)).length !== count) {
        throw new DiskRefusal('ERR_MANIFEST_REFUSED', 'two of its names are one file on this file system')
      }
    })
  }

  /** Modes and times last, deepest first: what is put into a folder changes its time. */
  async #finishFolders(
    folders: readonly ManifestFolder[],
    treePath: (path: readonly string[]) => string,
  ): Promise<void> {
    for (const { path, mtimeMs } of [...folders].reverse()) {
      const tree = treePath(path)
      await whereKnown(() => chmod(tree, this.#modes.executable))
      await whereKnown(() => utimes(tree, timeOf(mtimeMs), timeOf(mtimeMs)))
    }
    this.#step('folders finished')
    await forEachIndex(folders.length, (i) => syncDir(treePath(folders[i]?.path ?? [])))
    await syncDir(this.#staging.layout.treesDir)
    this.#step('folders durable')
  }

  /** Once more under the final name: some file systems count the move as a change. */
  async #setTopTime(top: Top, path: string): Promise<void> {
    const mtimeMs = this.#topTimes.get(top.name)
    if (mtimeMs === undefined || !(await lstat(path)).isDirectory()) return
    await whereKnown(() => utimes(path, timeOf(mtimeMs), timeOf(mtimeMs)))
  }

  #report(names: NamesRecord, hashes: Uint8Array): FinishedFile[] {
    const finalNames = new Map(names.tops.map((top) => [top.name, top.finalName]))
    const missing = RangeSet.ofPairs(names.missing)
    const all = this.#staging.files.map(({ path, sizeBytes }, number) => ({
      path: [finalNames.get(path[0] ?? '') ?? '', ...path.slice(1)].join('/'),
      size: sizeBytes,
      blake3: Buffer.from(hashes.subarray(number * BLAKE3_BYTES, (number + 1) * BLAKE3_BYTES)).toString('hex'),
    }))
    return missing.isEmpty ? all : all.filter((_, number) => !missing.has(number))
  }

  #step(name: FinalizeStep): void {
    this.#options.afterStep?.(name)
  }
}

/**
 * Seconds for `utimes`. Its double and libuv's cut to microseconds would lose a millisecond now and then (0.123 becomes
 * 0.122999); half a microsecond more does not show and keeps it.
 */
const timeOf = (mtimeMs: number): number => (mtimeMs % 1000 === 0 ? mtimeMs / 1000 : (mtimeMs + 0.0005) / 1000)
