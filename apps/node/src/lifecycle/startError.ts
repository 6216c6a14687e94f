/** `start-error.json`: why a node could not start, for the command that waits for it. */
import { readFileSync, rmSync } from 'node:fs'
import type { Failure } from '@godwit/protocol/errors'
import { messageOf } from '@godwit/protocol/errors'
import { dataDirFiles } from './dataDir.js'
import { writePrivateFile } from './privateFile.js'

/** Tells the waiting command why this node ends with exit code 78. Never throws: there is no one left to tell. */
export const writeStartError = (dataDir: string, failure: Failure): void => {
  const text = JSON.stringify({ code: failure.code, message: messageOf(failure), at: Date.now() })
  try {
    writePrivateFile(dataDirFiles(dataDir).startError, `${text}\n`)
  } catch {
    // The data directory itself may be the reason; the exit code still says that it was the set-up.
  }
}

export const hasStartError = (dataDir: string): boolean => {
  try {
    return readFileSync(dataDirFiles(dataDir).startError, 'utf8') !== ''
  } catch {
    return false
  }
}

export const clearStartError = (dataDir: string): void => rmSync(dataDirFiles(dataDir).startError, { force: true })
