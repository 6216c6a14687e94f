/** A rendezvous as a process: Redis, the two ports, the line that tells that it is ready, and its end. */
import { type Failure, messageOf, ok, type Result } from '@godwit/protocol/errors'
import { checkRedis, type RedisTarget } from '@godwit/redis/connection'
import { EmbeddedRedis } from '@godwit/redis/embeddedRedis'
import type { Logger } from 'pino'
import type { Settings } from './commandLine.js'
import { lockDataDir } from './dataDirLock.js'
import { openStores } from './openStores.js'
import { createRendezvous, type RendezvousAddress } from './rendezvous.js'

/** Every key of a rendezvous begins so; a node's own log on the same Redis begins otherwise. */
const REDIS_PREFIX = '{rendezvous}'

export interface RunningRendezvous {
  readonly address: RendezvousAddress
  stop(): Promise<void>
}

/** Starts all there is; on a failure nothing is left behind. */
export const startRendezvous = async (settings: Settings, logger: Logger): Promise<Result<RunningRendezvous>> => {
  const undo: (() => Promise<void> | void)[] = []
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  const failed = async (failure: Failure): Promise<Result<RunningRendezvous>> => {
    await stop()
    return { ok: false, failure }
  }

  let target: RedisTarget
  if (settings.redis === undefined) {
    const embedded = await startEmbeddedRedis(settings, undo)
    if (!embedded.ok) return failed(embedded.failure)
    target = embedded.value
  } else {
    target = settings.redis
    const facts = await checkRedis({ target, prefix: REDIS_PREFIX })
    if (!facts.ok) return failed(facts.failure)
  }
  const { stores, close } = openStores({
    target,
    prefix: REDIS_PREFIX,
    onFailure: (failure) => logger.warn({ code: failure.code }, messageOf(failure)),
  })
  undo.push(close)
  const { host, port, udpPort, trustsProxy, opensForThisMachineOnly } = settings
  const rendezvous = createRendezvous({
    stores,
    host,
    port,
    logger,
    options: { trustsProxy, opensForThisMachineOnly },
    ...(udpPort === undefined ? {} : { udpPort }),
  })
  try {
    const address = await rendezvous.start()
    undo.push(() => rendezvous.stop())
    return ok({ address, stop })
  } catch (error) {
    const failure = portFailureOf(error, `${host}:${port}`)
    if (failure !== undefined) return failed(failure)
    await stop()
    throw error
  }
}

const startEmbeddedRedis = async (
  settings: Settings,
  undo: (() => Promise<void> | void)[],
): Promise<Result<RedisTarget>> => {
  const lock = lockDataDir(settings.dataDir)
  if (!lock.ok) return lock
  undo.push(lock.value)
  const embedded = await EmbeddedRedis.start({ dataDir: settings.dataDir })
  if (!embedded.ok) return embedded
  undo.push(() => embedded.value.stop())
  const ready = await embedded.value.ready()
  return ready.ok ? ok(embedded.value.target) : ready
}

/** An address that cannot be listened on, as opposed to a bug. */
const portFailureOf = (error: unknown, where: string): Failure | undefined => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return { code: 'ERR_PORT_TAKEN', detail: where }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') {
    return { code: 'ERR_USAGE', detail: `${where} cannot be listened on (${code})` }
  }
  return undefined
}
