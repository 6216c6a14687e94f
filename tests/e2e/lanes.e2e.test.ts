/** Sessions over several lanes and over sockets without the kernel's help: the same transfer, seen by its user. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSameFile, randomFile } from './harness/files.js'
import { type TestNode, World } from './harness/world.js'

type Environment = Readonly<Record<string, string>>

const MIB = 1024 * 1024
const FILE_BYTES = 96 * MIB

let world: World
let path: string
beforeAll(async () => {
  world = await World.create()
  path = randomFile(join(world.folder, 'in', 'cargo'), FILE_BYTES)
})
afterAll(() => world.dispose())

/** Sends the file and waits until both sides have completed; the sender's view of it. */
const deliver = async (sender: TestNode, receiver: TestNode, name: string, ...flags: string[]) => {
  const output = await world.dir(`out-${name}`)
  const { id, code } = await sender.send([path], ...flags)
  const { exitCode, stderr } = await receiver.receive(code, output).finished()
  expect(exitCode, stderr).toBe(0)
  expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
  return sender.state(id, ['completed'])
}

test('four lanes carry one transfer', async () => {
  const view = await deliver(world.node('s1'), world.node('r1'), 'four', '--lanes', '4', '--limit', '60MB/s')
  expect(view['session']).toMatchObject({ lanes: 4, trains: true, isOpen: false })
})

test('a transfer over lanes outlives its receiving node', async () => {
  const [sender, receiver] = [world.node('s2'), world.node('r2')]
  const output = await world.dir('out-killed')
  const { id, code } = await sender.send([path], '--lanes', '3', '--limit', '20MB/s')
  const receive = receiver.start(
    ['receive', '--code-stdin', '--output', output, '--yes', '--detach', '--json'],
    `${code}\n`,
  )
  const { transferId } = await receive.line('transfer.enqueued')
  const follow = receiver.start(['events', transferId, '--follow', '--json'])
  await follow.line('event', (line) => line['event'] === 'ChunksAcked')
  follow.kill('SIGTERM')
  await receiver.respawned(receiver.killNode())
  await receiver.state(transferId, ['completed'], 90_000)
  await sender.state(id, ['completed'])
  expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
})

describe('where the kernel or the processor helps less', () => {
  test.each<[name: string, sender: Environment, receiver: Environment]>([
    ['the receiver has no trains', {}, { GODWIT_TRAINS: 'off' }],
    ['the sender has no trains', { GODWIT_TRAINS: 'off' }, {}],
    ['the sender has no native crypto', { GODWIT_NATIVE: 'off' }, {}],
    [
      'neither has either',
      { GODWIT_TRAINS: 'off', GODWIT_NATIVE: 'off' },
      { GODWIT_TRAINS: 'off', GODWIT_NATIVE: 'off' },
    ],
  ])('%s, and the file arrives', async (name, ours, theirs) => {
    const short = name.replaceAll(' ', '-')
    const sender = world.node(`s-${short}`, { environment: ours })
    const receiver = world.node(`r-${short}`, { environment: theirs })
    const view = await deliver(sender, receiver, short)
    expect(view['session']).toMatchObject({ trains: ours['GODWIT_TRAINS'] !== 'off' })
  })
})
