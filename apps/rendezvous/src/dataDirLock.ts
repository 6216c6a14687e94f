/** One rendezvous with an embedded Redis per data directory: a file that holds the process id of its owner. */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fail, ok, type Result } from '@godwit/protocol/errors'
import { commandLineOf, isRunning } from '@godwit/redis/processes'

/** Takes the lock; the function that comes back gives it up. ERR_NODE_RUNNING, ERR_DATA_DIR. */
export const lockDataDir = (dataDir: string): Result<() => void> => {
  const path = join(dataDir, 'rendezvous.lock')
  const own = `${path}.${process.pid}`
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    return fail('ERR_DATA_DIR', error instanceof Error ? error.message : undefined)
  }
  try {
    writeFileSync(own, String(process.pid), { mode: 0o600 })
    // A link either makes the lock with its content or finds one there: it is never seen half-written.
    for (let tries = 0; tries < 2; tries += 1) {
      if (tryLink(own, path)) return ok(() => rmSync(path, { force: true }))
      const holder = Number(readFileSync(path, 'utf8'))
      // Ids are given out again: another program's process holds no lock of ours.
      if (holder !== process.pid && isRunning(holder) && commandLineOf(holder).includes('rendezvous')) {
        return fail('ERR_NODE_RUNNING', `process ${holder}`)
      }
      rmSync(path, { force: true })
    }
    return fail('ERR_NODE_RUNNING')
  } catch (error) {
    return fail('ERR_DATA_DIR', error instanceof Error ? error.message : undefined)
  } finally {
    rmSync(own, { force: true })
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
