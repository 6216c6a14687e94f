/** Between hosts: directly, through two NATs, and where no path exists. Each host is a network namespace. */
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isSameFile, randomFile } from './harness/files.js'
import { Network, namespacesMissing, skipsNamespaces } from './harness/network.js'
import { World } from './harness/world.js'

const FILE_BYTES = 9 * 1024 * 1024 + 123
const RENDEZVOUS_PORT = 4907

describe.skipIf(skipsNamespaces())('network namespaces', () => {
  let world: World
  let path: string
  let network: Network | undefined

  beforeEach(async () => {
    expect(namespacesMissing()).toBeUndefined()
    world = await World.create()
    path = randomFile(join(world.folder, 'cargo'), FILE_BYTES)
  })
  afterEach(async () => {
    await world.dispose()
    network?.dispose()
  })

  test('two hosts on one cable need nothing but the code', async () => {
    const hosts = Network.direct()
    network = hosts.network
    const sender = world.node('s', { namespace: hosts.left })
    const receiver = world.node('r', { namespace: hosts.right })
    const { code } = await sender.send([path])
    expect(code).toContain('@10.71.0.1:')
    const output = await world.dir('out')
    const { exitCode, stderr } = await receiver.receive(code, output).finished()
    expect(exitCode, stderr).toBe(0)
    expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
  })

  test('two hosts behind NATs meet at a rendezvous outside and send directly', async () => {
    const hosts = Network.behindNats()
    network = hosts.network
    const rendezvous = world.node('v', { namespace: hosts.outside })
    const meeting = rendezvous.start(['rendezvous', '--listen', `192.0.2.2:${RENDEZVOUS_PORT}`, '--json'])
    await meeting.line('rendezvous.ready')
    const environment = { GODWIT_RENDEZVOUS: `http://192.0.2.2:${RENDEZVOUS_PORT}` }
    const sender = world.node('s', { namespace: hosts.left, environment })
    const receiver = world.node('r', { namespace: hosts.right, environment })
    const { id, code } = await sender.send([path])
    const output = await world.dir('out')
    const { exitCode, stderr } = await receiver.receive(code, output).finished()
    expect(exitCode, stderr).toBe(0)
    expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
    const opened = (await sender.events(id)).find((line) => line['event'] === 'SessionOpened')
    expect(opened?.['data'].path).not.toBe('host')
  })

  test('where UDP is dropped the receiver is told why, and a retry succeeds once it is let through', async () => {
    const hosts = Network.direct()
    network = hosts.network
    network.dropUdp(hosts.right)
    const sender = world.node('s', { namespace: hosts.left })
    const receiver = world.node('r', { namespace: hosts.right })
    const { id, code } = await sender.send([path])
    const output = await world.dir('out')
    const receive = receiver.receive(code, output)
    const { exitCode, lines, stderr } = await receive.finished()
    expect(exitCode, stderr).toBe(7)
    expect(lines.at(-1)).toMatchObject({ type: 'transfer.failed', code: 'ERR_NO_PATH' })
    expect(lines.at(-1)?.['message']).toMatch(/firewall|NAT/)
    network.flushRules(hosts.right)
    const receiverId = lines[0]?.['transferId']
    if ((await sender.show(id))['state'] === 'failed') await sender.run(['retry', id, '--json'])
    expect((await receiver.run(['retry', receiverId, '--json'])).exitCode).toBe(0)
    await receiver.state(receiverId, ['completed'])
    await sender.state(id, ['completed'])
    expect(isSameFile(path, join(output, 'cargo'))).toBe(true)
  })
})
