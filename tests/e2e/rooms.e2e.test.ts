/** A room of several: served side by side, each with its own fate, the others in line. */
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Command } from './harness/command.js'
import { isSameFile, randomFile } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

const MIB = 1024 * 1024

let world: World
let path: string
let sender: TestNode
let started = 0

beforeAll(async () => {
  world = await World.create()
  path = randomFile(join(world.folder, 'in', 'cargo'), 24 * MIB)
})
afterAll(() => world.dispose())
beforeEach(() => {
  sender = world.node(`s${started++}`)
})

interface Guest {
  readonly node: TestNode
  readonly output: string
  readonly receive: Command
}

const enter = async (code: string): Promise<Guest> => {
  const name = `r${started++}`
  const node = world.node(name)
  const output = await world.dir(`out-${name}`)
  return { node, output, receive: node.receive(code, output) }
}

const expectDelivered = async ({ receive, output }: Guest): Promise<void> => {
  const { exitCode, stderr } = await receive.finished()
  expect(exitCode, stderr).toBe(0)
  expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
}

describe('a room of several', () => {
  test('serves as many at once as it has places, and is complete when all of them are', async () => {
    const { id, code } = await sender.send([path], '--capacity', '3', '--limit', '100kB/s')
    const guests = await Promise.all([enter(code), enter(code), enter(code)])
    await Promise.all(guests.map(({ receive }) => receive.line('transfer.progress', isTransferring)))
    const { receivers } = await sender.state(id, ['transferring'])
    expect(receivers).toHaveLength(3)
    await sender.run(['limit', id, '12MB/s'])
    await Promise.all(guests.map(expectDelivered))
    const view = await sender.state(id, ['completed'])
    expect(view['receivers'].map(({ state }: { readonly state: string }) => state)).toEqual(Array(3).fill('completed'))
  })

  test('goes on for the others when one dies, and takes that one in again', async () => {
    const { id, code } = await sender.send([path], '--capacity', '2', '--limit', '6MB/s')
    const [first, second] = await Promise.all([enter(code), enter(code)])
    await Promise.all([first, second].map(({ receive }) => receive.line('transfer.progress', isTransferring)))
    const pid = first.node.killNode()
    await expectDelivered(second)
    expect((await sender.show(id))['state']).not.toBe('completed')
    await first.node.respawned(pid)
    await expectDelivered(first)
    await sender.state(id, ['completed'])
  })

  test('gives who comes late everything from the first byte', async () => {
    const { id, code } = await sender.send([path], '--capacity', '2', '--limit', '6MB/s')
    const early = await enter(code)
    await early.receive.line('transfer.progress', ({ bytesDone }) => bytesDone > 8 * MIB)
    const late = await enter(code)
    await Promise.all([expectDelivered(early), expectDelivered(late)])
    await sender.state(id, ['completed'])
  })

  test('tells those in line their place, and lets them in one after the other', async () => {
    const { id, code } = await sender.send([path], '--capacity', '1', '--receivers', '3', '--limit', '100kB/s')
    const first = await enter(code)
    await first.receive.line('transfer.progress', isTransferring)
    const second = await enter(code)
    await second.receive.line('transfer.progress', isAtPlace(1))
    const third = await enter(code)
    await third.receive.line('transfer.progress', isAtPlace(2))
    await sender.run(['limit', id, '12MB/s'])
    await expectDelivered(first)
    await third.receive.line('transfer.progress', isAtPlace(1))
    await expectDelivered(second)
    await expectDelivered(third)
    await sender.state(id, ['completed'])
  })
})

const isTransferring = ({ state }: { readonly [name: string]: unknown }): boolean => state === 'transferring'

const isAtPlace =
  (place: number) =>
  ({ state, receivers }: { readonly [name: string]: unknown }): boolean =>
    state === 'waitingInLine' && Array.isArray(receivers) && receivers[0]?.place === place
