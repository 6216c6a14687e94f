/** The limit of a transfer with several receivers: one for all of them together. */
import { afterEach, beforeEach, test } from 'vitest'
import type { MemorySession } from './testing/memorySessions.js'
import { RunWorld, type TestTransfer } from './testing/runWorld.js'

const by = 'user'

let world: RunWorld
let sender: TestTransfer
beforeEach(async () => {
  world = await RunWorld.create()
  sender = await world.node('sender').send({ chunks: 1, capacity: 3, receivers: 4, limit: 9000 })
})
afterEach(() => world.dispose())

/** A receiver that comes, and its session, in which it has begun. */
const arrive = async (number: number): Promise<MemorySession> => {
  await world.node(`receiver${number}`).receive(await sender.code(), true)
  const session = await world.network.session(number)
  await world.network.commanded(session.receiver, 'begin')
  await sender.until('Accepted', number)
  return session
}

const limited = async (sessions: readonly MemorySession[], limits: readonly (number | null)[]): Promise<void> => {
  const isSo = (): boolean => sessions.every((session, index) => session.sender.limit === limits[index])
  while (!isSo()) await world.changed()
}

test('is shared among those that are served, and what one leaves goes to the others', async () => {
  const first = await arrive(1)
  await limited([first], [9000])
  const second = await arrive(2)
  await limited([first, second], [4500, 4500])
  const third = await arrive(3)
  await limited([first, second, third], [3000, 3000, 3000])
  world.network.finalize(third)
  await sender.until('ReceiverCompleted')
  await limited([first, second], [4500, 4500])
  world.network.cut(second)
  await sender.until('SessionLost')
  await limited([first], [9000])
})

test('is shared anew when it is changed', async () => {
  const sessions = [await arrive(1), await arrive(2)]
  await sender.execute({ type: 'changeLimit', limit: 1000, by })
  await limited(sessions, [500, 500])
  await sender.execute({ type: 'changeLimit', limit: null, by })
  await limited(sessions, [null, null])
})

test('is not shared with one that has not accepted', async () => {
  const first = await arrive(1)
  await world.node('undecided').receive(await sender.code(), false)
  const undecided = await world.network.session(2)
  await sender.until('Offered', 2)
  await limited([first, undecided], [9000, 4500])
})
