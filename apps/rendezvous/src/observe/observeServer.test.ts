import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { decodeObserveAnswer, encodeObserveRequest } from '@godwit/protocol/observe'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ObserveServer } from './observeServer.js'
import { OBSERVE_TOKEN_TTL_MS, ObserveTokens } from './observeTokens.js'

let nowMs: number
let tokens: ObserveTokens
let server: ObserveServer
let socket: Socket
let port: number
let received: Buffer[]

beforeEach(async () => {
  nowMs = 1000
  tokens = new ObserveTokens(() => nowMs)
  server = new ObserveServer(tokens, { burst: 5, perMinute: 60 }, () => nowMs)
  port = await server.start('127.0.0.1', 0)
  socket = createSocket('udp4')
  received = []
  socket.on('message', (datagram) => received.push(datagram))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  await new Promise<void>((resolve) => socket.close(resolve))
  await server.stop()
})

const send = (datagram: Uint8Array): void => socket.send(datagram, port, '127.0.0.1')
const request = (token: Uint8Array, nonce: Uint8Array = randomBytes(8)): Uint8Array =>
  encodeObserveRequest({ token, nonce })
const handled = (count: number) =>
  expect.poll(() => server.counts.answered + server.counts.dropped + server.counts.limited).toBe(count)

test('a request with a good token is answered with the address that it came from', async () => {
  const nonce = randomBytes(8)
  send(request(tokens.make(), nonce))
  await expect.poll(() => received.length).toBe(1)
  const [answer = Buffer.alloc(0)] = received
  expect(answer.length).toBeLessThanOrEqual(64)
  expect(decodeObserveAnswer(answer, nonce)).toEqual({ family: 'ipv4', ip: '127.0.0.1', port: socket.address().port })
})

test("garbage, forged and other processes' tokens are dropped in silence", async () => {
  const forged = tokens.make()
  forged[31] = (forged[31] ?? 0) ^ 1
  send(randomBytes(64))
  send(randomBytes(1200))
  send(new Uint8Array(1))
  send(request(forged))
  send(request(new ObserveTokens(() => nowMs).make()))
  await handled(5)
  expect(server.counts).toEqual({ answered: 0, dropped: 5, limited: 0 })
  expect(received).toEqual([])
})

test('a token is good for a minute', async () => {
  const token = tokens.make()
  nowMs += OBSERVE_TOKEN_TTL_MS
  expect(tokens.isGood(token)).toBe(true)
  nowMs += 1
  expect(tokens.isGood(token)).toBe(false)
  send(request(token))
  await handled(1)
  expect(server.counts.dropped).toBe(1)
})

test('one address asks only so often', async () => {
  for (let index = 0; index < 7; index += 1) send(request(tokens.make()))
  await handled(7)
  expect(server.counts).toEqual({ answered: 5, dropped: 0, limited: 2 })
  nowMs += 1000
  send(request(tokens.make()))
  await handled(8)
  expect(server.counts.answered).toBe(6)
})

test('whoever forges the address of a node does not use up what it may ask', async () => {
  for (let index = 0; index < 20; index += 1) send(request(randomBytes(32)))
  await handled(20)
  send(request(tokens.make()))
  await handled(21)
  expect(server.counts).toEqual({ answered: 1, dropped: 20, limited: 0 })
})

test('a port that is taken is told, and one that stopped is free', async () => {
  const other = new ObserveServer(tokens, { burst: 1, perMinute: 1 }, () => nowMs)
  await expect(other.start('127.0.0.1', port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await server.stop()
  expect(await other.start('127.0.0.1', port)).toBe(port)
  await other.stop()
})
