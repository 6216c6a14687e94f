/** Asks whoever listens on a unix socket whether it is a Redis, whose, and whether it is ready. */
import type { RedisFacts } from './connection.js'
import { infoField, openOnce, readFacts } from './connection.js'

export type ServerProbe =
  /** Nobody listens. */
  | { readonly state: 'absent' }
  /** Somebody listens and does not answer as Redis would, in time. */
  | { readonly state: 'silent' }
  | {
      readonly state: 'loading' | 'ready'
      readonly pid: number
      /** Its data directory. */
      readonly dir: string
      readonly facts: RedisFacts
    }

/** Milliseconds for connecting and for each answer. */
const PROBE_TIMEOUT_MS = 2000

export const probeServer = async (socketPath: string): Promise<ServerProbe> => {
  const connection = openOnce({ kind: 'socket', path: socketPath }, PROBE_TIMEOUT_MS)
  try {
    await connection.connect()
  } catch {
    connection.disconnect()
    return { state: 'absent' }
  }
  try {
    // Both are answered while the log is being loaded.
    const info = await connection.info()
    const answer: unknown = await connection.config('GET', 'dir')
    return {
      state: infoField(info, 'loading') === '0' ? 'ready' : 'loading',
      pid: Number(infoField(info, 'process_id')),
      dir: Array.isArray(answer) ? String(answer[1]) : '',
      facts: readFacts(info),
    }
  } catch {
    return { state: 'silent' }
  } finally {
    connection.disconnect()
  }
}
