/**
 * What is done to a world. Each fault resolves when what it broke is back, and says when that was: from then on the
 * time until data flows again counts. A crash point is armed before the transfer begins and fires by itself.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { isRunning } from '../../packages/redis/dist/processes.js'
import { signal, untilGone } from './chaosNode.mjs'

const HOUR_MS = 3_600_000
const LAST_SECOND_MS = 1000
const POLL_MS = 15
const REDIS_BACK_MS = 20_000

/**
 * @typedef {import('./plan.mjs').Fault} Fault
 * @typedef {import('./chaosNode.mjs').ChaosNode} ChaosNode
 * @typedef {{ world: import('./world.mjs').ChaosWorld, isOwnRendezvous: boolean, onDown: (node: ChaosNode) => Promise<void> }} Stage -
 * `onDown` is called while a node that was killed is kept from coming back: the disk and the log stand still.
 */

/** @param {Fault} fault @param {Stage} stage */
export function arm({ kind, side, point, passes }, { world }) {
  if (kind === 'crashPoint') writeFileSync(world[side].planFile, JSON.stringify({ point, passes }))
}

/** Forgets a crash that did not come. @param {Stage} stage */
export function disarm({ world }) {
  for (const { planFile } of world.nodes)
    for (const file of [planFile, `${planFile}.done`]) rmSync(file, { force: true })
}

/** Whether an armed crash has come. @param {Fault} fault @param {Stage} stage */
export const hasFired = ({ side }, { world }) => existsSync(`${world[side].planFile}.done`)

/**
 * @param {Fault} fault @param {Stage} stage
 * @returns {Promise<number>} performance.now() when it was over.
 */
export async function inflict(fault, stage) {
  const { world, isOwnRendezvous } = stage
  const node = world[fault.side]
  switch (fault.kind) {
    case 'killNode':
      return killNode(node, stage, [])
    case 'killNodeAndRedis':
      return killNode(node, stage, node.pids.redis)
    case 'killRedis':
      return killRedis(node, () => {})
    case 'killMachine':
      return killMachines([node], fault.ms, false, stage)
    case 'killEverything':
      return killMachines(world.nodes, fault.ms, true, stage)
    case 'killRendezvous':
      if (isOwnRendezvous) signal(world.sender.hostedRendezvous, 'SIGKILL')
      else {
        await world.killRendezvous(fault.withNode)
        await sleep(fault.ms / 4)
        await world.startRendezvous()
      }
      return performance.now()
    case 'crashPoint': {
      // It has happened: the node is on its way back.
      await node.ready()
      return performance.now()
    }
    case 'stopNode':
      return stop([node.pids.node], fault.ms)
    case 'stopRedis':
      return stop(node.pids.redis, fault.ms)
    case 'linkDown':
      world.network?.setLink(fault.side, false)
      await sleep(fault.ms)
      world.network?.setLink(fault.side, true)
      return performance.now()
    case 'changeAddress':
      world.network?.changeAddress(fault.side)
      return performance.now()
    case 'redisLostLastSecond':
      return killRedis(node, () => node.cutAof((size) => node.aofBytesAgo(LAST_SECOND_MS) ?? size), fault.withNode)
    case 'redisTruncated':
      return killRedis(node, () => node.cutAof((size) => size - fault.bytes), fault.withNode)
    case 'redisDeleted':
      return killRedis(node, () => node.deleteAof(), fault.withNode)
    case 'redisFlushed':
      await flush(node)
      return performance.now()
    case 'clockBack':
      node.shiftClock(-HOUR_MS)
      if (fault.withNode) return killNode(node, stage, [])
      return performance.now()
    default:
      throw new Error(`no fault is called ${fault.kind}`)
  }
}

/** @param {ChaosNode} node @param {Stage} stage @param {readonly number[]} redis */
async function killNode(node, { onDown }, redis) {
  const { node: pid, supervisor } = node.pids
  // Stopped, the supervisor sees the death only when the disk has been looked at.
  signal(supervisor, 'SIGSTOP')
  for (const victim of [pid, ...redis]) signal(victim, 'SIGKILL')
  await untilGone([pid, ...redis].filter((victim) => victim !== pid))
  await untilDead(pid)
  if (redis.length === 0) await onDown(node)
  signal(supervisor, 'SIGCONT')
  await node.ready(pid)
  return performance.now()
}

/** Its parent is stopped, so nobody reaps it: dead is enough. @param {number | undefined} pid */
const untilDead = (pid) => untilGone([pid])

/** @param {readonly ChaosNode[]} nodes @param {number} ms @param {boolean} withRendezvous @param {Stage} stage */
async function killMachines(nodes, ms, withRendezvous, { world, isOwnRendezvous }) {
  const victims = nodes.flatMap((node) => node.living)
  for (const victim of victims) signal(victim, 'SIGKILL')
  if (withRendezvous && !isOwnRendezvous) await world.killRendezvous(true)
  await untilGone(victims)
  // A process that was being started when the others died.
  for (const node of nodes) for (const pid of node.living) signal(pid, 'SIGKILL')
  await sleep(ms / 4)
  if (withRendezvous && !isOwnRendezvous) await world.startRendezvous()
  for (const node of nodes) node.start()
  for (const node of nodes) await node.ready()
  return performance.now()
}

/** Kills Redis and changes its files before it comes back. @param {ChaosNode} node @param {() => void} change */
async function killRedis(node, change, withNode = false) {
  const { node: pid, redis, supervisor } = node.pids
  const own = redis.filter(isRunning)
  // The node would start it again while its files are changed.
  signal(withNode ? supervisor : pid, 'SIGSTOP')
  if (withNode) signal(pid, 'SIGKILL')
  for (const victim of own) signal(victim, 'SIGKILL')
  await untilGone(withNode ? [...own, pid] : own)
  change()
  signal(withNode ? supervisor : pid, 'SIGCONT')
  if (withNode) await node.ready(pid)
  else await untilRedisAnswers(node, own)
  return performance.now()
}

/** @param {ChaosNode} node @param {readonly number[]} before */
async function untilRedisAnswers(node, before) {
  for (const deadline = performance.now() + REDIS_BACK_MS; performance.now() < deadline; await sleep(POLL_MS)) {
    const living = node.pids.redis.filter((pid) => !before.includes(pid) && isRunning(pid))
    if (living.length > 0 && (await withRedis(node, (redis) => redis.ping()).catch(() => '')) === 'PONG') return
  }
  throw new Error(`the Redis of the ${node.side} does not come back`)
}

/** @param {ChaosNode} node */
async function flush(node) {
  await withRedis(node, (redis) => redis.flushall())
}

/**
 * @template T @param {ChaosNode} node @param {(redis: Redis) => Promise<T>} action @returns {Promise<T>}
 */
export async function withRedis(node, action) {
  const path = node.redisSocket
  if (path === undefined) throw new Error('no Redis')
  const redis = new Redis({
    path,
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
  })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return await action(redis)
  } finally {
    redis.disconnect()
  }
}

/** @param {readonly (number | undefined)[]} pids @param {number} ms */
async function stop(pids, ms) {
  for (const pid of pids) signal(pid, 'SIGSTOP')
  await sleep(ms)
  for (const pid of pids) signal(pid, 'SIGCONT')
  return performance.now()
}
