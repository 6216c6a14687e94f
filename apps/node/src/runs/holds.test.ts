/** When a transfer runs: its start, its daily window, its turn, its deadline, and a disk that has to be mended. */

import { stateOfTransfer } from '@godwit/engine/domain/transfer/states'
import { UNSCHEDULED } from '@godwit/protocol/schedule'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RunWorld, type TestTransfer } from './testing/runWorld.js'

let world: RunWorld
beforeEach(async () => {
  world = await RunWorld.create()
})
afterEach(() => world.dispose())

const HOUR_MS = 3_600_000
const by = 'tester'

const stateOf = async (transfer: TestTransfer) => stateOfTransfer((await transfer.projection()).transfer)

/** The nth session, in which the receiver has begun. */
const begun = async (number: number) => {
  const session = await world.network.session(number)
  await world.network.commanded(session.receiver, 'begin')
  return session
}

describe('a start that has not come', () => {
  const schedule = () => ({ ...UNSCHEDULED, startAt: Date.now() + HOUR_MS })

  test('holds the transfer, with a code that works, also over the death of its node', async () => {
    const sender = await world.node('sender').send({ chunks: 1, schedule: schedule() })
    const receiver = await world.node('receiver').receive(await sender.code(), true)
    await sender.until('ReceiverJoined')
    expect((await sender.until('Paused')).data).toEqual({ reason: 'scheduled', by: 'node' })
    expect(await stateOf(sender)).toBe('scheduled')
    sender.node.kill()
    await sender.node.start()
    expect(await stateOf(sender)).toBe('scheduled')
    expect(await receiver.types()).not.toContain('SessionOpened')
    sender.node.aheadMs = HOUR_MS
    await sender.node.slice()
    await sender.until('Resumed')
    world.network.finalize(await begun(1))
    await receiver.ended('completed')
    await sender.ended('completed')
  })

  test('is lifted by another schedule', async () => {
    const sender = await world.node('sender').send({ chunks: 1, schedule: schedule() })
    await sender.until('Paused')
    await sender.execute({ type: 'changeSchedule', schedule: UNSCHEDULED, by })
    expect((await sender.until('Resumed')).data).toEqual({ by: 'node' })
  })

  test('outlasts a pause of the user that is lifted', async () => {
    const sender = await world.node('sender').send({ chunks: 1, schedule: schedule() })
    await sender.until('Paused')
    await sender.execute({ type: 'pause', reason: 'user', by })
    expect(await stateOf(sender)).toBe('paused')
    await sender.execute({ type: 'resume', by })
    await sender.until('Paused', 3)
    expect(await stateOf(sender)).toBe('scheduled')
  })
})

test('a daily window that ends pauses a running transfer, and one that begins goes on with it', async () => {
  const window = { fromMinute: 22 * 60, toMinute: 6 * 60 }
  const node = world.node('sender')
  node.minuteOfDay = 23 * 60
  const sender = await node.send({ chunks: 2, schedule: { ...UNSCHEDULED, window } })
  const receiver = await world.node('receiver').receive(await sender.code(), true)
  await begun(1)
  node.minuteOfDay = 6 * 60
  await node.slice()
  expect((await sender.until('Paused')).data).toEqual({ reason: 'window', by: 'node' })
  await receiver.until('SessionLost')
  node.minuteOfDay = 22 * 60
  await node.slice()
  await sender.until('Resumed')
  world.network.finalize(await begun(2))
  await receiver.ended('completed')
})

test('who finds every place taken is queued, and the first of the queue is that of the highest priority', async () => {
  const node = world.node('sender')
  node.maxSending = 1
  node.kill()
  await node.start()
  const sends = []
  for (const [name, priority] of [
    ['running', 5],
    ['low', 2],
    ['high', 5],
  ] as const) {
    const send = await node.send({ chunks: 1, name, priority })
    const receiver = await world.node(`receiver-${name}`).receive(await send.code(), true)
    await send.until(name === 'running' ? 'Accepted' : 'Paused')
    sends.push({ send, receiver })
  }
  const [running, low, high] = sends as [(typeof sends)[0], (typeof sends)[0], (typeof sends)[0]]
  expect([await stateOf(low.send), await stateOf(high.send)]).toEqual(['queued', 'queued'])
  await low.send.execute({ type: 'changePriority', priority: 9, by })
  world.network.finalize(await begun(1))
  await running.send.ended('completed')
  world.network.finalize(await begun(2))
  await low.receiver.ended('completed')
  world.network.finalize(await begun(3))
  await high.receiver.ended('completed')
  await high.send.ended('completed')
})

describe('a deadline', () => {
  test('that passes fails the transfer, and another one lets a retry go on', async () => {
    const node = world.node('sender')
    const sender = await node.send({ chunks: 1, schedule: { ...UNSCHEDULED, deadline: Date.now() + HOUR_MS } })
    await sender.code()
    node.aheadMs = HOUR_MS
    await node.slice()
    expect((await sender.until('TransferFailed')).data.code).toBe('ERR_DEADLINE')
    await sender.execute({ type: 'changeSchedule', schedule: UNSCHEDULED, by })
    await sender.execute({ type: 'retry', by })
    expect(await stateOf(sender)).toBe('waitingForPeer')
  })

  test('makes a pause of what can be mended', async () => {
    const sender = await world
      .node('sender')
      .send({ chunks: 1, schedule: { ...UNSCHEDULED, deadline: Date.now() + HOUR_MS } })
    await sender.code()
    await sender.execute({ type: 'fail', code: 'ERR_RENDEZVOUS_REFUSED', detail: null })
    const failure = { code: 'ERR_RENDEZVOUS_REFUSED', detail: null }
    expect((await sender.until('Paused')).data).toEqual({ reason: 'retry', by: 'node', failure })
    await sender.until('Resumed')
    expect(await stateOf(sender)).toBe('waitingForPeer')
  })
})

test('a disk of the receiver that fails pauses it, is told on both sides, and is tried again', async () => {
  const { sender, receiver } = await world.pair()
  const session = await begun(1)
  const failure = { code: 'ERR_DISK_IO', detail: 'writing failed (EIO)' } as const
  session.receiver.reportAsReceiver({ type: 'failed', failure })
  session.sender.reportAsSender({ type: 'peerFailed', failure: { code: failure.code } })
  expect((await receiver.until('Paused')).data).toEqual({ reason: 'disk', by: 'node', failure })
  expect((await sender.until('SessionLost')).data.reason).toBe('ERR_DISK_IO')
  await receiver.until('Resumed')
  world.network.finalize(await begun(2))
  await receiver.ended('completed')
  await sender.ended('completed')
  expect(await sender.types()).not.toContain('TransferFailed')
})

test('a source that cannot be read now pauses the sender, and its receiver waits for it', async () => {
  const { sender, receiver } = await world.pair()
  const session = await begun(1)
  session.sender.reportAsSender({ type: 'failed', failure: { code: 'ERR_DISK_IO' } })
  session.receiver.reportAsReceiver({ type: 'peerFailed', failure: { code: 'ERR_DISK_IO' } })
  expect((await sender.until('Paused')).data.reason).toBe('disk')
  await sender.until('Resumed')
  world.network.finalize(await begun(2))
  await receiver.ended('completed')
  await sender.ended('completed')
  expect(await receiver.types()).not.toContain('TransferFailed')
})
