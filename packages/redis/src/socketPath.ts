/** Where the embedded server's unix socket lies: in the data directory if the path is short enough, else elsewhere. */
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'

/** Bytes of `sun_path` without its final zero (Linux: 108, macOS and the BSDs: 104). */
export const SOCKET_PATH_MAX_BYTES = process.platform === 'linux' ? 107 : 103

/**
 * The socket's path for the server of `redisDir` (absolute); the same for the same directory. Makes the directory that
 * it lies in (0700) where that is not `redisDir` itself, and refuses one that is somebody else's.
 */
export const chooseSocketPath = (redisDir: string, env: NodeJS.ProcessEnv): Result<string> => {
  const direct = join(redisDir, 'redis.sock')
  if (Buffer.byteLength(direct) <= SOCKET_PATH_MAX_BYTES) return ok(direct)
  const uid = process.getuid?.() ?? 0
  const name = `${createHash('sha256').update(redisDir).digest('hex').slice(0, 16)}.sock`
  const runtimeDir = env['XDG_RUNTIME_DIR']
  const folders = [
    ...(runtimeDir === undefined || runtimeDir === '' ? [] : [join(runtimeDir, 'godwit')]),
    join(tmpdir(), `godwit-${uid}`),
    join('/tmp', `godwit-${uid}`),
  ]
  for (const folder of folders) {
    const path = join(folder, name)
    if (Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES && isPrivateFolder(folder, uid)) return ok(path)
  }
  return fail('ERR_DATA_DIR', 'no private folder with a path short enough for the socket of Redis')
}

/** Makes the folder if need be. In /tmp somebody else could have made it first, or laid a link there. */
const isPrivateFolder = (folder: string, uid: number): boolean => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const stats = lstatSync(folder)
    return stats.isDirectory() && stats.uid === uid && (stats.mode & 0o077) === 0
  } catch {
    return false
  }
}
