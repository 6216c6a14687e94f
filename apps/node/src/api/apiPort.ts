/**
 * The port of the API is kept over restarts, so that a page that is open finds its node again: a page's origin is its
 * host and port. A convenience, not a promise: where another program has taken the port, the node takes another one.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writePrivateFile } from '../lifecycle/privateFile.js'

const fileOf = (dataDir: string): string => join(dataDir, 'api-port')

/** The port of the last run; undefined where there was none. */
export const readApiPort = (dataDir: string): number | undefined => {
  try {
    const port = Number(readFileSync(fileOf(dataDir), 'utf8').trim())
    return Number.isInteger(port) && port >= 1024 && port <= 65_535 ? port : undefined
  } catch {
    return undefined
  }
}

export const writeApiPort = (dataDir: string, port: number): void => {
  if (readApiPort(dataDir) !== port) writePrivateFile(fileOf(dataDir), `${port}\n`)
}
