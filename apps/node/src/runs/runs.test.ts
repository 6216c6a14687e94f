/** Runs of both sides against each other: what each does when the other, the room or itself goes away. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { stateOfTransfer } from '@godwit/engine/domain/transfer/states'
import { decodeHead } from '@godwit/protocol/handshakeMessages'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lastLineOf } from '../transfers/lines.js'
import type { MemorySession } from './testing/memorySessions.js'
import { RunWorld, type TestTransfer } from './testing/runWorld.js'

const by = 'user'

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
    await sender.ended('completed')
    await receiver.ended('completed')
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

  test('is not failed by a path that is missing for a while, once there was one', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    world.network.isBlocked = true
    world.network.cut(session)
    while (world.network.lonely.length < 2) await world.network.changed()
    for (const end of world.network.lonely) end.end('noPath', null)
    await sender.until('SessionLost')
    world.network.isBlocked = false
    await complete(sender, receiver, 2)
    expect(await sender.types()).not.toContain('TransferFailed')
    expect(await receiver.types()).not.toContain('TransferFailed')
  })

  test('is resumed by one handshake, however long it takes to find out addresses', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    const resumptions = () => world.rooms.messagesToOwner.filter((message) => decodeHead(message)?.name === 'r0').length
    const asked = world.rooms.questions
    world.rooms.holdQuestions()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      world.network.cut(session)
      while (resumptions() === 0) await vi.advanceTimersByTimeAsync(100)
      for (const count of [1, 2]) {
        await world.rooms.asked(asked + count)
        await vi.advanceTimersByTimeAsync(6000)
        world.rooms.answer()
      }
    } finally {
      vi.useRealTimers()
    }
    await complete(sender, receiver, 2)
    expect(resumptions()).toBe(1)
  })

  test('that was paused and resumed at one go says that its session is another one', async () => {
    const { sender, receiver } = await world.pair()
    await receiving()
    await sender.execute({ type: 'pause', reason: 'user', by })
    await sender.execute({ type: 'resume', by })
    await complete(sender, receiver, 2)
  })
})

describe('a file that changes while it is sent', () => {
  /** Everything but file 0 has arrived, and both sides have ended by that. */
  const endedWithoutIt = async (sender: TestTransfer, receiver: TestTransfer): Promise<void> => {
    for (const side of [receiver, sender]) {
      await side.until('TransferCompleted')
      await side.ended('completed')
      const { transfer } = await side.projection()
      expect(transfer).toMatchObject({ status: 'completed', missing: { files: 1, code: 'ERR_SOURCE_CHANGED' } })
      expect(stateOfTransfer(transfer)).toBe('failed')
      expect(side.node.records.get(side.id)?.missing).toMatchObject({ files: [[0, 1]] })
      expect(lastLineOf(await side.projection(), side.node.records)).toMatchObject({
        type: 'transfer.failed',
        code: 'ERR_SOURCE_CHANGED',
        missing: [{ code: 'ERR_SOURCE_CHANGED' }],
      })
    }
  }

  test('is left out on both sides', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    world.network.failFiles(session, [[0, 1]])
    await receiver.until('FilesFailed')
    world.network.finalize(session)
    await endedWithoutIt(sender, receiver)
  })

  test.each(['sender', 'receiver'] as const)(
    'is left out when the %s dies before the other hears of it',
    async (who) => {
      const { sender, receiver } = await world.pair()
      const dying = who === 'sender' ? sender : receiver
      const dead = dying.node.diesAfter('FilesFailed')
      const session = await receiving()
      world.network.failFiles(session, [[0, 1]])
      await dead
      world.network.cut(session)
      await dying.node.start()
      const next = await receiving(2)
      // The sender's log knew it before the receiver was told.
      expect(next.sender.started?.transfer).toMatchObject({ missing: { files: [[0, 1]] } })
      if (who === 'sender') world.network.leaveOut(next, [[0, 1]])
      await receiver.until('FilesFailed')
      world.network.finalize(next)
      await endedWithoutIt(sender, receiver)
    },
  )
})

describe('a sender that was killed', () => {
  test('after its completion was recorded closes its room when it is back, and the receiver hears of it', async () => {
    const { sender, receiver } = await world.pair()
    const dead = sender.node.diesAfter('TransferCompleted')
    const session = await receiving()
    world.network.finalize(session)
    await dead
    expect(receiver.node.records.get(receiver.id)?.isCompletionKnown).toBe(false)
    await sender.node.start()
    await world.rooms.closed()
    // What the rendezvous says counts when the session with the dead node has ended.
    world.network.cut(session)
    await receiver.ended('completed')
    await sender.ended('completed')
  })

  test('after its cancelling was recorded closes its room when it is back', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    const dead = sender.node.diesAfter('TransferCancelled')
    void sender.execute({ type: 'cancel', by })
    await dead
    await sender.node.start()
    await world.rooms.closed()
    world.network.cut(session)
    const failed = await receiver.until('TransferFailed')
    expect(failed.data.code).toBe('ERR_CANCELLED_BY_PEER')
  })

  test('between the handshake and the first path is met again at once, not after a path was looked for in vain', async () => {
    world.network.isBlocked = true
    const { sender, receiver } = await world.pair()
    while (world.network.lonely.length < 1) await world.network.changed()
    while (!world.network.lonely.some(({ role }) => role === 'receiver')) await world.network.changed()
    sender.node.kill()
    world.network.isBlocked = false
    await sender.node.start()
    await complete(sender, receiver)
  })

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

describe('a receiver that was killed', () => {
  test('after its cancelling was recorded leaves the room when it is back, and the sender hears of it', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    const dead = receiver.node.diesAfter('TransferCancelled')
    void receiver.execute({ type: 'cancel', by })
    await dead
    session.sender.end('idle', null)
    await receiver.node.start()
    const failed = await sender.until('TransferFailed')
    expect(failed.data.code).toBe('ERR_CANCELLED_BY_PEER')
    await receiver.ended('cancelled')
  })
})

describe('a receiver', () => {
  test('that gives up while no session stands is not waited for', async () => {
    const { sender, receiver } = await world.pair()
    await receiving()
    await receiver.execute({ type: 'pause', reason: 'user', by })
    await sender.until('SessionLost')
    await receiver.execute({ type: 'cancel', by })
    const failed = await sender.until('TransferFailed')
    expect(failed.data.code).toBe('ERR_CANCELLED_BY_PEER')
  })

  test('removes what it staged only when its session has let go of it', async () => {
    const { receiver } = await world.pair()
    const session = await receiving()
    const staging = join(receiver.node.dir, 'out', `.godwit-${receiver.id}`)
    mkdirSync(staging)
    session.receiver.isBusy = true
    await receiver.execute({ type: 'cancel', by })
    await world.network.commanded(session.receiver, 'close')
    while (world.rooms.room.members.size > 0 && world.rooms.openRooms > 0) await world.rooms.changed()
    expect(existsSync(staging)).toBe(true)
    session.receiver.rest()
    await receiver.ended('cancelled')
    expect(existsSync(staging)).toBe(false)
  })

  test('in a room that has served as many as were wanted is told so, and does not try for ever', async () => {
    const sender = await world.node('sender').send({ chunks: 3, capacity: 2, receivers: 1 })
    const code = await sender.code()
    const first = await world.node('first').receive(code, true)
    const one = await receiving(1)
    const second = await world.node('second').receive(code, true)
    await receiving(2)
    world.network.finalize(one)
    await first.until('TransferCompleted')
    await sender.until('TransferCompleted')
    const failed = await second.until('TransferFailed')
    expect(failed.data.code).toBe('ERR_ROOM_CLOSED')
  })

  test('that failed for good does not keep the next in line from its place', async () => {
    const sender = await world.node('sender').send({ chunks: 3, capacity: 1, receivers: 2 })
    const code = await sender.code()
    const first = await world.node('first').receive(code, true)
    const one = await receiving(1)
    const second = await world.node('second').receive(code, true)
    await second.until('ReceiverQueued')
    one.sender.reportAsSender({ type: 'peerFailed', failure: { code: 'ERR_INTEGRITY' } })
    one.receiver.reportAsReceiver({ type: 'failed', failure: { code: 'ERR_INTEGRITY' } })
    await first.until('TransferFailed')
    world.network.finalize(await receiving(2))
    await second.until('TransferCompleted')
    await first.execute({ type: 'retry', by })
    expect((await first.until('TransferFailed', 2)).data.code).toBe('ERR_RESUME_REFUSED')
  })

  test('goes on with a running session when the rendezvous has lost its rooms', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    world.rooms.lose()
    world.network.checkpoint(session, [[0, 1]])
    await receiver.until('ChunksAcked')
    await receiver.node.slice()
    world.network.finalize(session)
    await receiver.until('TransferCompleted')
    await sender.until('TransferCompleted')
    await receiver.ended('completed')
    await sender.ended('completed')
  })
})

describe('an offer that waits for its answer', () => {
  const offered = async () => {
    const { sender, receiver } = await world.pair({ yes: false })
    const session = await world.network.session(1)
    await receiver.until('Offered')
    await sender.until('Offered')
    const { data } = await receiver.until('Offered')
    const accept = () => receiver.execute({ type: 'accept', receiver: data.receiver })
    const decline = () => receiver.execute({ type: 'decline', receiver: data.receiver })
    return { sender, receiver, session, accept, decline }
  }

  test('is taken in the session that brought it', async () => {
    const { sender, receiver, accept } = await offered()
    await accept()
    await complete(sender, receiver)
  })

  test('is taken after the receiver was killed', async () => {
    const { sender, receiver, accept } = await offered()
    receiver.node.kill()
    await receiver.node.start()
    await accept()
    await complete(sender, receiver, 2)
  })

  test('is taken after the sender was killed', async () => {
    const { sender, receiver, session, accept } = await offered()
    sender.node.kill()
    await sender.node.start()
    await world.network.commanded(session.receiver, 'close')
    await accept()
    await complete(sender, receiver, 2)
  })

  test('is declined in its session, and the sender is told so', async () => {
    const { sender, decline } = await offered()
    await decline()
    expect((await sender.until('TransferFailed')).data.code).toBe('ERR_DECLINED')
    await world.rooms.closed()
  })

  test('is declined without a session, and the sender does not wait', async () => {
    const { sender, receiver, session, decline } = await offered()
    world.network.cut(session)
    await receiver.until('SessionLost')
    await decline()
    expect((await sender.until('TransferFailed')).data.code).toBe('ERR_CANCELLED_BY_PEER')
    await receiver.ended('failed')
    await sender.ended('failed')
  })
})

test('a pause that comes between a session and its offer does no harm', async () => {
  const { sender, receiver } = await world.pair()
  const session = await receiving()
  const sync = receiver.node.holdWakeUps()
  await receiver.execute({ type: 'pause', reason: 'user', by })
  const transfer = session.sender.started?.transfer
  const manifest = transfer?.role === 'sender' ? transfer.manifest : new Uint8Array()
  session.receiver.reportAsReceiver({ type: 'offered', manifest })
  session.receiver.reportAsReceiver({ type: 'checkpoint', ranges: [[0, 1]], bytes: 1 })
  await receiver.until('ChunksAcked')
  sync()
  await world.network.commanded(session.receiver, 'close')
  await receiver.execute({ type: 'resume', by })
  await complete(sender, receiver, 2)
})

test('a transfer that is cancelled while its room is being opened leaves no room open', async () => {
  const sender = await world.node('sender').send({ chunks: 1 })
  await world.rooms.opened(1)
  await sender.execute({ type: 'cancel', by })
  await sender.ended('cancelled')
  expect(world.rooms.openRooms).toBe(0)
})

test('what is removed as soon as it was cancelled leaves nothing staged', async () => {
  const { receiver } = await world.pair()
  const session = await receiving()
  const staging = join(receiver.node.dir, 'out', `.godwit-${receiver.id}`)
  mkdirSync(staging)
  session.receiver.isBusy = true
  await receiver.execute({ type: 'cancel', by })
  let isAbandoned = false
  const abandoning = receiver.node.runs.abandon(await receiver.projection()).then(() => {
    isAbandoned = true
  })
  await world.network.commanded(session.receiver, 'close')
  expect(isAbandoned).toBe(false)
  session.receiver.rest()
  await abandoning
  expect(existsSync(staging)).toBe(false)
})

describe('after a failure that can be mended', () => {
  /** Both sides have failed, because a file was not what was announced. */
  const failed = async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    session.receiver.reportAsReceiver({ type: 'failed', failure: { code: 'ERR_INTEGRITY' } })
    session.sender.reportAsSender({ type: 'peerFailed', failure: { code: 'ERR_INTEGRITY' } })
    await sender.until('TransferFailed')
    await receiver.until('TransferFailed')
    return { sender, receiver }
  }

  test('a retry of the receiver takes the sender up with it', async () => {
    const { sender, receiver } = await failed()
    await receiver.execute({ type: 'retry', by })
    await complete(sender, receiver, 2)
  })

  test('a retry of the receiver finds a sender that was started again meanwhile', async () => {
    const { sender, receiver } = await failed()
    sender.node.kill()
    await sender.node.start()
    await receiver.execute({ type: 'retry', by })
    await complete(sender, receiver, 2)
  })

  test('a retry of both, the sender first, goes on', async () => {
    const { sender, receiver } = await failed()
    await sender.execute({ type: 'retry', by })
    await receiver.execute({ type: 'retry', by })
    await complete(sender, receiver, 2)
  })
})

test('a failed transfer that is removed leaves nobody waiting in its room', async () => {
  const { sender, receiver } = await world.pair()
  const session = await receiving()
  session.sender.reportAsSender({ type: 'failed', failure: { code: 'ERR_INTEGRITY' } })
  await sender.until('TransferFailed')
  await sender.node.runs.abandon(await sender.projection())
  expect(sender.node.runs.active).toEqual([])
  expect((await receiver.until('TransferFailed')).data.code).toBe('ERR_CANCELLED_BY_PEER')
})

describe('a session that breaks the protocol', () => {
  test('fails the transfer instead of being tried again and again', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    session.sender.end('closedByUs', 'protocol')
    session.receiver.end('closedByPeer', 'protocol')
    expect((await receiver.until('TransferFailed')).data.code).toBe('ERR_PEER_PROTOCOL')
    expect((await sender.until('TransferFailed')).data.code).toBe('ERR_PEER_PROTOCOL')
  })
})

describe('a log that takes no writes for a while', () => {
  test('costs a receiver its session and nothing else', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    receiver.node.events.refusal = new Error('OOM command not allowed')
    world.network.checkpoint(session, [[0, 2]])
    await world.network.commanded(session.receiver, 'close')
    receiver.node.events.refusal = undefined
    await complete(sender, receiver, 2)
  })

  test('costs a sender its session and nothing else', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    sender.node.events.refusal = new Error('OOM command not allowed')
    world.network.checkpoint(session, [[0, 2]])
    await world.network.commanded(session.sender, 'close')
    sender.node.events.refusal = undefined
    await complete(sender, receiver, 2)
  })

  test('does not make a run deaf to its room', async () => {
    const sender = await world.node('sender').send({ chunks: 3 })
    const code = await sender.code()
    sender.node.events.refusal = new Error('OOM command not allowed')
    const receiver = await world.node('receiver').receive(code, true)
    while (world.rooms.room.members.size === 0) await world.rooms.changed()
    sender.node.events.refusal = undefined
    await complete(sender, receiver)
  })
})

test('a node stops although its log does not answer', async () => {
  const { receiver } = await world.pair()
  const session = await receiving()
  receiver.node.events.isAway = true
  world.network.checkpoint(session, [[0, 1]])
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    let isStopped = false
    const stopping = receiver.node.stop().then(() => {
      isStopped = true
    })
    await world.network.commanded(session.receiver, 'close')
    for (let step = 0; step < 100 && !isStopped; step++) await vi.advanceTimersByTimeAsync(100)
    expect(isStopped).toBe(true)
    await stopping
  } finally {
    vi.useRealTimers()
  }
})

describe('while the rendezvous is out of reach', () => {
  test('a sender tries again once at a time, however often it is woken', async () => {
    world.rooms.isReachable = false
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const sender = await world.node('sender').send({ chunks: 1 })
      await world.rooms.opened(1)
      for (let wake = 0; wake < 20; wake++) await sender.node.slice()
      expect(vi.getTimerCount()).toBe(1)
      world.rooms.isReachable = true
      await vi.runOnlyPendingTimersAsync()
      await sender.until('RoomEntered')
    } finally {
      vi.useRealTimers()
    }
  })

  test('a room is closed later', async () => {
    const { sender, receiver } = await world.pair()
    const session = await receiving()
    world.rooms.isReachable = false
    await sender.execute({ type: 'cancel', by })
    await world.network.commanded(session.sender, 'close')
    await sender.node.slice()
    world.rooms.isReachable = true
    await sender.node.slice()
    await world.rooms.closed()
    await sender.ended('cancelled')
    await receiver.until('TransferFailed')
  })
})
