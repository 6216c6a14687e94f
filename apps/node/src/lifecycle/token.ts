/** The token of the local API: 256 bits in a file that only this user may read. */
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dataDirFiles } from './dataDir.js'
import { writePrivateFile } from './privateFile.js'

const TOKEN = /^[A-Za-z0-9_-]{43}$/

const read = (path: string): string | undefined => {
  try {
    // A token that others could read is none any more.
    if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) return undefined
    const text = readFileSync(path, 'utf8').trim()
    return TOKEN.test(text) ? text : undefined
  } catch {
    return undefined
  }
}

/** The token of the data directory (43 base64url characters), made once. The caller holds the node's lock. */
export const loadOrCreateToken = (dataDir: string): string => {
  const path = dataDirFiles(dataDir).token
  const existing = read(path)
  if (existing !== undefined) return existing
  const token = randomBytes(32).toString('base64url')
  writePrivateFile(path, `${token}\n`)
  return token
}
