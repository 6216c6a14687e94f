/** Where the node of this user lives, and the few of its files that a client reads. */
import { mkdirSync, readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import type { NodeFile } from '@godwit/protocol/api'
import { nodeFileSchema } from '@godwit/protocol/api'
import type { ErrorCode } from '@godwit/protocol/errors'
import { isErrorCode } from '@godwit/protocol/errors'
import { z } from 'zod'
import { CliFailure } from './failure.js'

/** `GODWIT_DATA_DIR`, else `godwit` in the XDG data directory (XDG Base Directory Specification 0.8). Absolute. */
export const dataDirFrom = (env: NodeJS.ProcessEnv, cwd: string): string => {
  const { GODWIT_DATA_DIR: own, XDG_DATA_HOME: xdg } = env
  if (own !== undefined && own !== '') return resolve(cwd, own)
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'godwit')
  // HOME may be empty or missing (a container, cron); the user database still knows.
  return join(homedir() || userInfo().homedir, '.local', 'share', 'godwit')
}

/** Makes the directory, so that the first command can be told why if that fails. The node checks it in full. */
export const ensureDataDir = (dataDir: string): void => {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw CliFailure.of({ code: 'ERR_DATA_DIR', detail: `${dataDir} cannot be used (${code})` })
  }
}

const readJson = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

export const readNodeFile = (dataDir: string): NodeFile | undefined =>
  nodeFileSchema.safeParse(readJson(join(dataDir, 'node.json'))).data

/** The token of the local API; undefined while the node has not made one. */
export const readToken = (dataDir: string): string | undefined => {
  try {
    return readFileSync(join(dataDir, 'token'), 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}

const startErrorSchema = z.object({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
  /** Wall clock, milliseconds. */
  at: z.number(),
})

/** Why the last start failed, when that was at or after `since` (wall clock, milliseconds). */
export const readStartError = (dataDir: string, since: number): z.output<typeof startErrorSchema> | undefined => {
  const found = startErrorSchema.safeParse(readJson(join(dataDir, 'start-error.json'))).data
  return found !== undefined && found.at >= since ? found : undefined
}

const logLineSchema = z.object({ msg: z.string(), err: z.object({ message: z.string() }).optional() })

/** The last lines of the node's log in the words of its messages. */
export const logTail = (dataDir: string, lines = 8): string[] => {
  let text: string
  try {
    text = readFileSync(join(dataDir, 'node.log'), 'utf8')
  } catch {
    return []
  }
  return text
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const parsed = logLineSchema.safeParse(JSON.parse(line)).data
        if (parsed !== undefined) return parsed.err === undefined ? parsed.msg : `${parsed.msg}: ${parsed.err.message}`
      } catch {
        // A crash trace is no JSON and is shown as it is.
      }
      return line.slice(0, 300)
    })
}
