import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { assert } from '@godwit/protocol/assert'
import type { Failure } from '@godwit/protocol/errors'
import { MAILBOX_MESSAGE_MAX_BYTES } from '@godwit/protocol/limits'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RendezvousClient } from './rendezvousClient.js'

/** A server that answers as each test wants it to. */
let server: Server
let url: string
let requests: { path: string; authorization: string | undefined; input: string | null }[]
let answer: (response: ServerResponse, request: IncomingMessage, count: number) => void

const token = randomBytes(32).toString('base64url')
const roomId = 'rmaaaaaaaaaaaaaaaa'
const receiver = 'rcaaaaaaaaaaaaaaaa'

beforeEach(async () => {
  requests = []
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host')
    requests.push({ path: pathname, authorization: request.headers.authorization, input: searchParams.get('input') })
    answer(response, request, requests.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert(address !== null && typeof address === 'object', 'a TCP address')
  url = `http://127.0.0.1:${address.port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const client = (timeoutMs = 2000) => new RendezvousClient({ url, timeoutMs, random: () => 0 })
const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
const unreachable = { ok: false, failure: { code: 'ERR_RENDEZVOUS_UNREACHABLE' } }

const openStream = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write('event: connected\ndata: {}\n\n')
}
const sendItem = (response: ServerResponse, cursor: string, text: string): void => {
  const item = { kind: 'message', from: receiver, body: Buffer.from(text).toString('base64') }
  response.write(`id: ${cursor}\ndata: ${JSON.stringify(item)}\n\n`)
}
const sendEnd = (response: ServerResponse): void => {
  response.end('event: return\ndata: \n\n')
}

const watchAll = async (lastEventId?: string, signal = new AbortController().signal) => {
  const seen: string[] = []
  const broken: (string | undefined)[] = []
  const onConnection = (failure: Failure | undefined): void => {
    broken.push(failure?.code)
  }
  for await (const watched of client().watch(roomId, token, lastEventId, signal, onConnection)) {
    if (!watched.ok) seen.push(watched.failure.code)
    else if (watched.value.item.kind === 'message') {
      seen.push(Buffer.from(watched.value.item.body, 'base64').toString())
    }
  }
  return { seen, broken }
}

test('a call carries the token in its header only', async () => {
  answer = (response) => json(response, 200, { result: { data: { roomId, receiver } } })
  expect(await client().join(token, '4821')).toEqual({ ok: true, value: { roomId, receiver } })
  expect(requests).toEqual([{ path: '/trpc/rooms.join', authorization: `Bearer ${token}`, input: null }])
})

test('a room is opened under the name that was asked for, or under a number', async () => {
  const openAs = async (nameplate: string, name?: string) => {
    answer = (response) => json(response, 200, { result: { data: { roomId, nameplate, expiresAt: 1 } } })
    return (await client().open(token, { capacity: 1, ...(name === undefined ? {} : { name }) })).ok
  }
  expect([await openAs('4821'), await openAs('999999'), await openAs('harvest', 'harvest')]).toEqual([true, true, true])
  // Anything else would make a code that nobody can type, or that names another room.
  for (const nameplate of ['1-abacus-abacus', '0', '012', '1000000', '4821 ', 'x']) {
    expect(await openAs(nameplate)).toBe(false)
  }
  expect([await openAs('4821', 'harvest'), await openAs('Harvest', 'harvest')]).toEqual([false, false])
})

test('a refusal comes with the code that the rendezvous gave', async () => {
  answer = (response) =>
    json(response, 403, {
      error: { message: 'm', code: -1, data: { godwit: { code: 'ERR_ROOM_LOCKED', message: 'm' } } },
    })
  expect(await client().join(token, '4821')).toEqual({ ok: false, failure: { code: 'ERR_ROOM_LOCKED' } })
})

test.each([
  ['another shape', 200, '{"result":{"data":{"roomId":"../etc"}}}'],
  ['no JSON', 200, '<html>'],
  ['an error of a proxy', 502, 'Bad Gateway'],
  ['an unknown code', 400, '{"error":{"message":"m","code":-1,"data":{"godwit":{"code":"ERR_NEW"}}}}'],
  ['a redirect', 302, ''],
  ['too long an answer', 200, JSON.stringify({ result: { data: 'x'.repeat(100_000) } })],
])('%s counts as no rendezvous', async (_name, status, body) => {
  answer = (response) => {
    response.writeHead(status, { 'content-type': 'application/json', location: `${url}/elsewhere` }).end(body)
  }
  const result = await client().join(token, '4821')
  expect(result).toMatchObject(unreachable)
  expect(JSON.stringify(result)).not.toContain(token)
  expect(requests.length).toBe(1)
})

test('no answer in time, and nobody there', async () => {
  answer = () => undefined
  expect(await client(50).join(token, '4821')).toMatchObject(unreachable)
  const gone = new RendezvousClient({ url: 'http://127.0.0.1:9' })
  expect(await gone.info()).toEqual({
    ok: false,
    failure: { code: 'ERR_RENDEZVOUS_UNREACHABLE', detail: '127.0.0.1:9' },
  })
})

test('a broken stream is taken up behind the last item', async () => {
  answer = (response, _request, count) => {
    openStream(response)
    if (count === 1) {
      sendItem(response, '1_0-0', 'a')
      sendItem(response, '2_0-0', 'b')
      setTimeout(() => response.destroy(), 20)
    } else {
      sendItem(response, '3_0-0', 'c')
      sendEnd(response)
    }
  }
  expect(await watchAll()).toEqual({
    seen: ['a', 'b', 'c'],
    broken: [undefined, 'ERR_RENDEZVOUS_UNREACHABLE', undefined],
  })
  expect(requests.map(({ input }) => JSON.parse(input ?? ''))).toEqual([{ roomId }, { roomId, lastEventId: '2_0-0' }])
  expect(requests.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true)
})

test('a stream that ends without having been ended is taken up again', async () => {
  answer = (response, _request, count) => {
    openStream(response)
    if (count === 1) {
      sendItem(response, '1_0-0', 'a')
      response.end()
    } else sendEnd(response)
  }
  expect((await watchAll()).seen).toEqual(['a'])
  expect(requests.length).toBe(2)
})

test('refusals that pass are waited out, whether they come before the stream or in it', async () => {
  answer = (response, _request, count) => {
    if (count === 1) return json(response, 429, { error: {} })
    if (count === 2) return response.writeHead(503).end()
    openStream(response)
    if (count === 3) {
      const data = { code: 'SERVICE_UNAVAILABLE', godwit: { code: 'ERR_RENDEZVOUS_UNREACHABLE', message: 'm' } }
      response.end(`event: serialized-error\ndata: ${JSON.stringify({ code: -32_603, message: 'm', data })}\n\n`)
    } else sendEnd(response)
  }
  expect((await watchAll('5_0-0')).seen).toEqual([])
  expect(requests.map(({ input }) => JSON.parse(input ?? '').lastEventId)).toEqual(Array(4).fill('5_0-0'))
})

test('a refusal that waiting cannot mend is the last that comes', async () => {
  answer = (response) => {
    openStream(response)
    const data = { code: 'NOT_FOUND', godwit: { code: 'ERR_ROOM_NOT_FOUND', message: 'm' } }
    response.end(`event: serialized-error\ndata: ${JSON.stringify({ code: -32_004, message: 'm', data })}\n\n`)
  }
  expect((await watchAll()).seen).toEqual(['ERR_ROOM_NOT_FOUND'])
  expect(requests.length).toBe(1)
})

test('an item of another shape breaks the stream, which is then taken up before it', async () => {
  answer = (response, _request, count) => {
    openStream(response)
    if (count === 1) {
      sendItem(response, '1_0-0', 'a')
      response.write('id: 2_0-0\ndata: {"kind":"surprise"}\n\n')
    } else sendEnd(response)
  }
  expect((await watchAll()).seen).toEqual(['a'])
  expect(JSON.parse(requests[1]?.input ?? '')).toEqual({ roomId, lastEventId: '1_0-0' })
})

test.each([
  ['a line', 'x'.repeat(64 * 1024)],
  ['an event of many lines', 'data: xxxxxxxxxxxxxxxx\n'.repeat(2048)],
  ['an event of many lines as Windows ends them', 'data: xxxxxxxxxxxxxxxx\r\n'.repeat(2048)],
])('%s without an end is cut off long before it fills the memory', async (_name, text) => {
  const enoughBytes = 16 * 1024 * 1024
  let writtenBytes = 0
  answer = (response, _request, count) => {
    openStream(response)
    if (count > 1) return sendEnd(response)
    response.write('data: ')
    const writeOn = (): void => {
      for (; writtenBytes < enoughBytes && !response.destroyed; writtenBytes += text.length) {
        if (!response.write(text)) return void response.once('drain', writeOn)
      }
      response.end()
    }
    writeOn()
  }
  expect((await watchAll()).broken).toContain('ERR_RENDEZVOUS_UNREACHABLE')
  expect(writtenBytes).toBeLessThan(enoughBytes)
})

test('a message of the largest size comes through', async () => {
  const largest = 'x'.repeat(MAILBOX_MESSAGE_MAX_BYTES)
  answer = (response) => {
    openStream(response)
    for (let number = 1; number <= 20; number += 1) sendItem(response, `${number}_0-0`, largest)
    sendEnd(response)
  }
  expect((await watchAll()).seen).toEqual(Array(20).fill(largest))
})

test('an id that no rendezvous gives out comes no further: it would be shown, and kept', async () => {
  answer = (response, _request, count) => {
    openStream(response)
    if (count > 1) return sendEnd(response)
    const event = { type: 'ReceiverJoined', data: { receiver: '\u001b[2Jrc', tokenHash: '' } }
    response.write(`id: 1_0-0\ndata: ${JSON.stringify({ kind: 'event', roomVersion: 1, event })}\n\n`)
  }
  expect((await watchAll()).broken).toContain('ERR_RENDEZVOUS_UNREACHABLE')
})

test('a version that is no version is not taken for a rendezvous', async () => {
  const info = (version: string) => ({ result: { data: { name: 'godwit-rendezvous', version, udpPort: 4907 } } })
  answer = (response) => json(response, 200, info('0.1.0-rc.1+7'))
  expect((await client().info()).ok).toBe(true)
  answer = (response) => json(response, 200, info('\u001b]0;owned\u0007'))
  expect(await client().info()).toMatchObject(unreachable)
})

test('who stops watching is let go at once, also while waiting to try again', async () => {
  const aborter = new AbortController()
  answer = (response, _request, count) => {
    if (count === 1) openStream(response)
    else response.writeHead(503).end()
    setTimeout(() => (count === 1 ? response.destroy() : aborter.abort()), 20)
  }
  expect((await watchAll(undefined, aborter.signal)).seen).toEqual([])
  const stopped = new AbortController()
  answer = (response) => {
    openStream(response)
    setTimeout(() => stopped.abort(), 20)
  }
  expect((await watchAll(undefined, stopped.signal)).seen).toEqual([])
})
