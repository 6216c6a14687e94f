/**
 * The data directory: everything of one node, for this user's eyes only. This file makes and checks it and names what
 * lies in it; what the files hold is their owners' business.
 */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { syncFolder } from './privateFile.js'

/** `GODWIT_DATA_DIR`, else `godwit` in the XDG data directory (XDG Base Directory Specification 0.8). */
export const dataDirFrom = (env: NodeJS.ProcessEnv): string => {
  const { GODWIT_DATA_DIR: own, XDG_DATA_HOME: xdg } = env
  if (own !== undefined && own !== '') return isAbsolute(own) ? own : join(process.cwd(), own)
  // The specification: a path that is not absolute is to be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'godwit')
  // HOME may be empty or missing (a container, cron); the user database still knows.
  const home = homedir() || userInfo().homedir
  return join(home, '.local', 'share', 'godwit')
}

/** The files of the data directory that the node's life needs. */
export const dataDirFiles = (dataDir: string) => ({
  nodeFile: join(dataDir, 'node.json'),
  token: join(dataDir, 'token'),
  nodeLock: join(dataDir, 'node.lock'),
  supervisorLock: join(dataDir, 'supervisor.lock'),
  startError: join(dataDir, 'start-error.json'),
  log: join(dataDir, 'node.log'),
})

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown')

/** Makes the data directory with mode 0700 where it is missing and checks that nobody else can write it: ERR_DATA_DIR. */
export const ensureDataDir = (dataDir: string): Result<void> => {
  try {
    const made = mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    if (made !== undefined)
      for (let path = dataDir; path.length >= made.length; path = dirname(path)) syncFolder(dirname(path))
    // lstat: a link could be pointed elsewhere later by whoever owns the folder that it lies in.
    const stat = lstatSync(dataDir)
    if (!stat.isDirectory()) return fail('ERR_DATA_DIR', `${dataDir} is not a folder`)
    if (process.platform === 'win32') return ok(undefined)
    const uid = process.getuid?.()
    if (uid !== undefined && stat.uid !== uid) return fail('ERR_DATA_DIR', `${dataDir} belongs to another user`)
    // A folder of this user's that others can look into: what will lie in it is secret, so it is closed.
    if ((stat.mode & 0o777) !== 0o700) chmodSync(dataDir, 0o700)
    return ok(undefined)
  } catch (error) {
    return fail('ERR_DATA_DIR', `${dataDir} cannot be used (${codeOf(error)})`)
  }
}
