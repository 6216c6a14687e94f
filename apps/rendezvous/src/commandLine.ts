/** The arguments and the environment of a rendezvous process. */

import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fail, ok, type Result } from '@godwit/protocol/errors'
import type { RedisTarget } from '@godwit/redis/connection'

export interface Settings {
  /** An IP address. */
  readonly host: string
  /** 0 for any that is free for both TCP and UDP. */
  readonly port: number
  /** Undefined: the same number as the TCP port. */
  readonly udpPort: number | undefined
  /** Absolute. Holds the embedded Redis where no other is named. */
  readonly dataDir: string
  /** Undefined: an embedded server. */
  readonly redis: RedisTarget | undefined
  /** Whether the process ends when its standard input does: then whoever started it is gone. */
  readonly endsWithParent: boolean
  readonly trustsProxy: boolean
  readonly opensForThisMachineOnly: boolean
}

export const USAGE = `Usage: rendezvous [--listen HOST:PORT] [--udp-port N] [--data-dir DIR] [--exit-with-parent] [--trust-proxy] [--own-rooms-only]

  --listen HOST:PORT   IP address and TCP port to listen on (default 0.0.0.0:4907; port 0 takes a free one)
  --udp-port N         UDP port for observed addresses (default: the number of the TCP port)
  --data-dir DIR       where the embedded Redis keeps its data (default: rendezvous in Godwit's data directory)
  --exit-with-parent   end when standard input ends
  --trust-proxy        take clients' addresses from X-Forwarded-For: only behind a reverse proxy
  --own-rooms-only     open rooms for this machine's processes only; everybody may join them

REDIS_URL names a Redis to use instead of an embedded one.
`

const DEFAULT_LISTEN = '0.0.0.0:4907'

/** ERR_USAGE for what cannot be understood. */
export const readSettings = (args: readonly string[], env: NodeJS.ProcessEnv): Result<Settings> => {
  const parsed = parse(args)
  if (!parsed.ok) return parsed
  const values = parsed.value
  const listen = parseListen(values.listen ?? DEFAULT_LISTEN)
  if (listen === undefined) return fail('ERR_USAGE', '--listen takes an IP address and a port, as 0.0.0.0:4907')
  const udpPort = values['udp-port'] === undefined ? undefined : parsePort(values['udp-port'])
  if (values['udp-port'] !== undefined && udpPort === undefined) return fail('ERR_USAGE', '--udp-port takes a port')
  return ok({
    ...listen,
    udpPort,
    dataDir: resolve(values['data-dir'] ?? join(godwitDataDir(env), 'rendezvous')),
    redis: redisTarget(env['REDIS_URL']),
    endsWithParent: values['exit-with-parent'] === true || env['GODWIT_PARENT_PIPE'] !== undefined,
    trustsProxy: values['trust-proxy'] === true,
    opensForThisMachineOnly: values['own-rooms-only'] === true,
  })
}

const parse = (args: readonly string[]) => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        listen: { type: 'string' },
        'udp-port': { type: 'string' },
        'data-dir': { type: 'string' },
        'exit-with-parent': { type: 'boolean' },
        'trust-proxy': { type: 'boolean' },
        'own-rooms-only': { type: 'boolean' },
      },
    })
    return ok(values)
  } catch (error) {
    return fail('ERR_USAGE', error instanceof Error ? error.message : undefined)
  }
}

/** `192.0.2.1:4907`, `[::]:4907`, or `:4907` for all addresses. */
const parseListen = (text: string): { host: string; port: number } | undefined => {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d+)$/.exec(text)
  const port = parsePort(match?.[3] ?? '')
  if (match === null || port === undefined) return undefined
  const host = match[1] ?? (match[2] === '' ? '0.0.0.0' : match[2] === 'localhost' ? '127.0.0.1' : match[2])
  return host !== undefined && isIP(host) !== 0 ? { host, port } : undefined
}

const parsePort = (text: string): number | undefined => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return port <= 65_535 ? port : undefined
}

/** A path or `unix://` names a socket; everything else is for ioredis to understand. */
const redisTarget = (url: string | undefined): RedisTarget | undefined => {
  if (url === undefined || url === '') return undefined
  const path = url.startsWith('unix://') ? url.slice('unix://'.length) : url
  return path.startsWith('/') ? { kind: 'socket', path } : { kind: 'url', url }
}

const godwitDataDir = (env: NodeJS.ProcessEnv): string =>
  env['GODWIT_DATA_DIR'] ?? join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'godwit')
