/** When transfers run: a start, the queue and the node's limit, also over the death of the node. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isSameFile, randomFile } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

const MIB = 1024 * 1024

let world: World
let sender: TestNode
let receiver: TestNode

beforeAll(async () => {
  world = await World.create()
  sender = world.node('s')
  receiver = world.node('r')
})
afterAll(() => world.dispose())

test('a start that has not come is kept over SIGKILL, and lifted by the user', async () => {
  const path = randomFile(join(world.folder, 'in', 'later'), MIB)
  const { id, code } = await sender.send([path], '--start-at', '+2h', '--priority', '7')
  expect(await sender.state(id, ['scheduled'])).toMatchObject({ priority: 7, reason: { code: 'scheduled' } })
  const command = receiver.receive(code, await world.dir('later'))
  await command.line('transfer.enqueued')
  sender.killNode()
  const view = await sender.state(id, ['scheduled'])
  expect(view['schedule']['startAt']).toMatch(/^\d{4}-/)
  expect((await sender.run(['resume', id, '--json'])).exitCode).toBe(2)
  expect((await sender.run(['schedule', id, '--start-at', 'now', '--json'])).exitCode).toBe(0)
  expect((await command.finished()).exitCode, command.transcript).toBe(0)
  expect(isSameFile(path, join(world.folder, 'later', 'later'))).toBe(true)
  const events = await sender.events(id)
  expect(events.find(({ event }) => event === 'PriorityChanged')?.['data']).toEqual({ priority: 7, by: 'user' })
})

test('with one place the others are queued by priority, and what the node was told outlasts SIGKILL', async () => {
  expect((await sender.run(['node', 'sending', '1', '--json'])).exitCode).toBe(0)
  expect((await sender.run(['node', 'limit', '100kB/s', '--json'])).exitCode).toBe(0)
  const output = await world.dir('queue')
  const send = async (name: string, bytes: number, priority: string) => {
    const { id, code } = await sender.send([randomFile(join(world.folder, 'in', name), bytes)], '--priority', priority)
    const command = receiver.receive(code, output)
    await command.line('transfer.enqueued')
    return { id, command }
  }
  const running = await send('running', 64 * MIB, '5')
  await sender.state(running.id, ['transferring'])
  const low = await send('low', MIB, '2')
  await sender.state(low.id, ['queued'])
  const high = await send('high', MIB, '3')
  await sender.state(high.id, ['queued'])
  await sender.run(['priority', low.id, '9', '--json'])
  // It would have been over long ago without the limit.
  expect((await sender.show(running.id))['bytesDone']).toBeLessThan(32 * MIB)
  sender.killNode()
  expect((await sender.run(['node', 'start', '--json'])).lines[0]).toMatchObject({
    settings: { limit: 100_000, maxSending: 1 },
  })
  await sender.run(['node', 'limit', 'unlimited', '--json'])
  for (const { command } of [running, low, high]) {
    expect((await command.finished()).exitCode, command.transcript).toBe(0)
  }
  const startedAt = async (id: string): Promise<string> =>
    String((await sender.events(id)).find(({ event }) => event === 'ChunksAcked')?.['at'])
  expect((await startedAt(low.id)) < (await startedAt(high.id))).toBe(true)
})
