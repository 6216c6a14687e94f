/** A transfer outlives what dies on the way: a node, its Redis, both; on either side. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isSameFile, randomFile } from './harness/files.js'
import { QUEUES, queuesThatWorked } from './harness/queues.js'
import { type TestNode, World } from './harness/world.js'

const MIB = 1024 * 1024
/** What may be sent again after a crash: the checkpoint's distance. */
const SENT_AGAIN_MAX_BYTES = 64 * MIB
const FILE_BYTES = 160 * MIB
const RECOVERY_MS = 90_000

let world: World
let path: string
let sender: TestNode
let receiver: TestNode
let pairs = 0
let outputs = 0

beforeAll(async () => {
  world = await World.create()
  path = randomFile(join(world.folder, 'in', 'cargo'), FILE_BYTES)
})
afterAll(() => world.dispose())
beforeEach(() => {
  pairs++
  sender = world.node(`s${pairs}`)
  receiver = world.node(`r${pairs}`)
})

/** Starts a transfer of some seconds and waits until the first chunks are durable. */
const begin = async () => {
  const output = await world.dir(`out${outputs++}`)
  const { id, code } = await sender.send([path], '--limit', '40MB/s')
  const receive = receiver.start(
    ['receive', '--code-stdin', '--output', output, '--yes', '--detach', '--json'],
    `${code}\n`,
  )
  const { transferId } = await receive.line('transfer.enqueued')
  const follow = receiver.start(['events', transferId, '--follow', '--json'])
  await follow.line('event', (line) => line['event'] === 'ChunksAcked')
  follow.kill('SIGTERM')
  return { id, receiverId: transferId as string, output }
}

/** Waits until both sides are done and checks what arrived and how much was sent for it. */
const expectDelivered = async ({ id, receiverId, output }: Awaited<ReturnType<typeof begin>>) => {
  await receiver.state(receiverId, ['completed'], RECOVERY_MS)
  const view = await sender.state(id, ['completed'], RECOVERY_MS)
  expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
  expect(view['retransmittedBytes']).toBeLessThanOrEqual(SENT_AGAIN_MAX_BYTES)
  const acked = (await receiver.events(receiverId)).filter((line) => line['event'] === 'ChunksAcked')
  const chunks = acked.flatMap((line) => line['data'].ranges as readonly (readonly [number, number])[])
  expect(chunks.reduce((sum, [, count]) => sum + count, 0)).toBe(FILE_BYTES / MIB)
}

describe('SIGKILL in the middle of a transfer', () => {
  test('of the receiving node', async () => {
    const transfer = await begin()
    await receiver.respawned(receiver.killNode())
    await expectDelivered(transfer)
    const events = (await receiver.events(transfer.receiverId)).map((line) => line['event'])
    expect(events.filter((event) => event === 'SessionOpened').length).toBeGreaterThan(1)
  })

  test('of the receiving node and its Redis, after which every queue of both sides has worked', async () => {
    const worked = async () => [...(await queuesThatWorked(receiver)), ...(await queuesThatWorked(sender))]
    // What is asked for again may still arrive by itself, before it is asked for: then a queue has nothing to do.
    for (let tries = 0; tries < 4 && (tries === 0 || (await worked()).length < 2 * QUEUES.length); tries++) {
      const transfer = await begin()
      const pid = receiver.killNode()
      receiver.killRedis()
      await receiver.respawned(pid)
      await expectDelivered(transfer)
    }
    expect(await worked()).toEqual([...QUEUES, ...QUEUES])
  })

  test('of the sending node, which hosts the rendezvous', async () => {
    const transfer = await begin()
    await sender.respawned(sender.killNode())
    await expectDelivered(transfer)
  })

  test('of the receiver’s Redis alone', async () => {
    const transfer = await begin()
    receiver.killRedis()
    await expectDelivered(transfer)
  })

  test('of the sender’s Redis alone', async () => {
    const transfer = await begin()
    sender.killRedis()
    await expectDelivered(transfer)
  })

  test('of both nodes at once', async () => {
    const transfer = await begin()
    const pids = [sender.killNode(), receiver.killNode()] as const
    await Promise.all([sender.respawned(pids[0]), receiver.respawned(pids[1])])
    await expectDelivered(transfer)
  })

  test('of the receiving node, three times', async () => {
    const transfer = await begin()
    for (let kill = 0; kill < 3; kill++) {
      await receiver.respawned(receiver.killNode())
      await receiver.state(transfer.receiverId, ['transferring', 'verifying', 'completed'], RECOVERY_MS)
    }
    await expectDelivered(transfer)
  })
})

test('a stopped node takes its transfers up again when it is started', async () => {
  const transfer = await begin()
  expect((await receiver.run(['node', 'stop', '--json'])).exitCode).toBe(0)
  expect(receiver.livingProcesses()).toEqual([])
  expect((await receiver.run(['node', 'start', '--json'])).exitCode).toBe(0)
  await expectDelivered(transfer)
})

test('garbage datagrams at the sockets of both nodes do no harm', async () => {
  const transfer = await begin()
  const ports = [sender, receiver].flatMap((node) => udpPortsOf(node))
  expect(ports.length).toBeGreaterThan(0)
  const socket = createSocket('udp4')
  for (let round = 0; round < 200; round++) {
    for (const port of ports) socket.send(randomBytes(1 + ((round * 37) % 1400)), port, '127.0.0.1')
    if (round % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  socket.close()
  await expectDelivered(transfer)
})

/** UDP ports that the node's process has bound, as ss(8) tells. */
const udpPortsOf = (node: TestNode): readonly number[] => {
  const pids = node.livingProcesses()
  return execFileSync('ss', ['-uanpH'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)))
    .map((line) => Number(/:(\d+)\s/.exec(line.replace(/^\S+\s+\S+\s+\S+\s+/, ''))?.[1]))
    .filter((port) => port > 0)
}
