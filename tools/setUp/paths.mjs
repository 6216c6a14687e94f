/**
 * Where the set-up keeps its things (all of it below `.godwit/` in the checkout) and where it looks for programs.
 */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Folders searched after PATH, so that a PATH of two entries is enough. */
const WELL_KNOWN = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin']

/** @param {string} root - the checkout. */
export const cacheDirOf = (root) => join(root, '.godwit')

/** @param {string} file @returns {boolean} whether it is a file that this user may run. */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/**
 * Finds a program on PATH, then in the well-known folders.
 *
 * @param {string} name @returns {string | undefined} its path as found: not resolved, since a server may decide by its own name.
 */
export function findProgram(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return [...folders, ...WELL_KNOWN].map((folder) => join(folder, name)).find(isExecutable)
}

/**
 * The environment of a set-up step: this process's own, with a home folder inside the checkout where HOME is missing
 * or cannot be written (npm and apt keep caches there).
 *
 * @param {string} root @returns {NodeJS.ProcessEnv & { HOME: string }}
 */
export function stepEnvironment(root) {
  const home = process.env.HOME
  const isUsable = home !== undefined && home !== '' && isWritableFolder(home)
  return { ...process.env, LC_ALL: 'C.UTF-8', HOME: isUsable ? home : join(cacheDirOf(root), 'home') }
}

/** @param {string} folder */
export function isWritableFolder(folder) {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return statSync(folder).isDirectory()
  } catch {
    return false
  }
}
