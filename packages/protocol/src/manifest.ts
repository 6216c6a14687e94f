/**
 * The manifest: what a transfer consists of. Paths are arrays of components, so that no separator ever travels.
 */

/** A regular file. Its content travels as chunks; its place among the files is its file number. */
export interface ManifestFile {
  readonly kind: 'file'
  /** Components of the relative path; the first is the name at the top of the transfer. NFC or as it was found. */
  readonly path: readonly string[]
  readonly sizeBytes: number
  /** Modification time, integer milliseconds since 1970 (may be negative). */
  readonly mtimeMs: number
  readonly isExecutable: boolean
}

/** A folder: sent for its own sake, so that empty ones arrive and times are kept. */
export interface ManifestFolder {
  readonly kind: 'folder'
  readonly path: readonly string[]
  readonly mtimeMs: number
}

export type ManifestEntry = ManifestFile | ManifestFolder

/** Entries in depth-first order: a folder comes before what is in it. */
export interface Manifest {
  readonly entries: readonly ManifestEntry[]
}
