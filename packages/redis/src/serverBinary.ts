/** Finds the program to run as the embedded server. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'

/** An unpacked package: a folder of programs, and the libraries that they need. */
export interface SearchDir {
  readonly bin: string
  readonly lib: string
}

export interface ServerBinary {
  readonly path: string
  /** For LD_LIBRARY_PATH; undefined where the system's libraries do. */
  readonly lib: string | undefined
}

const NAMES = ['redis-server', 'valkey-server'] as const

/** In this order: GODWIT_REDIS_SERVER (an absolute path), PATH, `searchDirs`. */
export const findServerBinary = (env: NodeJS.ProcessEnv, searchDirs: readonly SearchDir[]): Result<ServerBinary> => {
  const named = env['GODWIT_REDIS_SERVER']
  if (named !== undefined && named !== '') {
    return isExecutable(named) ? ok({ path: named, lib: undefined }) : fail('ERR_REDIS_MISSING', 'GODWIT_REDIS_SERVER')
  }
  const onPath = (env['PATH'] ?? '').split(delimiter).filter(isAbsolute)
  const folders = [...onPath.map((bin) => ({ bin, lib: undefined })), ...searchDirs]
  for (const { bin, lib } of folders) {
    for (const name of NAMES) {
      const path = join(bin, name)
      if (isExecutable(path)) return ok({ path, lib })
    }
  }
  return fail('ERR_REDIS_MISSING')
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
