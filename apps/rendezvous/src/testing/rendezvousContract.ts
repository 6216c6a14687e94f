/** What a rendezvous does, whatever its state lives on: run on memory and on a real Redis. */
import { assert } from '@godwit/protocol/assert'
import { MAILBOX_MAX_MESSAGES, MAILBOX_MESSAGE_MAX_BYTES, ROOM_CLOSED_TTL_MS } from '@godwit/protocol/limits'
import { joinRoomOutput, openRoomOutput } from '@godwit/protocol/rendezvousApi'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RendezvousOptions } from '../options.js'
import { type Answer, newToken, takeItems, tell } from './apiClient.js'
import { startTestServer, TestClock, type TestServer, type TestStores } from './testServer.js'

/** @param openStores - fresh stores; called again with the first ones' `again` for a restarted process. */
export const describeRendezvousContract = (
  name: string,
  openStores: (now: () => number) => TestStores & { readonly again: () => TestStores },
): void => {
  let clock: TestClock
  let opened: ReturnType<typeof openStores>
  let stores: TestStores
  let server: TestServer

  const restart = async (options?: Partial<RendezvousOptions>): Promise<void> => {
    await server.stop()
    await stores.close()
    stores = opened.again()
    server = await startTestServer({
      stores: stores.stores,
      now: clock.now,
      ...(options === undefined ? {} : { options }),
    })
  }

  beforeEach(async () => {
    clock = new TestClock()
    opened = openStores(clock.now)
    stores = opened
    server = await startTestServer({ stores: stores.stores, now: clock.now })
  })
  afterEach(async () => {
    await server.stop()
    await stores.close()
  })

  const openRoom = async (token: string, input: object = { capacity: 1 }) => {
    const answer = await server.api.mutate('rooms.open', token, input)
    assert(answer.ok, JSON.stringify(answer))
    return openRoomOutput.parse(answer.data)
  }
  const join = (token: string, nameplate: string) => server.api.mutate('rooms.join', token, { nameplate })
  const joinRoom = async (token: string, nameplate: string) => {
    const answer = await join(token, nameplate)
    assert(answer.ok, JSON.stringify(answer))
    return joinRoomOutput.parse(answer.data)
  }
  const command = (token: string, roomId: string, what: object) =>
    server.api.mutate('rooms.command', token, { roomId, command: what })
  const post = (token: string, roomId: string, text: string, to?: string) =>
    server.api.mutate('rooms.post', token, { roomId, body: Buffer.from(text).toString('base64'), to })
  const refusedWith = (answer: Answer): string => (answer.ok ? 'accepted' : answer.code)

  describe(`a rendezvous on ${name}`, () => {
    test('answers who it is', async () => {
      const { udpPort } = server.address
      expect(await server.api.query('server.info')).toMatchObject({
        ok: true,
        data: { name: 'godwit-rendezvous', udpPort },
      })
      expect((await fetch(`${server.address.url}/healthz`)).status).toBe(200)
      expect(udpPort).toBe(server.address.port)
    })

    test('opening and joining with the same token gets the same answer', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const room = await openRoom(owner)
      expect(await openRoom(owner)).toEqual(room)
      expect(room.nameplate).toMatch(/^[1-9][0-9]{0,5}$/)
      const joined = await joinRoom(receiver, room.nameplate)
      expect(joined.roomId).toBe(room.roomId)
      expect(await joinRoom(receiver, room.nameplate)).toEqual(joined)
      await command(owner, room.roomId, { type: 'close', reason: 'completed' })
      const items = await takeItems(server.api.watch(room.roomId, owner), 3)
      expect(items.map(tell)).toEqual(['RoomOpened', 'ReceiverJoined', 'RoomClosed completed'])
    })

    test('a room that was lost gets its number again, unless another has it', async () => {
      const [owner, other] = [newToken(), newToken()]
      const input = { capacity: 1, guessesMax: 20, nameplate: '4711' }
      const first = await server.api.mutate('rooms.open', owner, input)
      expect(first).toMatchObject({ ok: true, data: { nameplate: '4711' } })
      const second = await server.api.mutate('rooms.open', other, input)
      expect(second).toMatchObject({ ok: true, data: { nameplate: expect.not.stringMatching(/^4711$/) } })
    })

    test('two receivers, capacity 1: the second waits, is told its place, and moves up', async () => {
      const [owner, first, second, third] = [newToken(), newToken(), newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      const a = await joinRoom(first, nameplate)
      await command(owner, roomId, { type: 'admit', receiver: a.receiver })
      const b = await joinRoom(second, nameplate)
      const c = await joinRoom(third, nameplate)
      const seenByC = server.api.watch(roomId, third)
      expect((await takeItems(seenByC, 2)).map(tell)).toEqual(['ReceiverJoined', 'ReceiverQueued 2'])
      expect(refusedWith(await command(owner, roomId, { type: 'admit', receiver: b.receiver }))).toBe(
        'ERR_ROOM_LINE_FULL',
      )
      await command(owner, roomId, { type: 'dismiss', receiver: a.receiver, reason: 'completed' })
      expect((await command(owner, roomId, { type: 'admit', receiver: b.receiver })).ok).toBe(true)
      expect((await takeItems(seenByC, 1)).map(tell)).toEqual(['ReceiverQueued 1'])
      await server.api.mutate('rooms.leave', second, { roomId })
      await command(owner, roomId, { type: 'admit', receiver: c.receiver })
      expect((await takeItems(seenByC, 1)).map(tell)).toEqual(['ReceiverAdmitted'])
      await seenByC.return()
      const seenByFirst = server.api.watch(roomId, first)
      expect((await takeItems(seenByFirst, 3)).map(tell)).toEqual([
        'ReceiverJoined',
        'ReceiverAdmitted',
        'ReceiverLeft completed',
      ])
      await seenByFirst.return()
    })

    test('messages go to whom they are for, behind the events that came before them', async () => {
      const [owner, first, second] = [newToken(), newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner, { capacity: 2 })
      const a = await joinRoom(first, nameplate)
      await post(first, roomId, 'hello from a')
      const b = await joinRoom(second, nameplate)
      await post(second, roomId, 'hello from b')
      await post(owner, roomId, 'answer to a', a.receiver)
      await command(owner, roomId, { type: 'close', reason: 'completed' })
      const told = async (token: string, count: number) =>
        (await takeItems(server.api.watch(roomId, token), count)).map(tell)
      expect(await told(owner, 6)).toEqual([
        'RoomOpened',
        'ReceiverJoined',
        `${a.receiver}: hello from a`,
        'ReceiverJoined',
        `${b.receiver}: hello from b`,
        'RoomClosed completed',
      ])
      expect(await told(first, 3)).toEqual(['ReceiverJoined', 'owner: answer to a', 'RoomClosed completed'])
      expect(await told(second, 2)).toEqual(['ReceiverJoined', 'RoomClosed completed'])
    })

    test('a stream goes on exactly behind any of its cursors, and ends behind RoomClosed', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      await joinRoom(receiver, nameplate)
      for (const text of ['1', '2', '3']) await post(receiver, roomId, text)
      await command(owner, roomId, { type: 'lock' })
      await command(owner, roomId, { type: 'close', reason: 'cancelled' })
      const all = await takeItems(server.api.watch(roomId, owner), 7)
      for (const [index, { id }] of all.entries()) {
        const stream = server.api.watch(roomId, owner, id)
        expect(await takeItems(stream, all.length - index - 1)).toEqual(all.slice(index + 1))
        expect((await stream.next()).value).toEqual({ type: 'ended' })
      }
    })

    test('events are told again from where a watcher knows them, messages are not', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      await joinRoom(receiver, nameplate)
      await post(receiver, roomId, '1')
      await post(receiver, roomId, '2')
      await command(owner, roomId, { type: 'lock' })
      const all = await takeItems(server.api.watch(roomId, owner), 5)
      const again = await takeItems(server.api.watch(roomId, owner, all[4]?.id, 0), 3)
      expect(again.map(tell)).toEqual(['RoomOpened', 'ReceiverJoined', 'RoomLocked'])
      // Never further than the cursor says.
      const behind = await takeItems(server.api.watch(roomId, owner, all[1]?.id, 3), 3)
      expect(behind).toEqual(all.slice(2))
    })

    test('who watches sees what comes, while it comes', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      const stream = server.api.watch(roomId, owner)
      await takeItems(stream, 1)
      await joinRoom(receiver, nameplate)
      expect((await takeItems(stream, 1)).map(tell)).toEqual(['ReceiverJoined'])
      await post(receiver, roomId, 'now')
      expect((await takeItems(stream, 1)).map(tell)[0]).toMatch(/: now$/)
      await stream.return()
    })

    test('a restart keeps rooms, line and messages, and a watcher goes on where it was', async () => {
      const [owner, first, second] = [newToken(), newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      const a = await joinRoom(first, nameplate)
      await command(owner, roomId, { type: 'admit', receiver: a.receiver })
      await joinRoom(second, nameplate)
      await post(first, roomId, 'before')
      const stream = server.api.watch(roomId, owner)
      const before = await takeItems(stream, 4)
      await restart()
      // What was written but not yet taken may still come out of the stream that broke.
      for await (const event of stream) if (event.type === 'ended') throw new Error('the room is not over')
      await post(first, roomId, 'after')
      await joinRoom(newToken(), nameplate)
      const lastEventId = before.at(-1)?.id ?? ''
      const after = await takeItems(server.api.watch(roomId, owner, lastEventId), 5)
      expect([...before, ...after].map(tell)).toEqual([
        'RoomOpened',
        'ReceiverJoined',
        'ReceiverAdmitted',
        'ReceiverJoined',
        'ReceiverQueued 1',
        `${a.receiver}: before`,
        `${a.receiver}: after`,
        'ReceiverJoined',
        'ReceiverQueued 2',
      ])
    })

    test('whoever brings the wrong token is told nothing but that there is no such room', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      const { receiver: id } = await joinRoom(receiver, nameplate)
      const stranger = newToken()
      const admit = { type: 'admit', receiver: id }
      expect(refusedWith(await command(stranger, roomId, admit))).toBe('ERR_ROOM_NOT_FOUND')
      expect(refusedWith(await command(receiver, roomId, admit))).toBe('ERR_ROOM_NOT_FOUND')
      expect(refusedWith(await post(stranger, roomId, 'x'))).toBe('ERR_ROOM_NOT_FOUND')
      expect(refusedWith(await server.api.mutate('rooms.leave', owner, { roomId }))).toBe('ERR_ROOM_NOT_FOUND')
      expect((await server.api.watch(roomId, stranger).next()).value).toEqual({
        type: 'failed',
        code: 'ERR_ROOM_NOT_FOUND',
      })
      expect(refusedWith(await join(owner, nameplate))).toBe('ERR_ROOM_NOT_FOUND')
      const withoutToken = await server.api.mutate('rooms.leave', undefined, { roomId })
      expect(withoutToken).toMatchObject({ ok: false, status: 401, code: 'ERR_UNAUTHORIZED' })
      expect(await server.api.mutate('rooms.leave', 'short', { roomId })).toMatchObject({ ok: false, status: 401 })
    })

    test('a receiver that has left posts nothing', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      await joinRoom(receiver, nameplate)
      await server.api.mutate('rooms.leave', receiver, { roomId })
      expect(refusedWith(await post(receiver, roomId, 'x'))).toBe('ERR_ROOM_NOT_FOUND')
    })

    test('closed, locked and unknown rooms refuse joiners, each in its words', async () => {
      const [owner, other] = [newToken(), newToken()]
      const closedRoom = await openRoom(owner)
      await command(owner, closedRoom.roomId, { type: 'close', reason: 'completed' })
      expect(refusedWith(await join(newToken(), closedRoom.nameplate))).toBe('ERR_ROOM_CLOSED')
      expect(refusedWith(await server.api.mutate('rooms.open', owner, { capacity: 1 }))).toBe('ERR_ROOM_CLOSED')
      const locked = await openRoom(other)
      await command(other, locked.roomId, { type: 'lock' })
      expect(refusedWith(await join(newToken(), locked.nameplate))).toBe('ERR_ROOM_LOCKED')
      expect(refusedWith(await join(newToken(), 'nobody is here'))).toBe('ERR_ROOM_NOT_FOUND')
    })

    test('wrong guesses lock the room', async () => {
      const owner = newToken()
      const { roomId, nameplate } = await openRoom(owner, { capacity: 1, guessesMax: 2 })
      for (let guess = 0; guess < 2; guess += 1) {
        const { receiver } = await joinRoom(newToken(), nameplate)
        await command(owner, roomId, { type: 'admit', receiver })
        await command(owner, roomId, { type: 'guessFailed', receiver })
      }
      const told = (await takeItems(server.api.watch(roomId, owner), 10)).map(tell)
      expect(told.slice(3, 5)).toEqual(['GuessFailed 1', 'ReceiverLeft wrongCode'])
      expect(told.slice(-3)).toEqual(['GuessFailed 0', 'ReceiverLeft wrongCode', 'RoomLocked'])
      expect(refusedWith(await join(newToken(), nameplate))).toBe('ERR_ROOM_LOCKED')
    })

    test('a name belongs to one open room, however it is written, and is free when that is closed', async () => {
      const [owner, other] = [newToken(), newToken()]
      const room = await openRoom(owner, { capacity: 1, name: 'Café Nightly' })
      expect(room.nameplate).toBe('Café Nightly')
      const again = { capacity: 1, name: 'CAFÉ nightly' }
      expect(refusedWith(await server.api.mutate('rooms.open', other, again))).toBe('ERR_ROOM_NAME_TAKEN')
      expect((await join(newToken(), 'café nightly')).ok).toBe(true)
      await command(owner, room.roomId, { type: 'close', reason: 'completed' })
      expect((await openRoom(other, again)).nameplate).toBe('CAFÉ nightly')
    })

    test('a room expires when its owner is silent, and is forgotten later', async () => {
      await restart({ roomIdleTtlMs: 60_000 })
      const owner = newToken()
      const { roomId, nameplate } = await openRoom(owner)
      const stream = server.api.watch(roomId, owner)
      await takeItems(stream, 1)
      await stream.return()
      clock.advance(50_000)
      await openRoom(owner)
      clock.advance(50_000)
      const { receiver } = await joinRoom(newToken(), nameplate)
      expect(receiver).toMatch(/^rc/)
      clock.advance(60_001)
      await expect.poll(() => stores.stores.events.version(roomId)).toBe(3)
      expect(refusedWith(await join(newToken(), nameplate))).toBe('ERR_ROOM_CLOSED')
      const items = await takeItems(server.api.watch(roomId, owner), 3)
      expect(items.map(tell)).toEqual(['RoomOpened', 'ReceiverJoined', 'RoomClosed expired'])
      clock.advance(ROOM_CLOSED_TTL_MS + 1)
      await expect.poll(async () => refusedWith(await join(newToken(), nameplate))).toBe('ERR_ROOM_NOT_FOUND')
      expect(await stores.stores.events.version(roomId)).toBe(0)
      expect(await stores.stores.directory.count()).toBe(0)
    })

    test('no room outlives its longest life, however busy its owner', async () => {
      await restart({ roomIdleTtlMs: 60_000, roomMaxTtlMs: 100_000 })
      const owner = newToken()
      const { roomId, expiresAt } = await openRoom(owner)
      expect(expiresAt).toBe(clock.now() + 100_000)
      clock.advance(50_000)
      await openRoom(owner)
      clock.advance(50_001)
      expect((await takeItems(server.api.watch(roomId, owner), 2)).map(tell)).toEqual([
        'RoomOpened',
        'RoomClosed expired',
      ])
    })

    test('a mailbox keeps the latest messages', async () => {
      await restart({ postsPerReceiver: { burst: 1000, perMinute: 0 } })
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      await joinRoom(receiver, nameplate)
      for (let index = 0; index < MAILBOX_MAX_MESSAGES + 5; index += 1) await post(receiver, roomId, `${index}`)
      const items = await takeItems(server.api.watch(roomId, owner), MAILBOX_MAX_MESSAGES + 2)
      expect(items.map(tell)[2]).toMatch(/: 5$/)
      expect(items.map(tell).at(-1)).toMatch(new RegExp(`: ${MAILBOX_MAX_MESSAGES + 4}$`))
    })

    test('a message has its size, and a request too', async () => {
      const [owner, receiver] = [newToken(), newToken()]
      const { roomId, nameplate } = await openRoom(owner)
      await joinRoom(receiver, nameplate)
      expect((await post(receiver, roomId, 'x'.repeat(MAILBOX_MESSAGE_MAX_BYTES))).ok).toBe(true)
      expect(refusedWith(await post(receiver, roomId, 'x'.repeat(MAILBOX_MESSAGE_MAX_BYTES + 1)))).toBe('ERR_USAGE')
      expect(await post(receiver, roomId, 'x'.repeat(20_000))).toMatchObject({ ok: false, status: 413 })
    })

    test('a cursor that is none, or from another history, is refused', async () => {
      const owner = newToken()
      const { roomId } = await openRoom(owner)
      const ends = async (cursor: string) => (await server.api.watch(roomId, owner, cursor).next()).value
      expect(await ends('nonsense')).toEqual({ type: 'failed', code: 'ERR_USAGE' })
      expect(await ends('7_0-0')).toEqual({ type: 'failed', code: 'ERR_ROOM_NOT_FOUND' })
    })

    test('two processes on one store wake each other', async () => {
      const otherStores = opened.again()
      const other = await startTestServer({ stores: otherStores.stores, now: clock.now })
      try {
        const [owner, receiver] = [newToken(), newToken()]
        const { roomId, nameplate } = await openRoom(owner)
        const stream = other.api.watch(roomId, owner)
        await takeItems(stream, 1)
        await joinRoom(receiver, nameplate)
        expect((await takeItems(stream, 1)).map(tell)).toEqual(['ReceiverJoined'])
        const onOther = await other.api.mutate('rooms.command', owner, { roomId, command: { type: 'lock' } })
        expect(onOther.ok).toBe(true)
        expect(refusedWith(await join(newToken(), nameplate))).toBe('ERR_ROOM_LOCKED')
        await stream.return()
      } finally {
        await other.stop()
        await otherStores.close()
      }
    })
  })
}
