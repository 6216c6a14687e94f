/** What a rendezvous that lies can do to a transfer that runs: nothing; and what a crowd of guessers gets: no more guesses. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { blake3, randomFile } from './harness/files.js'
import { HostileRendezvous } from './harness/hostileRendezvous.js'
import { Stranger } from './harness/stranger.js'
import { type TestNode, World } from './harness/world.js'

let world: World
let path: string
let hostile: HostileRendezvous | undefined

beforeAll(async () => {
  world = await World.create()
  path = randomFile(join(world.folder, 'cargo'), 16 * 1024 * 1024)
})
afterAll(() => world.dispose())
afterEach(async () => {
  await hostile?.stop()
  hostile = undefined
})

const LIES_EVERY_MS = 150
/** Rendezvous' that were started. */
let started = 0

/** Says `lie` again and again until the transfer has come to its end; how often that was. */
const lieUntil = async (end: Promise<unknown>, lie: () => void): Promise<number> => {
  let isOver = false
  const over = (): void => {
    isOver = true
  }
  void end.then(over, over)
  let lies = 0
  for (; !isOver; lies += 1) {
    lie()
    await sleep(LIES_EVERY_MS)
  }
  return lies
}

const sessionsOf = async (node: TestNode, id: string): Promise<number> =>
  (await node.events(id)).filter(({ event }) => event === 'SessionOpened').length

describe('a rendezvous that lies to the receiver', () => {
  test.each([
    ['that the sender is there again', (one: HostileRendezvous) => one.sayMessage('owner', Uint8Array.of(0x7f))],
    [
      'that its code was wrong',
      (one: HostileRendezvous) => {
        for (const receiver of one.receivers) one.sayEvent('ReceiverLeft', { receiver, reason: 'wrongCode' })
      },
    ],
    ['that the sender has cancelled', (one: HostileRendezvous) => one.sayEvent('RoomClosed', { reason: 'cancelled' })],
    ['that the room is locked', (one: HostileRendezvous) => one.sayEvent('RoomLocked', {})],
  ])('%s does not touch a session that works', async (_lie, lie) => {
    const [sender, receiver] = [world.node('s'), world.node('r')]
    const { id, code } = await sender.send([path], '--limit', '4MB/s')
    const [words = '', address = ''] = code.split('@')
    hostile = await HostileRendezvous.start(`http://${address}`)
    const output = await world.dir(`out-${id}`)
    const receive = receiver.receive(`${words}@${hostile.address}`, output)
    const { transferId } = await receive.line('transfer.enqueued')
    await receive.line('transfer.progress', ({ state }) => state === 'transferring')
    const liar = hostile
    const finished = receive.finished()
    expect(await lieUntil(finished, () => lie(liar))).toBeGreaterThan(5)
    const { exitCode, stderr } = await finished
    expect(exitCode, stderr).toBe(0)
    expect(blake3(join(output, 'cargo'))).toBe(blake3(path))
    expect(await sessionsOf(receiver, transferId)).toBe(1)
    await sender.state(id, ['completed'])
  })
})

describe('a rendezvous that lies to the sender', () => {
  test.each([
    [
      'that its receiver has left',
      (one: HostileRendezvous) => {
        for (const receiver of one.receivers) one.sayEvent('ReceiverLeft', { receiver, reason: 'left' })
      },
    ],
    ['that the room has expired', (one: HostileRendezvous) => one.sayEvent('RoomClosed', { reason: 'expired' })],
  ])('%s does not touch a session that works', async (_lie, lie) => {
    const [sender, receiver] = [world.node('s'), world.node('r')]
    const dataDir = await world.dir(`v${started++}`)
    const rendezvous = sender.start(['rendezvous', '--listen', '127.0.0.1:0', '--data-dir', dataDir, '--json'])
    const { url } = await rendezvous.line('rendezvous.ready')
    hostile = await HostileRendezvous.start(url)
    const { id, code } = await sender.send([path], '--limit', '4MB/s', '--rendezvous', `http://${hostile.address}`)
    const output = await world.dir(`out-${id}`)
    const receive = receiver.receive(code, output, '--rendezvous', url)
    await receive.line('transfer.progress', ({ state }) => state === 'transferring')
    const liar = hostile
    const finished = receive.finished()
    expect(await lieUntil(finished, () => lie(liar))).toBeGreaterThan(5)
    const { exitCode, stderr } = await finished
    expect(exitCode, stderr).toBe(0)
    await sender.state(id, ['completed'])
    expect(await sessionsOf(sender, id)).toBe(1)
    rendezvous.kill('SIGTERM')
    await rendezvous.finished()
  })
})

describe('strangers who know the number of a room', () => {
  /** The rendezvous that a code leads to, and its nameplate. */
  const placeOf = (code: string): { readonly url: string; readonly nameplate: string } => {
    const [words = '', address = ''] = code.split('@')
    return { url: `http://${address}`, nameplate: words.split('-')[0] ?? '' }
  }

  test('get twenty guesses together, also when all of them begin before the first is judged', async () => {
    const sender = world.node('s')
    const { id, code } = await sender.send([path], '--capacity', '30', '--receivers', '1')
    const { url, nameplate } = placeOf(code)
    const strangers = await Promise.all(Array.from({ length: 26 }, () => Stranger.join(url, nameplate)))
    const guesses = await Promise.all(strangers.map((stranger) => stranger.prepareGuess()))
    await Promise.all(guesses.map((guess) => guess()))
    const failed = await sender.state(id, ['failed'])
    expect(failed['reason'].code).toBe('ERR_ROOM_LOCKED')
    const events = (await sender.events(id)).map(({ event }) => event)
    expect(events.filter((event) => event === 'GuessFailed')).toHaveLength(20)
    expect(events.filter((event) => event === 'RoomLocked')).toHaveLength(1)
    const { exitCode } = await world
      .node('r')
      .receive(code, await world.dir('locked'))
      .finished()
    expect(exitCode).toBe(4)
  })

  test('do not keep the right receiver waiting by holding its place', async () => {
    const [sender, receiver] = [world.node('s'), world.node('r')]
    const { id, code } = await sender.send([path])
    const { url, nameplate } = placeOf(code)
    await (await Stranger.join(url, nameplate)).admitted()
    const receive = receiver.receive(code, await world.dir('late'))
    await receive.line('transfer.progress', ({ state }) => state === 'waitingInLine')
    const { exitCode, stderr } = await receive.finished(90_000)
    expect(exitCode, stderr).toBe(0)
    await sender.state(id, ['completed'])
  })
})
