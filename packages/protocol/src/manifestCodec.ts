/**
 * The manifest's bytes: docs/protocol/manifest.md §2. One manifest has exactly one encoding, so its bytes may be
 * compared and hashed.
 *
 * ```
 * 0  version (1)                         1
 * 1  number of entries                   varint (RFC 9000 §16), shortest form, like all varints here
 *    then each entry, depth first, a folder before what is in it, the names of one folder rising by their bytes:
 *    bit 0 isFolder, bit 1 isExecutable, bits 2 … 7 depth - 1     1
 *    bytes of the name                   varint, 1 … 255
 *    name, the path's last component     UTF-8
 *    mtimeMs, zigzag                     varint
 *    sizeBytes, of a file only           varint
 * ```
 *
 * An entry's parent is the last folder before it whose depth is one less: no path is repeated, no entry is an orphan,
 * and rising names rule out duplicates. Common rules for names are enforced here; those of a platform in `names.ts`.
 */
import { assert } from './assert.js'
import { ByteReader, ByteWriter } from './bytes.js'
import { decodeUtf8, encodeUtf8 } from './bytesText.js'
import { displayName, displayPath } from './displayName.js'
import type { Result } from './errors.js'
import { fail, ok } from './errors.js'
import {
  MANIFEST_MAX_BYTES,
  MANIFEST_MAX_ENTRIES,
  PATH_COMPONENT_MAX_BYTES,
  PATH_MAX_BYTES,
  PATH_MAX_DEPTH,
  TRANSFER_MAX_BYTES,
} from './limits.js'
import type { Manifest, ManifestEntry } from './manifest.js'
import { CollisionFinder, nameProblem, pathProblem, STAGING_PREFIX } from './names.js'
import { varintBytes } from './varint.js'

const VERSION = 1
const IS_FOLDER = 1
const IS_EXECUTABLE = 2
/** Bytes of the shortest entry: head, length, one byte of name, mtime of one byte. */
const ENTRY_MIN_BYTES = 4

/** Milliseconds from 1970, either way, that an mtime may lie: zigzag stays below 2^53. */
export const MTIME_MAX_MS = 2 ** 52 - 1

/** What all platforms have in common: names that are the same after NFC collide. */
const COMMON_RULES = { isWindows: false, foldsCase: false } as const

/** The order of names in one folder: rising by their UTF-8 bytes, which is by code points. */
export const compareNames = (left: string, right: string): number => {
  const shorter = Math.min(left.length, right.length)
  for (let i = 0; i < shorter; i += 1) {
    const a = left.charCodeAt(i)
    const b = right.charCodeAt(i)
    if (a !== b) return rankOf(a) - rankOf(b)
  }
  return left.length - right.length
}

/** UTF-16 puts surrogates (U+10000 and above) before U+E000 … U+FFFF; code points are the other way round. */
const rankOf = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit)

/**
 * Encodes a manifest that keeps the order and the rules above; one that does not is a bug of whoever made it.
 *
 * @returns the bytes, or ERR_MANIFEST_TOO_LARGE.
 */
export const encodeManifest = (manifest: Manifest): Result<Uint8Array> => {
  const { entries } = manifest
  if (entries.length > MANIFEST_MAX_ENTRIES) return fail('ERR_MANIFEST_TOO_LARGE', `${entries.length} entries`)
  const writer = new ByteWriter(64 * 1024).u8(VERSION).varint(entries.length)
  const order = new OrderChecker()
  for (const entry of entries) {
    const { path } = entry
    const name = path[path.length - 1]
    assert(name !== undefined && pathProblem(path) === undefined, 'a manifest to encode holds names that may travel')
    assert(order.accepts(entry), 'a manifest to encode is depth first, rising, without duplicates')
    assert(Math.abs(entry.mtimeMs) <= MTIME_MAX_MS && Number.isInteger(entry.mtimeMs), 'an mtime is in range')
    const depthBits = (path.length - 1) << 2
    if (entry.kind === 'folder') writer.u8(depthBits | IS_FOLDER)
    else writer.u8(depthBits | (entry.isExecutable ? IS_EXECUTABLE : 0))
    const bytes = encodeUtf8(name)
    assert(bytes !== undefined, 'a name that may travel is valid Unicode')
    writer.lengthPrefixed(bytes).varint(zigzag(entry.mtimeMs))
    if (entry.kind === 'file') writer.varint(entry.sizeBytes)
    if (writer.length > MANIFEST_MAX_BYTES) return fail('ERR_MANIFEST_TOO_LARGE')
  }
  return ok(writer.finish())
}

/** Follows entries and says whether each may come next. */
class OrderChecker {
  readonly #folders: string[] = []
  /** The last name in the open folder of each depth. */
  readonly #last: string[] = []

  accepts(entry: ManifestEntry): boolean {
    const { path } = entry
    const depth = path.length
    if (depth - 1 > this.#folders.length) return false
    for (let i = 0; i < depth - 1; i += 1) if (this.#folders[i] !== path[i]) return false
    const name = path[depth - 1] ?? ''
    const before = this.#last[depth - 1]
    if (before !== undefined && compareNames(before, name) >= 0) return false
    this.#last.length = depth - 1
    this.#last.push(name)
    this.#folders.length = depth - 1
    if (entry.kind === 'folder') this.#folders.push(name)
    return true
  }
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1)
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2)

/**
 * Decodes a peer's manifest. Never throws, whatever the bytes are; memory is bounded by MANIFEST_MAX_*.
 *
 * @returns ERR_MANIFEST_REFUSED with what is wrong, for everything that `encodeManifest` would not have written.
 */
export const decodeManifest = (bytes: Uint8Array): Result<Manifest> => {
  if (bytes.length > MANIFEST_MAX_BYTES) return refuse('it is larger than the limit')
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== VERSION) return refuse(`its version ${version ?? ''} is not known`)
  const count = shortVarint(reader, MANIFEST_MAX_ENTRIES)
  if (count === undefined || count * ENTRY_MIN_BYTES > reader.remaining) return refuse('its number of entries is wrong')

  const entries: ManifestEntry[] = []
  const open = new OpenFolders()
  let totalBytes = 0
  for (let i = 0; i < count; i += 1) {
    const result = readEntry(reader, open)
    if (typeof result === 'string') return refuse(`entry ${i}: ${result}`)
    if (result.kind === 'file') totalBytes += result.sizeBytes
    if (totalBytes > TRANSFER_MAX_BYTES) return refuse('its files are larger than the limit')
    entries.push(result)
  }
  if (!reader.isAtEnd) return refuse('bytes follow its last entry')
  return ok({ entries })
}

const refuse = (detail: string) => fail('ERR_MANIFEST_REFUSED', `the manifest was refused, ${detail}`)

/** Where the decoder stands in the tree: the open folder of each depth and what was last seen in it. */
class OpenFolders {
  /** Paths of the open folders; index = depth. The empty path is the top. */
  readonly paths: (readonly string[])[] = [[]]
  readonly pathBytes: number[] = [-1]
  readonly lastName: (Uint8Array | undefined)[] = [undefined]
  readonly collisions = new CollisionFinder(COMMON_RULES)

  /** Makes the folder of `depth` the innermost one. */
  closeBelow(depth: number): void {
    this.paths.length = depth + 1
    this.pathBytes.length = depth + 1
    this.lastName.length = depth + 1
  }

  enter(path: readonly string[], bytes: number): void {
    this.paths.push(path)
    this.pathBytes.push(bytes)
    this.lastName.push(undefined)
  }
}

/** Reads one entry, or says in a phrase what is wrong with it. */
const readEntry = (reader: ByteReader, open: OpenFolders): ManifestEntry | string => {
  const head = reader.u8()
  if (head === undefined) return 'it is cut off'
  const isFolder = (head & IS_FOLDER) !== 0
  const isExecutable = (head & IS_EXECUTABLE) !== 0
  if (isFolder && isExecutable) return 'its kind is not known'
  const parentDepth = head >>> 2
  const parent = open.paths[parentDepth]
  if (parent === undefined || parentDepth >= PATH_MAX_DEPTH) return 'it has no folder'
  open.closeBelow(parentDepth)

  const length = shortVarint(reader, PATH_COMPONENT_MAX_BYTES)
  const nameBytes = length === undefined ? undefined : reader.bytes(length)
  if (nameBytes === undefined) return 'its name is cut off or too long'
  const name = decodeUtf8(nameBytes)
  if (name === undefined) return 'its name is not valid UTF-8'
  const problem = nameProblem(name)
  if (problem !== undefined) return `${displayName(name)} ${problem}`
  if (parentDepth === 0 && name.toLowerCase().startsWith(STAGING_PREFIX)) return `${displayName(name)} is reserved`
  const pathBytes = (open.pathBytes[parentDepth] ?? 0) + 1 + nameBytes.length
  if (pathBytes > PATH_MAX_BYTES) return 'its path is too long'
  const before = open.lastName[parentDepth]
  if (before !== undefined && compareBytes(before, nameBytes) >= 0) return `${displayName(name)} is out of order`
  open.lastName[parentDepth] = nameBytes
  const path = [...parent, name]
  if (open.collisions.collides(path)) return `${displayPath(path)} stands there twice`

  const mtime = shortVarint(reader, MTIME_MAX_MS * 2)
  if (mtime === undefined) return 'its time is wrong'
  const mtimeMs = unzigzag(mtime)
  if (isFolder) {
    open.enter(path, pathBytes)
    return { kind: 'folder', path, mtimeMs }
  }
  const sizeBytes = shortVarint(reader, TRANSFER_MAX_BYTES)
  if (sizeBytes === undefined) return 'its size is wrong'
  return { kind: 'file', path, sizeBytes, mtimeMs, isExecutable }
}

/** A varint in its shortest form, at most `max`. */
const shortVarint = (reader: ByteReader, max: number): number | undefined => {
  const start = reader.position
  const value = reader.varint(max)
  return value !== undefined && reader.position - start === varintBytes(value) ? value : undefined
}

const compareBytes = (left: Uint8Array, right: Uint8Array): number => {
  const shorter = Math.min(left.length, right.length)
  for (let i = 0; i < shorter; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
