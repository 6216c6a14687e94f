/**
 * The disk of a receiving transfer until its files get their names: verified chunks go in, checkpoints make them
 * durable, and after a crash it says what is there. Verifying a chunk before it is written, and recording a checkpoint
 * before it is told, are the caller's; `finalize` takes over when all files are verified.
 *
 * The order at a checkpoint is what the log rests on: data, fdatasync, hash of the chunk, fdatasync, and only then the
 * caller records. An fsync that failed is final (the kernel drops what it could not write and says so once): what it
 * covered counts as not received.
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '@godwit/protocol/assert'
import { equalBytes } from '@godwit/protocol/bytes'
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import type { Manifest, ManifestFile } from '@godwit/protocol/manifest'
import { decodeManifest } from '@godwit/protocol/manifestCodec'
import { checkManifestNames } from '@godwit/protocol/names'
import { type RangePair, RangeSet } from '@godwit/protocol/rangeSet'
import { BLAKE3_BYTES } from '../crypto/blake3.js'
import { crashPoint } from '../lifecycle/crashPoint.js'
import { ChunkHashes, writeWhole } from './chunkHashes.js'
import { forEachIndex, Mutex } from './concurrently.js'
import { attempt, DiskRefusal, diskFailure, failedWith } from './diskErrors.js'
import { makeDir, syncDir, writeRecord } from './durable.js'
import { HandlePool } from './handlePool.js'
import { ReadBack } from './readBack.js'
import { shownPath } from './sourceErrors.js'
import type { TargetTraits } from './stagingDir.js'
import {
  checkOwnDir,
  exists,
  makeStagingDir,
  probeTarget,
  readStagedManifest,
  removeStaging,
  StagingLayout,
} from './stagingDir.js'
import type { Held, VerifyMode } from './stagingVerify.js'
import { findDamagedChunks, findHeldChunks } from './stagingVerify.js'

/** Part files open at a time. */
const MAX_OPEN_PARTS = 256

/** What a checkpoint made durable; or why not, and which chunks then count as not received. */
export type CheckpointResult =
  | { readonly ok: true; readonly durable: RangeSet }
  | { readonly ok: false; readonly failure: Failure; readonly lost: RangeSet }

export class Staging {
  readonly layout: StagingLayout
  readonly manifest: Manifest
  readonly plan: ChunkPlan
  /** Files of the manifest by file number. */
  readonly files: readonly ManifestFile[]
  readonly traits: TargetTraits
  readonly #hashes: ChunkHashes
  readonly #pool: HandlePool
  readonly #checkpoints = new Mutex()
  readonly #madeFolders = new Set<number>()
  /** Part folders with entries that are not durable yet. */
  readonly #changedFolders = new Set<number>()
  /** Chunks written since the last checkpoint, with their hashes. */
  #pending = new Map<number, Uint8Array>()
  /** Parts written since their last fdatasync. */
  #dirty = new Set<number>()
  /** Syncs under way of parts whose handle was needed for another. */
  readonly #syncs = new Set<Promise<void>>()
  /** Counts failed syncs: a write that was under way during one may have been dropped with it. */
  #syncFailures = 0
  #syncError: { readonly error: unknown } | undefined
  readonly #readBack: ReadBack
  /** 32 bytes per file: what `hashFile` read back. */
  readonly #fileHashes: Uint8Array
  readonly #hashedFiles = new RangeSet()
  /** Files that will never be whole. */
  readonly #dropped = new RangeSet()

  private constructor(layout: StagingLayout, manifest: Manifest, traits: TargetTraits, hashes: ChunkHashes) {
    this.layout = layout
    this.manifest = manifest
    this.plan = ChunkPlan.of(manifest)
    this.files = manifest.entries.filter((entry) => entry.kind === 'file')
    this.traits = traits
    this.#hashes = hashes
    this.#fileHashes = new Uint8Array(this.files.length * BLAKE3_BYTES)
    this.#pool = new HandlePool({
      max: MAX_OPEN_PARTS,
      open: (file) => this.#openPart(file),
      beforeClose: (file, handle) => this.#syncPart(file, handle),
    })
    this.#readBack = new ReadBack(this.#parts())
  }

  /**
   * Makes the staging folder of a transfer in `outputDir`, or takes up the one that an earlier attempt with the same
   * manifest made. Nothing of a manifest that is refused stays behind.
   *
   * @returns ERR_MANIFEST_REFUSED (also for names that this file system would mix up), ERR_RESUME_REFUSED where another
   * manifest was staged under this id, ERR_OUTPUT_*, ERR_DISK_*.
   */
  static async create(outputDir: string, transferId: string, manifestBytes: Uint8Array): Promise<Result<Staging>> {
    const manifest = decodeManifest(manifestBytes)
    if (!manifest.ok) return manifest
    const layout = new StagingLayout(outputDir, transferId)
    return flatten(
      await attempt(`making ${shownPath(layout.dir)}`, async () => {
        const isNew = await makeStagingDir(layout)
        const staged = isNew ? undefined : await readStagedManifest(layout)
        if (staged !== undefined && !equalBytes(staged, manifestBytes)) {
          return fail('ERR_RESUME_REFUSED', 'another list of files was staged for this transfer')
        }
        const traits = await probeTarget(layout)
        const names = checkManifestNames(manifest.value, traits.rules)
        if (!names.ok) {
          if (staged === undefined) await removeStaging(layout)
          return names
        }
        await makeDir(layout.partsDir)
        if (staged === undefined) await writeRecord(layout.dir, 'manifest', manifestBytes)
        crashPoint('stagingMade')
        return ok(await Staging.#open(layout, manifest.value, traits))
      }),
    )
  }

  /**
   * Finds the staging folder of a transfer again, by nothing but its id. Undefined where there is none, or one that was
   * not yet whole (then `create` takes it up).
   */
  static async reopen(outputDir: string, transferId: string): Promise<Result<Staging | undefined>> {
    const layout = new StagingLayout(outputDir, transferId)
    return flatten(
      await attempt(`opening ${shownPath(layout.dir)}`, async () => {
        if (!(await exists(layout.dir))) return ok(undefined)
        await checkOwnDir(layout.dir)
        const bytes = await readStagedManifest(layout)
        if (bytes === undefined) return ok(undefined)
        const manifest = decodeManifest(bytes)
        if (!manifest.ok) return fail('ERR_DISK_IO', 'the staged list of files is damaged')
        return ok(await Staging.#open(layout, manifest.value, await probeTarget(layout)))
      }),
    )
  }

  /** Whether a transfer has a staging folder. Rejects with the system's error where that cannot be seen. */
  static isThere(outputDir: string, transferId: string): Promise<boolean> {
    return exists(new StagingLayout(outputDir, transferId).dir)
  }

  /** Removes a transfer's staging folder, after its files have their names or when it was cancelled. Idempotent. */
  static async discard(outputDir: string, transferId: string): Promise<Result<void>> {
    const layout = new StagingLayout(outputDir, transferId)
    return attempt(`removing ${shownPath(layout.dir)}`, async () => {
      if (await exists(layout.dir)) await removeStaging(layout)
    })
  }

  static async #open(layout: StagingLayout, manifest: Manifest, traits: TargetTraits): Promise<Staging> {
    const hashes = await ChunkHashes.open(join(layout.dir, 'chunks'))
    try {
      // The file of the hashes may be new, and so may the folder, whoever made it may have died before it was durable:
      // without their entries everything would be gone after a power cut.
      await syncDir(layout.dir)
      await syncDir(layout.outputDir)
    } catch (error) {
      await hashes.close()
      throw error
    }
    return new Staging(layout, manifest, traits, hashes)
  }

  /** Whether `finalize` has begun: from then on parts have moved, and only `finalize` may go on. */
  isFinalizing(): Promise<boolean> {
    return exists(join(this.layout.dir, 'names'))
  }

  /**
   * Writes a verified chunk to its place. `data` is the caller's and stays untouched until the promise settles; `hash`
   * (32 bytes) is copied. Writes may run at the same time. The chunk counts from the next checkpoint on.
   */
  async write(chunk: number, data: Uint8Array, hash: Uint8Array): Promise<Result<void>> {
    const { file, offset, length } = this.plan.locate(chunk)
    assert(data.length === length && hash.length === BLAKE3_BYTES, 'a chunk is written whole, with its hash')
    return attempt('writing the received data', () =>
      this.#pool.use(file, async (handle) => {
        if (this.#dropped.has(file)) return
        const failures = this.#syncFailures
        await writeWhole(handle, data, offset)
        if (failures !== this.#syncFailures) throw new DiskRefusal('ERR_DISK_IO', 'the disk dropped what was written')
        if (this.#dropped.has(file)) return handle.truncate(0)
        this.#pending.set(chunk, Uint8Array.from(hash))
        this.#dirty.add(file)
        crashPoint('chunkWritten')
      }),
    )
  }

  /**
   * Makes everything written until now durable. Checkpoints asked for meanwhile follow one by one.
   *
   * @returns the chunks that are durable and were not before; on failure the chunks that have to be received again.
   */
  checkpoint(): Promise<CheckpointResult> {
    return this.#checkpoints.run(async () => {
      const written = this.#pending
      const parts = Array.from(this.#dirty)
      this.#pending = new Map()
      const chunks = rangesOf(written.keys())
      try {
        await forEachIndex(parts.length, (i) => this.#syncOne(parts[i] ?? 0))
        // Those of parts that left the pool since they were written.
        await Promise.all(this.#syncs)
        this.#throwSyncError()
        crashPoint('partsSynced')
        if (chunks.isEmpty) return { ok: true, durable: chunks }
        await this.#syncFolders()
        crashPoint('foldersSynced')
        await this.#hashes.record(chunks, (chunk) => written.get(chunk) ?? new Uint8Array(BLAKE3_BYTES))
        crashPoint('chunkHashesSynced')
        this.#readBack.onDurable(chunks)
        return { ok: true, durable: chunks }
      } catch (error) {
        this.#syncError = undefined
        chunks.addAll(rangesOf(this.#pending.keys()))
        this.#pending = new Map()
        return { ok: false, failure: diskFailure(error, 'making the received data durable'), lost: chunks }
      }
    })
  }

  /**
   * What is really there when a transfer goes on. `claimed` is what the log says. Mode `cheap` looks whether claimed
   * chunks can be there (hash recorded, part long enough) and hashes only those beyond the log; `full` hashes all. Where
   * `signal` aborts, what was not looked at yet counts as missing.
   */
  async verify(claimed: RangeSet, mode: VerifyMode = 'cheap', signal?: AbortSignal): Promise<Result<Held>> {
    return attempt('verifying the received data', async () => {
      if (await this.isFinalizing()) {
        return { held: RangeSet.of(0, this.plan.chunkCount), missing: new RangeSet() }
      }
      // What is found may have been written by a process that was killed before it could sync it.
      await this.#hashes.sync()
      const found = await findHeldChunks(this.#parts(), claimed, mode, signal)
      this.#readBack.onDurable(found.held)
      return found
    })
  }

  /** BLAKE3 of a whole file, read back from the disk; 32 bytes. Kept for `finalize`. */
  async hashFile(file: number): Promise<Result<Uint8Array>> {
    return attempt('reading the received data back', async () => {
      const hash = await this.#readBack.hash(file)
      this.#fileHashes.set(hash, file * BLAKE3_BYTES)
      this.#hashedFiles.add(file, file + 1)
      return hash
    })
  }

  /** The chunks of a file that are not what their recorded hashes say. */
  async damagedChunks(file: number): Promise<Result<RangeSet>> {
    return attempt('reading the received data back', () => findDamagedChunks(this.#parts(), file))
  }

  /** Takes back that these chunks are there, durably, before they are asked for again. */
  async forget(chunks: RangeSet): Promise<Result<void>> {
    this.#readBack.onForgotten(chunks)
    const none = new Uint8Array(BLAKE3_BYTES)
    for (const [start, end] of chunks.ranges()) {
      for (let chunk = start; chunk < end; chunk += 1) {
        this.#pending.delete(chunk)
        const file = this.plan.fileOf(chunk)
        this.#hashedFiles.remove(file, file + 1)
      }
    }
    return attempt('recording damage', () => this.#hashes.record(chunks, () => none))
  }

  /**
   * These files will never be whole: what there is of them is taken back and their room given free. Writes and checkpoints
   * may be under way; what they bring of these files is dropped too.
   */
  async drop(files: readonly RangePair[]): Promise<Result<void>> {
    const chunks = RangeSet.ofPairs(this.plan.chunksOfFiles(files))
    this.#dropped.addPairs(files)
    this.#readBack.onDropped(this.#dropped)
    const forgotten = await this.forget(chunks)
    if (!forgotten.ok) return forgotten
    return attempt('dropping the received data of a file', async () => {
      for (const [first, count] of files) {
        await forEachIndex(count, async (i) => {
          const file = first + i
          // Not unlinked: a checkpoint may be about to open it.
          if ((await this.#partSize(file)) > 0) await this.#pool.use(file, (handle) => handle.truncate(0))
        })
      }
    })
  }

  /** 32 bytes per file, once `hashFile` has read back all of them but these; undefined before. */
  hashesOfAllBut(missing: RangeSet): Uint8Array | undefined {
    const known = this.#hashedFiles.clone()
    known.addAll(missing)
    return known.size === this.files.length ? this.#fileHashes : undefined
  }

  /** Closes everything; no call may be under way. What was not checkpointed may be lost. */
  async close(): Promise<void> {
    await this.closeParts()
    await this.#hashes.close()
  }

  /** Closes the part files; they are opened again where needed. */
  async closeParts(): Promise<void> {
    await this.#readBack.stop()
    await this.#pool.closeAll()
  }

  #parts() {
    return {
      plan: this.plan,
      hashes: this.#hashes,
      sizeOf: (file: number) => this.#partSize(file),
      use: <T>(file: number, action: (handle: FileHandle) => Promise<T>) => this.#pool.use(file, action),
    }
  }

  async #partSize(file: number): Promise<number> {
    try {
      const stats = await lstat(this.layout.partPath(file))
      return stats.isFile() ? stats.size : 0
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return 0
      throw error
    }
  }

  async #openPart(file: number): Promise<FileHandle> {
    const path = this.layout.partPath(file)
    const folder = this.layout.partFolder(file)
    if (!this.#madeFolders.has(folder)) {
      await makeDir(this.layout.partFolderPath(folder))
      this.#madeFolders.add(folder)
    }
    this.#changedFolders.add(folder)
    return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  }

  async #syncFolders(): Promise<void> {
    const folders = Array.from(this.#changedFolders)
    if (folders.length === 0) return
    this.#changedFolders.clear()
    await forEachIndex(folders.length, (i) => syncDir(this.layout.partFolderPath(folders[i] ?? 0)))
    await syncDir(this.layout.partsDir)
  }

  async #syncOne(file: number): Promise<void> {
    // Its handle may have been closed, and synced, since the checkpoint began.
    if (this.#dirty.has(file)) await this.#pool.use(file, (handle) => this.#syncPart(file, handle))
  }

  /** fdatasync of a part that was written; a failure is kept for the checkpoint that covers it. */
  async #syncPart(file: number, handle: FileHandle): Promise<void> {
    if (!this.#dirty.delete(file)) return
    const sync = handle.datasync().catch((error: unknown) => {
      this.#syncFailures += 1
      this.#syncError ??= { error }
    })
    this.#syncs.add(sync)
    await sync
    this.#syncs.delete(sync)
  }

  #throwSyncError(): void {
    if (this.#syncError !== undefined) throw this.#syncError.error
  }
}

const flatten = <T>(result: Result<Result<T>>): Result<T> => (result.ok ? result.value : result)

const rangesOf = (chunks: Iterable<number>): RangeSet => {
  const set = new RangeSet()
  for (const chunk of Array.from(chunks).sort((a, b) => a - b)) set.add(chunk, chunk + 1)
  return set
}
