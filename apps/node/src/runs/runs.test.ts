/** Runs of both sides against each other: what each does when the other, the room or itself goes away. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MemorySession } from './testing/memorySessions.js'
import { RunWorld, type TestTransfer } from './testing/runWorld.js'

let world: RunWorld
beforeEach(async () => {
  world = await RunWorld.create()
})
afterEach(() => world.dispose())

/** The session number `count`, in which the receiver has begun. */
const receiving = async (count = 1): Promise<MemorySession> => {
  const session = await world.network.session(count)
  await world.network.commanded(session.receiver, 'begin')
  return session
}

/** Lets the session number `count` carry everything, and waits until both sides know. */
const complete = async (sender: TestTransfer, receiver: TestTransfer, count = 1): Promise<void> => {
  world.network.finalize(await receiving(count))
  await receiver.until('TransferCompleted')
  await sender.until('TransferCompleted')
  await world.rooms.closed()
}

describe('a transfer', () => {
  test('goes from enqueueing to completion on both sides, and closes its room', async () => {
    const { sender, receiver } = await world.pair()
    await complete(sender, receiver)
    expect(await sender.types()).toContain('ChunksAcked')
    expect(sender.node.records.get(sender.id)?.ended).toBe('completed')
  })

  test('goes on in another session when one breaks', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    world.network.checkpoint(session, [[0, 1]])
    await sender.until('ChunksAcked')
    world.network.cut(session)
    await complete(sender, receiver, 2)
    expect((await sender.projection()).transfer).toMatchObject({ run: { receivers: [{ acked: [[0, 3]] }] } })
  })
})

describe('a sender that was killed', () => {
  test('before it recorded the completion hears of it again', async () => {
    const { sender, receiver } = await world.pair()
    const dead = sender.node.diesBefore('ReceiverCompleted')
    const session = await receiving()
    world.network.finalize(session)
    await dead
    await sender.node.start()
    world.network.cut(session)
    await sender.until('TransferCompleted')
    await receiver.ended('completed')
  })
})
