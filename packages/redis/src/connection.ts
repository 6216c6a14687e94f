/**
 * Connections to Redis: where it is, and how long a command waits for it.
 *
 * What waits for jobs or records events waits out a restart of Redis (`maxRetriesPerRequest: null`, as BullMQ demands
 * of workers); who answers a user asks first whether Redis is there (`Log.isReady`). Every connection has an error handler, since an
 * `error` event without one ends the process. Failures are handed on as codes and text: ioredis' error objects carry
 * the command with its arguments, AUTH included.
 */
import type { Failure, Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { Redis } from 'ioredis'
import { within } from './within.js'

/** Where Redis answers: the embedded server's unix socket, or REDIS_URL (which may hold a password: never log it). */
export type RedisTarget =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }

export interface RedisAccess {
  readonly target: RedisTarget
  /** Begins every key. The braces make a hash tag, so that all keys of one script live in one slot of a cluster. */
  readonly prefix: '{godwit}' | '{rendezvous}' | `{${string}}`
  /** Told about every connection failure; ioredis connects again by itself. */
  readonly onFailure?: (failure: Failure) => void
}

/** Milliseconds between attempts to connect, growing to a second: an embedded server is back within that. */
const reconnectDelayMs = (attempt: number): number => Math.min(attempt * 50, 1000)

/** Those of ioredis' options that we set; each is defined. */
interface ConnectOptions {
  readonly [option: string]: unknown
  readonly retryStrategy: (attempt: number) => number | null
  readonly maxRetriesPerRequest: number | null
}

const connectTo = (target: RedisTarget, options: ConnectOptions): Redis =>
  target.kind === 'socket' ? new Redis({ ...options, path: target.path }) : new Redis(target.url, { ...options })

/** A connection that is tried once, after `connect()`, and whose answers have to come within `timeoutMs`. */
export const openOnce = (target: RedisTarget, timeoutMs: number): Redis => {
  const connection = connectTo(target, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
  })
  connection.on('error', nothing)
  return connection
}

/** Opens a connection whose commands wait for Redis for ever. The caller owns it and ends it with `closeConnection`. */
export const openConnection = (access: RedisAccess): Redis => {
  const options = {
    retryStrategy: reconnectDelayMs,
    maxRetriesPerRequest: null,
    // Our own code subscribes again after a reconnect, so that it knows when that is done.
    autoResubscribe: false,
    // A server that loads its log for long is waited for, not given up.
    maxLoadingRetryTime: 1000,
    connectionName: 'godwit',
  }
  const connection = connectTo(access.target, options)
  connection.on('error', (error: Error) => {
    access.onFailure?.({ code: 'ERR_REDIS_UNREACHABLE', detail: error.message })
  })
  return connection
}

/** Milliseconds that a polite QUIT, or a last attempt to connect, may take. */
const QUIT_TIMEOUT_MS = 1000

/** Lets commands under way finish for a second, then cuts the connection. Never rejects. */
export const closeConnection = async (connection: Redis): Promise<void> => {
  if (connection.status === 'ready') await within(QUIT_TIMEOUT_MS, connection.quit())
  await cutConnection(connection)
}

/** Ends a connection at once, blocking commands too; whatever waits for an answer rejects. Never rejects itself. */
export const cutConnection = async (connection: Redis): Promise<void> => {
  if (connection.status === 'reconnecting') {
    // Cut between two attempts, ioredis would forget the commands that wait: a last attempt lets go of them.
    connection.options.retryStrategy = () => null
    await within(QUIT_TIMEOUT_MS, connection.connect())
  }
  connection.disconnect()
}

/**
 * The failure that an error of a call to Redis means: it refused (its disk or its memory is full, it is a replica …), or
 * it is gone for good. Undefined for every other error, which is a bug.
 */
export const redisFailureOf = (error: unknown): Failure | undefined => {
  if (!(error instanceof Error)) return undefined
  const isOurs = error.name === 'ReplyError' || error.message === 'Connection is closed.'
  // The script's name and the arguments say nothing to a user.
  return isOurs ? { code: 'ERR_REDIS_UNREACHABLE', detail: error.message.split(' script:')[0] ?? '' } : undefined
}

const nothing = (): void => undefined

export interface RedisFacts {
  readonly version: string
  readonly maxMemoryPolicy: string
}

/** The value of one line of INFO's answer. */
export const infoField = (info: string, field: string): string | undefined =>
  new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]

/** Reads what decides whether a server will do from the answer to INFO. */
export const readFacts = (info: string): RedisFacts => ({
  version: infoField(info, 'redis_version') ?? 'unknown',
  maxMemoryPolicy: infoField(info, 'maxmemory_policy') ?? 'unknown',
})

/** Redis 6.2 brought XAUTOCLAIM; any policy but noeviction would let jobs and events vanish. */
export const judgeFacts = (facts: RedisFacts): Result<RedisFacts> => {
  const [major = 0, minor = 0] = facts.version.split('.').map(Number)
  const isRecent = major > 6 || (major === 6 && minor >= 2)
  if (!isRecent) return fail('ERR_REDIS_UNSUITABLE', `Redis version ${facts.version}`)
  if (facts.maxMemoryPolicy !== 'noeviction') {
    return fail('ERR_REDIS_UNSUITABLE', `maxmemory-policy ${facts.maxMemoryPolicy}`)
  }
  return ok(facts)
}

/**
 * Asks a server once whether it can be used.
 *
 * @param timeoutMs - for connecting and for each answer.
 */
export const checkRedis = async (access: RedisAccess, timeoutMs = 5000): Promise<Result<RedisFacts>> => {
  const connection = openOnce(access.target, timeoutMs)
  try {
    await connection.connect()
    return judgeFacts(readFacts(await connection.info()))
  } catch (error) {
    return fail('ERR_REDIS_UNREACHABLE', error instanceof Error ? error.message : 'no answer')
  } finally {
    connection.disconnect()
  }
}
