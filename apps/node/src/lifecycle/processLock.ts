/**
 * A lock that one process of a machine holds by a file, and that dies with its holder.
 *
 * The file appears complete and at once (`link` of a finished file), and tells who holds it. A lock whose holder is gone
 * is removed by one process at a time, which looks at it once more before.
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

/** Moves a file out of the way; gives it back when it turns out to be another one by now. */
const moveAside = (path: string, text: string): void => {
  const aside = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
  if (read(aside) !== text) tryLink(aside, path)
  rmSync(aside, { force: true })
}

/**
 * Removes a stale lock, one process at a time: whoever removes it has looked at it while nobody else could, so that the
 * lock of somebody who has just taken it is never moved, not even for a moment in which a third one could take it too.
 *
 * @param draft - a file that tells who we are.
 */
const clear = (path: string, staleText: string, draft: string): void => {
  const guard = `${path}.clear`
  if (!tryLink(draft, guard)) {
    const text = read(guard)
    const holder = text === undefined ? undefined : parse(text)
    if (holder !== undefined && isRunning(holder)) Atomics.wait(SLEEPER, 0, 0, CLEARING_MS)
    else if (text !== undefined) moveAside(guard, text)
    return
  }
  try {
    if (read(path) === staleText) unlinkSync(path)
  } finally {
    rmSync(guard, { force: true })
  }
}

/** Milliseconds that somebody else's removal of a stale lock is given before we look again. */
const CLEARING_MS = 2
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

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
        return { release: () => release(path, own) }
      }
      const text = read(path)
      if (text === undefined) continue
      const holder = parse(text)
      if (holder !== undefined && isRunning(holder)) return { holder }
      // A file that cannot be read as a lock is one too old or damaged: nobody writes one in pieces.
      clear(path, text, draft)
    }
    return { holder: lockHolder(path) ?? { pid: 0, startTime: null } }
  } finally {
    unlinkSync(draft)
  }
}

const release = (path: string, own: string): void => {
  if (read(path) === own) rmSync(path, { force: true })
}
