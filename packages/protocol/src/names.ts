/**
 * Which names may travel and which a receiver may give to a file: docs/protocol/manifest.md §3 says why for each rule.
 *
 * Two layers. The *common rules* hold everywhere: a sender refuses such a name before anything leaves, a receiver
 * refuses a manifest that has one. The *platform's rules* are those of the receiver's own file system: `what?` and
 * `aux.c` are ordinary names between Linux machines and impossible or dangerous on Windows. Nothing is ever renamed to
 * fit: a name arrives as it was, or the manifest is refused.
 */
import { utf8Length } from './bytesText.js'
import { displayPath } from './displayName.js'
import type { Result } from './errors.js'
import { fail, ok } from './errors.js'
import { PATH_COMPONENT_MAX_BYTES, PATH_MAX_BYTES, PATH_MAX_DEPTH } from './limits.js'
import type { Manifest } from './manifest.js'

/** What the receiver's file system does with names. */
export interface NameRules {
  /** Names that Windows interprets or cannot store are refused: devices, `:` streams, trailing dots, short names. */
  readonly isWindows: boolean
  /** `A` and `a` would be the same file. */
  readonly foldsCase: boolean
}

/** Rules by `process.platform`; a receiver sharpens them by what it finds its target folder to do. */
export const NAME_RULES = {
  linux: { isWindows: false, foldsCase: false },
  darwin: { isWindows: false, foldsCase: true },
  win32: { isWindows: true, foldsCase: true },
} as const satisfies Record<string, NameRules>

/** Top names that begin like this are ours: the staging folders of receivers. */
export const STAGING_PREFIX = '.godwit-'

const isControl = /[\p{Cc}\u2028\u2029]/u
// Marks, embeddings, overrides and isolates (UAX #9 §2) make a name read as another one; so do zero-width space and BOM.
// The zero-width joiners U+200C and U+200D stay: Persian, Indic scripts and emoji need them.
const isInvisible = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/u
const isLoneSurrogate = /\p{Cs}/u
const windowsCharacter = /[<>:"|?*\\]/
const windowsDevice = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i
const windowsShortName = /^[^.]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?$/

/**
 * What is wrong with one component of a path, as a phrase that follows the name ("holds a control character");
 * undefined where nothing is. Without `rules` only the common rules are applied.
 */
export const nameProblem = (name: string, rules?: NameRules): string | undefined => {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'is not a name but a place'
  if (name.includes('/')) return 'holds a separator'
  if (isControl.test(name)) return 'holds a control character'
  if (isInvisible.test(name)) return 'holds an invisible character that changes how it reads'
  if (isLoneSurrogate.test(name)) return 'is not valid Unicode'
  if (name.includes('\\') && isWindowsPath(name)) return 'reads as a path on Windows'
  if (utf8Length(name) > PATH_COMPONENT_MAX_BYTES) return `is longer than ${PATH_COMPONENT_MAX_BYTES} bytes`
  return rules?.isWindows === true ? windowsProblem(name) : undefined
}

/** `a\b` is one name on POSIX (systemd has such), but `..\b`, `C:\b` and `\\host\b` are attacks wherever they appear. */
const isWindowsPath = (name: string): boolean => {
  const pieces = name.split('\\')
  return pieces[0] === '' || /^[A-Za-z]:$/.test(pieces[0] ?? '') || pieces.includes('..')
}

const windowsProblem = (name: string): string | undefined => {
  if (windowsCharacter.test(name)) return 'holds a character that Windows does not allow'
  if (/[. ]$/.test(name)) return 'ends with a dot or a space, which Windows drops'
  if (windowsDevice.test(name)) return 'is a device on Windows'
  if (windowsShortName.test(name)) return 'could be the short name of another file on Windows'
  return undefined
}

/** Like `nameProblem`, for a whole relative path: its components, its depth and its length. */
export const pathProblem = (path: readonly string[], rules?: NameRules): string | undefined => {
  if (path.length === 0) return 'is empty'
  if (path.length > PATH_MAX_DEPTH) return `is deeper than ${PATH_MAX_DEPTH} folders`
  let bytes = path.length - 1
  for (const name of path) {
    const problem = nameProblem(name, rules)
    if (problem !== undefined) return problem
    bytes += utf8Length(name)
  }
  if (bytes > PATH_MAX_BYTES) return `is longer than ${PATH_MAX_BYTES} bytes`
  const top = path[0] ?? ''
  if (top.toLowerCase().startsWith(STAGING_PREFIX)) return 'is a name that Godwit keeps for itself'
  return undefined
}

/**
 * The name under which a file system finds it: names with equal keys would be one file.
 *
 * Canonically equal names (NFC) always collide: they look the same, and several file systems store only one of them.
 * With `foldsCase`, upper- then lower-casing also joins ß and SS, ſ and s, the Kelvin sign and k, σ and ς.
 */
export const collisionKey = (name: string, rules: NameRules): string => {
  const composed = name.normalize('NFC')
  const folded = rules.foldsCase ? composed.toUpperCase().toLowerCase().normalize('NFC') : composed
  return rules.isWindows ? folded.replace(/[. ]+$/, '') : folded
}

/** Finds two names of one folder that would be one file. Takes the entries of a manifest in their order. */
export class CollisionFinder {
  readonly #rules: NameRules
  /** Keys seen in the open folder of each depth. */
  readonly #seen: Set<string>[] = []

  constructor(rules: NameRules) {
    this.#rules = rules
  }

  /** Whether the last component of `path` collides with one seen before in the same folder. */
  collides(path: readonly string[]): boolean {
    const depth = path.length
    // Depth first: whatever is deeper than this entry belongs to folders that are closed.
    this.#seen.length = Math.min(this.#seen.length, depth)
    while (this.#seen.length < depth) this.#seen.push(new Set())
    const keys = this.#seen[depth - 1]
    const key = collisionKey(path[depth - 1] ?? '', this.#rules)
    if (keys === undefined || keys.has(key)) return true
    keys.add(key)
    return false
  }
}

/**
 * Checks all names of a manifest against the common rules and those of the receiver's file system.
 *
 * @returns ERR_MANIFEST_REFUSED with the first path that is not acceptable, escaped for display, and why.
 */
export const checkManifestNames = (manifest: Manifest, rules: NameRules): Result<void> => {
  const collisions = new CollisionFinder(rules)
  for (const { path } of manifest.entries) {
    const problem = pathProblem(path, rules) ?? (collisions.collides(path) ? 'stands there twice' : undefined)
    if (problem !== undefined) return fail('ERR_MANIFEST_REFUSED', `${displayPath(path)} ${problem}`)
  }
  return ok(undefined)
}
