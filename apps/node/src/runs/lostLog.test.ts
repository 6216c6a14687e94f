/** A log that loses events, or everything, under a transfer: the record, the room and the disk give back what counts. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemorySession } from './testing/memorySessions.js'
import { RunWorld, type TestNode, type TestTransfer } from './testing/runWorld.js'

let world: RunWorld
beforeEach(async () => {
  world = await RunWorld.create()
})
afterEach(() => world.dispose())

const receiving = async (count = 1): Promise<MemorySession> => {
  const session = await world.network.session(count)
  await world.network.commanded(session.receiver, 'begin')
  return session
}

/** Both sides in the middle of their first session, with something durable. */
const underWay = async () => {
  const pair = await world.pair()
  const session = await receiving()
  world.network.checkpoint(session, [[0, 1]])
  await pair.receiver.until('ChunksAcked')
  await pair.sender.until('ChunksAcked')
  return { ...pair, session }
}

const complete = async (sender: TestTransfer, receiver: TestTransfer, count: number): Promise<void> => {
  world.network.finalize(await receiving(count))
  await receiver.until('TransferCompleted')
  await sender.until('TransferCompleted')
  await sender.ended('completed')
  await receiver.ended('completed')
}

/** The log of a node that runs is emptied, and the node looks. */
const empty = async (node: TestNode): Promise<void> => {
  await node.loseLog()
  await node.logWatch({ look: async () => 'begunAnew' }).look()
}

describe('a log that is lost while its node is down', () => {
  test('is built again on the sender, which finds its receiver in the room', async () => {
    const { sender, receiver, session } = await underWay()
    sender.node.kill()
    await sender.node.loseLog()
    await sender.node.start()
    // The receiver does not know that its session is dead: it is asked to come.
    await world.network.commanded(session.receiver, 'close')
    await complete(sender, receiver, 2)
    expect((await sender.types())[0]).toBe('TransferEnqueued')
  })

  test('is built again on the receiver, who is not asked twice', async () => {
    const { sender, receiver } = await underWay()
    receiver.node.kill()
    await receiver.node.loseLog()
    await receiver.node.start()
    await complete(sender, receiver, 2)
    expect(await receiver.types()).toContain('Accepted')
  })

  test('together with the room does not make the code void', async () => {
    const { sender, receiver } = await underWay()
    const code = await sender.code()
    sender.node.kill()
    await sender.node.loseLog()
    world.rooms.lose()
    await sender.node.start()
    await complete(sender, receiver, 2)
    expect(code.split('-')[0]).toBe(sender.node.records.get(sender.id)?.nameplate)
  })

  test('is told by the record that the transfer was complete', async () => {
    const { sender, receiver } = await underWay()
    world.network.finalize(await receiving())
    await receiver.ended('completed')
    await sender.ended('completed')
    for (const { node } of [sender, receiver]) {
      node.kill()
      await node.loseLog()
      await node.start()
    }
    await sender.until('TransferCompleted')
    await receiver.until('TransferCompleted')
    expect(await receiver.types()).toEqual(['TransferEnqueued', 'TransferCompleted'])
  })

  test('does not receive again what has its name, though nobody recorded that in time', async () => {
    const { sender, receiver } = await underWay()
    receiver.node.kill()
    receiver.node.records.writeFiles(receiver.id, [{ path: 'cargo', size: 3, blake3: '' }])
    rmSync(join(receiver.node.dir, 'out', `.godwit-${receiver.id}`), { recursive: true, force: true })
    await receiver.node.loseLog()
    await receiver.node.start()
    await receiver.until('TransferCompleted')
    const session = await world.network.session(2)
    await world.network.commanded(session.receiver, 'announceCompletion')
    expect(await sender.types()).not.toContain('TransferFailed')
  })
})

describe('a log that is lost while its node runs', () => {
  test('is built again on the sender', async () => {
    const { sender, receiver } = await underWay()
    await empty(sender.node)
    await complete(sender, receiver, 2)
  })

  test('is built again on the receiver', async () => {
    const { sender, receiver } = await underWay()
    await empty(receiver.node)
    await complete(sender, receiver, 2)
  })

  test('is left alone as long as it has lost nothing', async () => {
    const { sender, receiver, session } = await underWay()
    const before = await sender.types()
    await sender.node.logWatch({ look: async () => 'cameBack' }).look()
    await sender.node.logWatch({ look: async () => 'same' }).look()
    expect(await sender.types()).toEqual(before)
    world.network.finalize(session)
    await receiver.until('TransferCompleted')
    await sender.until('TransferCompleted')
  })
})
