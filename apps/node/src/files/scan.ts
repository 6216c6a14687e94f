/**
 * Finds out what a send consists of: walks the paths that the user named and makes the manifest and the list of
 * sources. Nothing is followed: symbolic links and special files are skipped and named, a path that is itself a link
 * too. Everything is looked at before anything leaves, so one unreadable file refuses the whole send at once.
 */
import { isUtf8 } from 'node:buffer'
import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import { access, lstat, readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { MANIFEST_MAX_ENTRIES, PATH_MAX_DEPTH, TRANSFER_MAX_BYTES } from '@godwit/protocol/limits'
import type { Manifest, ManifestEntry } from '@godwit/protocol/manifest'
import { compareNames, encodeManifest, MTIME_MAX_MS } from '@godwit/protocol/manifestCodec'
import { CollisionFinder, NAME_RULES, nameProblem, pathProblem } from '@godwit/protocol/names'
import { NUMBERED_NAME_MAX, numberedName } from '@godwit/protocol/namesNumbered'
import type { Task } from './concurrently.js'
import { runTasks } from './concurrently.js'
import { DiskRefusal } from './diskErrors.js'
import { shownPath, sourceFailure } from './sourceErrors.js'
import type { SourceFile } from './sourceFiles.js'
import { identityOf } from './sourceFiles.js'

export type { SourceFile } from './sourceFiles.js'

/** Something that is not sent. `path` is absolute and escaped for display. */
export interface SkippedPath {
  readonly path: string
  readonly reason: string
}

export interface Scan {
  readonly manifest: Manifest
  /** `encodeManifest(manifest)`. */
  readonly manifestBytes: Uint8Array
  /** By file number. */
  readonly sources: readonly SourceFile[]
  readonly skipped: readonly SkippedPath[]
}

/** One thing found: of its stats only what is needed, since there may be 200,000. */
interface Found {
  name: string
  readonly path: string
  readonly mtimeMs: number
  readonly sizeBytes: number
  readonly isExecutable: boolean
  /** Empty for a folder. */
  readonly identity: string
  /** Of a folder, sorted at the end; null for a file. */
  readonly children: Found[] | null
}

const foundOf = (name: string, path: string, stats: BigIntStats, children: Found[] | null): Found => ({
  name,
  path,
  mtimeMs: Math.max(-MTIME_MAX_MS, Math.min(MTIME_MAX_MS, Number(stats.mtimeMs))),
  sizeBytes: Number(stats.size),
  isExecutable: (stats.mode & 0o111n) !== 0n,
  identity: children === null ? identityOf(stats) : '',
  children,
})

/**
 * Scans `paths` (absolute, or relative to the working directory). Equal base names get ` (1)`, ` (2)` …; the same path
 * named twice is sent once.
 *
 * @returns ERR_PATH_NOT_FOUND, ERR_PATH_UNREADABLE, ERR_NOTHING_TO_SEND, ERR_NAME_UNSENDABLE, ERR_MANIFEST_TOO_LARGE,
 * ERR_DISK_IO, each naming the path; ERR_CANCELLED when `signal` aborts.
 */
export const scanSources = async (
  paths: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Result<Scan>> => {
  const walker = new Walker(options.signal)
  const tops: Found[] = []
  try {
    for (const path of new Set(paths.map((path) => resolve(path)))) {
      const found = await walker.walkTop(path)
      if (found !== undefined) tops.push(found)
    }
    giveDistinctNames(tops)
    const { manifest, sources } = list(tops)
    if (manifest.entries.length === 0) return fail('ERR_NOTHING_TO_SEND', skippedDetail(walker.skipped))
    const bytes = encodeManifest(manifest)
    if (!bytes.ok) return bytes
    return ok({ manifest, manifestBytes: bytes.value, sources, skipped: walker.skipped })
  } catch (error) {
    if (error instanceof DiskRefusal) return { ok: false, failure: error.failure }
    throw error
  }
}

const skippedDetail = (skipped: readonly SkippedPath[]): string | undefined =>
  skipped[0] === undefined ? undefined : `${skipped[0].path} is ${skipped[0].reason}`

class Walker {
  readonly skipped: SkippedPath[] = []
  readonly #signal: AbortSignal | undefined
  #count = 0

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  /** What stands at a path that the user named, with everything in it; undefined where it is skipped. */
  async walkTop(path: string): Promise<Found | undefined> {
    if (basename(path) === '') throw new DiskRefusal('ERR_NAME_UNSENDABLE', `${shownPath(path)} has no name`)
    const into: Found[] = []
    await runTasks([(add) => this.#look(path, basename(path), into, 1, add)])
    return into[0]
  }

  async #look(path: string, name: string, into: Found[], depth: number, add: (task: Task) => void): Promise<void> {
    if (this.#signal?.aborted === true) throw new DiskRefusal('ERR_CANCELLED')
    const stats = await this.#call(path, () => lstat(path, { bigint: true }))
    const reason = reasonToSkip(stats, name, depth)
    if (reason !== undefined) {
      this.skipped.push({ path: shownPath(path), reason })
      return
    }
    const problem = nameProblem(name)
    if (problem !== undefined) throw new DiskRefusal('ERR_NAME_UNSENDABLE', `${shownPath(path)} ${problem}`)
    this.#count += 1
    if (this.#count > MANIFEST_MAX_ENTRIES) throw new DiskRefusal('ERR_MANIFEST_TOO_LARGE', shownPath(path))
    if (depth > PATH_MAX_DEPTH) {
      throw new DiskRefusal('ERR_NAME_UNSENDABLE', `${shownPath(path)} is deeper than ${PATH_MAX_DEPTH} folders`)
    }
    if (stats.isFile()) {
      await this.#call(path, () => access(path, constants.R_OK))
      into.push(foundOf(name, path, stats, null))
      return
    }
    const children: Found[] = []
    into.push(foundOf(name, path, stats, children))
    const names = await this.#call(path, () => readdir(path, { encoding: 'buffer' }))
    for (const bytes of names) {
      const child = bytes.toString()
      const childPath = join(path, child)
      if (!isUtf8(bytes)) throw new DiskRefusal('ERR_NAME_UNSENDABLE', `${shownPath(childPath)} is not valid UTF-8`)
      add((more) => this.#look(childPath, child, children, depth + 1, more))
    }
  }

  async #call<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      const { code, detail } = sourceFailure(error, path, 'ERR_PATH_NOT_FOUND')
      throw new DiskRefusal(code, detail)
    }
  }
}

/** The staging folder of a transfer that is being received here. */
const stagingFolder = /^\.godwit-tr[a-z2-7]{16}$/

const reasonToSkip = (stats: BigIntStats, name: string, depth: number): string | undefined => {
  if (stats.isFile()) return undefined
  if (stats.isDirectory()) return depth > 1 && stagingFolder.test(name) ? 'a transfer being received' : undefined
  if (stats.isSymbolicLink()) return 'a symbolic link'
  if (stats.isFIFO()) return 'a pipe'
  if (stats.isSocket()) return 'a socket'
  return 'a device'
}

const giveDistinctNames = (tops: readonly Found[]): void => {
  const taken = new Set<string>()
  for (const top of tops) {
    const kind = top.children === null ? 'file' : 'folder'
    let number = 0
    let name = top.name
    while (taken.has(name.normalize('NFC')) && number < NUMBERED_NAME_MAX) {
      number += 1
      name = numberedName(top.name, number, kind)
    }
    taken.add(name.normalize('NFC'))
    top.name = name
  }
}

/** Brings what was found into the manifest's order. */
const list = (tops: readonly Found[]): { manifest: Manifest; sources: SourceFile[] } => {
  const entries: ManifestEntry[] = []
  const sources: SourceFile[] = []
  const collisions = new CollisionFinder(NAME_RULES.linux)
  let totalBytes = 0
  const visit = (found: Found, parent: readonly string[]): void => {
    const { children, mtimeMs, sizeBytes, isExecutable, identity } = found
    const path = [...parent, found.name]
    const problem = pathProblem(path) ?? (collisions.collides(path) ? 'looks the same as its neighbour' : undefined)
    if (problem !== undefined) throw new DiskRefusal('ERR_NAME_UNSENDABLE', `${shownPath(found.path)} ${problem}`)
    if (children !== null) {
      entries.push({ kind: 'folder', path, mtimeMs })
      for (const child of children.sort((a, b) => compareNames(a.name, b.name))) visit(child, path)
      return
    }
    totalBytes += sizeBytes
    if (totalBytes > TRANSFER_MAX_BYTES) throw new DiskRefusal('ERR_MANIFEST_TOO_LARGE', 'more than 16 TiB together')
    entries.push({ kind: 'file', path, sizeBytes, mtimeMs, isExecutable })
    sources.push({ path: found.path, sizeBytes, identity })
  }
  for (const top of [...tops].sort((a, b) => compareNames(a.name, b.name))) visit(top, [])
  return { manifest: { entries }, sources }
}
