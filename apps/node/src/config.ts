/** A node's configuration, from the environment. Everything has a default. */

import { isIPv4 } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { dataDirFrom } from './lifecycle/dataDir.js'

/** The version that the node tells its clients and peers. */
export const VERSION = '0.1.0'

export interface NodeConfig {
  readonly dataDir: string
  /** `REDIS_URL`; undefined for the embedded server. */
  readonly redisUrl: string | undefined
  /** IPv4 address that the data plane binds to: `GODWIT_LISTEN`. */
  readonly listenHost: string
  /** `GODWIT_RENDEZVOUS`: http(s)://host:port. */
  readonly rendezvous: string | undefined
  /** How this device introduces itself to its peers: `GODWIT_DEVICE_NAME`, else the host's name. */
  readonly deviceName: string
  readonly logLevel: string
}

const textOf = (value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : value

export const configFrom = (env: NodeJS.ProcessEnv): Result<NodeConfig> => {
  const listenHost = textOf(env['GODWIT_LISTEN']) ?? '0.0.0.0'
  if (!isIPv4(listenHost)) return fail('ERR_PORT_TAKEN', 'GODWIT_LISTEN is not an IPv4 address')
  return ok({
    dataDir: dataDirFrom(env),
    redisUrl: textOf(env['REDIS_URL']),
    listenHost,
    rendezvous: textOf(env['GODWIT_RENDEZVOUS']),
    deviceName: textOf(env['GODWIT_DEVICE_NAME']) ?? hostname(),
    logLevel: textOf(env['GODWIT_LOG_LEVEL']) ?? 'info',
  })
}

/** Where things lie in the data directory. */
export const transferDirOf = (dataDir: string): string => join(dataDir, 'transfers')
