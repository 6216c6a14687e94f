/** For tests: an embedded Redis of their own in a temporary directory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert } from '@godwit/protocol/assert'
import { EmbeddedRedis } from '../embeddedRedis.js'

export interface TestRedis {
  readonly redis: EmbeddedRedis
  readonly dataDir: string
  /** Ends the server and removes its directory. */
  stop(): Promise<void>
}

/** Starts a server and waits until it answers. */
export const startTestRedis = async (): Promise<TestRedis> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'godwit-redis-'))
  const started = await EmbeddedRedis.start({ dataDir })
  assert(started.ok, 'these tests need redis-server or valkey-server')
  const redis = started.value
  const ready = await redis.ready()
  assert(ready.ok, `the embedded server answers: see ${redis.logPath}`)
  return {
    redis,
    dataDir,
    stop: async () => {
      await redis.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** A prefix that no other test uses. */
export const freshPrefix = (): `{${string}}` => {
  prefixes += 1
  return `{test${prefixes}}`
}

let prefixes = 0
