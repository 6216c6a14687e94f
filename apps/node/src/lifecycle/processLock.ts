/**
 * A lock that one process of a machine holds by a file, and that dies with its holder.
 *
 * The file appears complete and at once (`link` of a finished file), and tells who holds it. A lock whose holder is gone
 * is moved aside by `rename` and looked at again: only the file that was seen to be stale is thrown away.
 */

import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { ProcessIdentity } from './processIdentity.js'
import { identityOf, isRunning } from './processIdentity.js'

const lockSchema = z.object({
  pid: z.number().int().positive(),
  startTime: z.string().nullable(),
  /** Random, so that two locks of one process differ. */
  id: z.string(),
})

export interface ProcessLock {
  /** Gives the lock back. Harmless when it was taken away meanwhile, or twice. */
  release(): void
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

const parse = (text: string): z.output<typeof lockSchema> | undefined => {
  try {
    return lockSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

const tryLink = (from: string, to: string): boolean => {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Who holds a lock now; undefined when nobody does. */
export const lockHolder = (path: string): ProcessIdentity | undefined => {
  const text = read(path)
  const holder = text === undefined ? undefined : parse(text)
  return holder !== undefined && isRunning(holder) ? holder : undefined
}

/** Moves a stale lock out of the way; gives it back when it turns out to be another one by now. */
const clear = (path: string, staleText: string): void => {
  const aside = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
  if (read(aside) !== staleText) tryLink(aside, path)
  rmSync(aside, { force: true })
}

/** Attempts against others that clear and take at the same moment; each failed one means that another came further. */
const ATTEMPTS_MAX = 16

/**
 * Takes the lock at `path` for this process, or tells who holds it. Never waits.
 *
 * @throws the system's error when the folder cannot be written.
 */
export const acquireProcessLock = (path: string): ProcessLock | { readonly holder: ProcessIdentity } => {
  const id = randomBytes(16).toString('hex')
  const own = JSON.stringify({ ...identityOf(), id })
  const draft = `${path}.${process.pid}.${id}`
  writeFileSync(draft, own, { mode: 0o600, flag: 'wx' })
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (tryLink(draft, path)) {
        // Whoever moved this very file aside by mistake has put it back or will see it gone: look once more.
        if (read(path) === own) return { release: () => release(path, own) }
        continue
      }
      const text = read(path)
      if (text === undefined) continue
      const holder = parse(text)
      if (holder !== undefined && isRunning(holder)) return { holder }
      // A file that cannot be read as a lock is one too old or damaged: nobody writes one in pieces.
      clear(path, text)
    }
    return { holder: lockHolder(path) ?? { pid: 0, startTime: null } }
  } finally {
    unlinkSync(draft)
  }
}

const release = (path: string, own: string): void => {
  if (read(path) === own) rmSync(path, { force: true })
}
