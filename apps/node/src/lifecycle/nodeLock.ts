/** The lock that makes a data directory one node's. */
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { dataDirFiles } from './dataDir.js'
import type { ProcessLock } from './processLock.js'
import { acquireProcessLock } from './processLock.js'

/**
 * Takes the data directory for this process, also after a holder that was killed: ERR_NODE_RUNNING while another node
 * holds it, ERR_DATA_DIR when it cannot be written. Release it last of all.
 */
export const acquireNodeLock = (dataDir: string): Result<ProcessLock> => {
  try {
    const lock = acquireProcessLock(dataDirFiles(dataDir).nodeLock)
    return 'holder' in lock ? fail('ERR_NODE_RUNNING', `process ${lock.holder.pid} holds ${dataDir}`) : ok(lock)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    return fail('ERR_DATA_DIR', `${dataDir} cannot be written (${code})`)
  }
}
