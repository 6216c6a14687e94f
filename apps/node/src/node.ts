/** The node put together: lock, Redis, log, data plane, runs, workers, API; and taken apart in the opposite order. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createProjector } from '@godwit/engine/projections/projector'
import { foldTransfer, initialTransferProjection } from '@godwit/engine/projections/transferProjection'
import type { NodeStatus } from '@godwit/protocol/api'
import type { Result } from '@godwit/protocol/errors'
import { ok } from '@godwit/protocol/errors'
import { LANES_MAX, NODE_IDLE_EXIT_MS } from '@godwit/protocol/limits'
import { checkRedis, type RedisAccess, type RedisTarget } from '@godwit/redis/connection'
import { EmbeddedRedis } from '@godwit/redis/embeddedRedis'
import { startRelay } from '@godwit/redis/outboxRelay'
import { createQueues } from '@godwit/redis/queues'
import { openTransferLog } from '@godwit/redis/transferLog'
import { startWorkers } from '@godwit/redis/workers'
import type { Logger } from 'pino'
import { createApiServer } from './api/server.js'
import { type NodeConfig, transferDirOf, VERSION } from './config.js'
import { createHandshakeCrypto } from './crypto/handshakeCrypto.js'
import { DataPlane } from './dataPlane/dataPlane.js'
import { runDoctor } from './doctor.js'
import { ensureDataDir } from './lifecycle/dataDir.js'
import { createLogger } from './lifecycle/logger.js'
import { removeNodeFile, writeNodeFile } from './lifecycle/nodeFile.js'
import { acquireNodeLock } from './lifecycle/nodeLock.js'
import { writePrivateFile } from './lifecycle/privateFile.js'
import { loadOrCreateToken } from './lifecycle/token.js'
import { RealNodeService } from './nodeService.js'
import { OwnRendezvousHost } from './ownRendezvousHost.js'
import { TransferRecords } from './records/transferRecord.js'
import { RendezvousClient } from './rendezvous/rendezvousClient.js'
import { RunManager } from './runs/runManager.js'
import { SecretStore } from './secrets/secretStore.js'
import { supervisorPidFrom } from './supervisor.js'
import { reconcile } from './transfers/reconcile.js'
import { TransferLog } from './transfers/transferLog.js'
import { createProcessors } from './workers/processors.js'

/** Milliseconds between looks whether the node is of use still. */
const IDLE_CHECK_MS = 30_000
/** Transfers that run at once; those that wait for a peer count too. */
const CONCURRENCY = { transfers: 1000, 'room-events': 16, 'chunk-acks': 16, retransmits: 8 } as const

export interface Node {
  /** Checkpoints, closes sessions, ends everything. Idempotent. */
  stop(): Promise<void>
  /** Resolves when everything has ended. */
  readonly ended: Promise<void>
}

export interface NodeOptions {
  readonly isForeground: boolean
}

export const createNode = async (config: NodeConfig, options: NodeOptions): Promise<Result<Node>> => {
  const { dataDir } = config
  const dir = ensureDataDir(dataDir)
  if (!dir.ok) return dir
  const lock = acquireNodeLock(dataDir)
  if (!lock.ok) return lock
  const logger = createLogger({ dataDir, isForeground: options.isForeground, level: config.logLevel })
  const redis = await startRedis(config, logger)
  if (!redis.ok) {
    lock.value.release()
    return redis
  }
  return ok(await assemble(config, logger, redis.value, lock.value.release))
}

interface StartedRedis {
  readonly target: RedisTarget
  readonly embedded: EmbeddedRedis | undefined
  readonly version: string
}

const startRedis = async (config: NodeConfig, logger: Logger): Promise<Result<StartedRedis>> => {
  if (config.redisUrl !== undefined) {
    const target = targetOf(config.redisUrl)
    const checked = await checkRedis({ target, prefix: '{godwit}' })
    return checked.ok ? ok({ target, embedded: undefined, version: checked.value.version }) : checked
  }
  const started = await EmbeddedRedis.start({
    dataDir: config.dataDir,
    onEvent: (event) => logger.info({ redis: event }, 'embedded Redis'),
  })
  if (!started.ok) return started
  const ready = await started.value.ready()
  if (!ready.ok) {
    await started.value.stop()
    return ready
  }
  return ok({ target: started.value.target, embedded: started.value, version: ready.value.version })
}

/** `REDIS_URL`: a URL, or the absolute path of a unix socket. */
const targetOf = (url: string): RedisTarget =>
  url.startsWith('/') ? { kind: 'socket', path: url } : { kind: 'url', url }

const assemble = async (
  config: NodeConfig,
  logger: Logger,
  redis: StartedRedis,
  releaseLock: () => void,
): Promise<Node> => {
  const { dataDir } = config
  const startedAt = new Date()
  const access: RedisAccess = {
    target: redis.target,
    prefix: '{godwit}',
    onFailure: (failure) => logger.warn(failure, 'Redis'),
  }
  const store = openTransferLog(access)
  const projector = createProjector({
    events: store.events,
    projections: store.projections,
    initial: initialTransferProjection,
    fold: foldTransfer,
  })
  const log = new TransferLog(store.events, projector)
  const records = new TransferRecords(transferDirOf(dataDir))
  const secrets = new SecretStore(dataDir)
  const crypto = await createHandshakeCrypto()
  const ended = deferred()

  const plane = new DataPlane({
    listenHost: config.listenHost,
    threads: Math.min(LANES_MAX, availableParallelism()),
    onCrash: (error) => {
      // A bug in the data plane: the supervisor starts the node again, and the transfers resume.
      logger.fatal({ err: error }, 'the data plane died')
      process.exit(1)
    },
  })
  const clients = new Map<string, RendezvousClient>()
  const clientOf = (url: string): RendezvousClient => {
    const client = clients.get(url) ?? new RendezvousClient({ url })
    clients.set(url, client)
    return client
  }
  const ownRendezvous = new OwnRendezvousHost(dataDir, redisUrlOf(redis.target), logger)
  const runs = new RunManager({
    log,
    records,
    secrets,
    plane,
    crypto,
    logger,
    deviceName: config.deviceName,
    listenHost: config.listenHost,
    clientOf,
    ownRendezvous: () => ownRendezvous.ensure(),
  })
  const queues = createQueues(access)
  const nodeId = persistentNodeId(dataDir)
  const workers = startWorkers({
    ...access,
    processors: createProcessors({ log, runs, leases: store.leases, nodeId }),
    concurrency: CONCURRENCY,
    onJobFailed: (queue, wakeUp, error) => logger.error({ queue, ...wakeUp, err: error }, 'a job failed'),
  })
  const relay = startRelay({ ...access, enqueue: queues.enqueue })

  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping ??= takeDown()
    return stopping
  }

  const status = async (): Promise<NodeStatus> => {
    const listed = await service.list()
    // While Redis is away the records tell; they do not know of a failure that can be mended.
    const isFinished = listed.ok
      ? listed.value.map(({ state }) => ['completed', 'failed', 'cancelled'].includes(state))
      : records.ids().map((id) => (records.get(id)?.ended ?? null) !== null)
    const finished = isFinished.filter(Boolean).length
    const facts = await checkRedis(access, 1000)
    return {
      type: 'node.status',
      pid: process.pid,
      version: VERSION,
      dataDir,
      address: url,
      startedAt: startedAt.toISOString(),
      redis: { mode: redis.embedded === undefined ? 'external' : 'embedded', version: redis.version, ok: facts.ok },
      transfers: { unfinished: isFinished.length - finished, finished },
      rendezvous: ownRendezvous.running ?? null,
    }
  }

  const service = new RealNodeService({
    log,
    events: store.events,
    projections: store.projections,
    records,
    secrets,
    runs,
    rendezvous: config.rendezvous,
    isLogReady: () => store.isReady,
    status,
    doctor: () =>
      runDoctor({
        dataDir,
        listenHost: config.listenHost,
        redis: {
          mode: redis.embedded === undefined ? 'external' : 'embedded',
          check: async () => {
            const facts = await checkRedis(access, 2000)
            return facts.ok ? facts.value : undefined
          },
        },
        rendezvous: config.rendezvous === undefined ? undefined : clientOf(config.rendezvous),
      }),
    shutdown: async () => {
      // The answer leaves first.
      setTimeout(() => void stop(), 50)
    },
  })

  const ids = new Set(records.ids())
  // A transfer may have ended just before its secrets were deleted.
  await secrets.keepOnly((id) => ids.has(id) && (records.get(id)?.ended ?? null) === null)
  await reconcile({ log, records, secrets, queues, logger })

  const api = createApiServer({
    service,
    token: loadOrCreateToken(dataDir),
    version: VERSION,
    onBug: (error, path) => logger.error({ err: error, path }, 'a bug behind the API'),
  })
  const { url } = await api.start()
  writeNodeFile(dataDir, {
    pid: process.pid,
    supervisorPid: supervisorPidFrom(process.env),
    url,
    version: VERSION,
    startedAt: startedAt.toISOString(),
  })
  logger.info({ url, version: VERSION }, 'the node is up')

  let lastUsedAt = performance.now()
  const idleTimer = setInterval(() => {
    if (runs.active.some(({ isIdle }) => !isIdle)) lastUsedAt = performance.now()
    if (performance.now() - lastUsedAt < NODE_IDLE_EXIT_MS || !store.isReady) return
    logger.info('nothing is left to do: the node leaves')
    void stop()
  }, IDLE_CHECK_MS)

  const takeDown = async (): Promise<void> => {
    logger.info('the node ends')
    clearInterval(idleTimer)
    removeNodeFile(dataDir)
    await runs.stop()
    await api.stop()
    await workers.close()
    await plane.drained()
    await plane.stop()
    await relay.stop()
    await queues.close()
    await ownRendezvous.stop()
    await store.close()
    await redis.embedded?.stop()
    releaseLock()
    logger.info('the node has ended')
    ended.resolve()
  }

  return { stop, ended: ended.promise }
}

const redisUrlOf = (target: RedisTarget): string => (target.kind === 'socket' ? target.path : target.url)

/** The name under which this data directory holds leases: kept, so that a node that was killed gets its own back. */
const persistentNodeId = (dataDir: string): string => {
  const path = join(dataDir, 'node-id')
  try {
    const known = readFileSync(path, 'utf8').trim()
    if (/^[0-9a-f-]{36}$/.test(known)) return known
  } catch {
    // Made now.
  }
  const made = randomUUID()
  writePrivateFile(path, `${made}\n`)
  return made
}

const deferred = (): { readonly promise: Promise<void>; readonly resolve: () => void } => {
  let settle = (): void => {}
  const promise = new Promise<void>((resolve) => {
    settle = resolve
  })
  return { promise, resolve: () => settle() }
}
