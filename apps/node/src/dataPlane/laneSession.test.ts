/** Two sessions over real sockets on loopback, with a router between them that loses what a test wants to be lost. */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { afterEach, expect, test } from 'vitest'
import { bytesOfManifest } from '../files/testing/transfer.js'
import { makePools } from './bufferPool.js'
import { LaneLoop } from './laneLoop.js'
import { LaneSession } from './laneSession.js'
import type { LaneReport, ReceiverParameters, SenderParameters, SessionParameters } from './messages.js'

const HOST = '127.0.0.1'
const opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

/** What a test waits for, polled by the event loop: no fixed time. */
const until = async (isThere: () => boolean): Promise<void> => {
  while (!isThere()) await new Promise((resolve) => setImmediate(resolve))
}

const bound = async (): Promise<Socket> => {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
  opened.push(socket)
  return socket
}

/** Hands datagrams on between two ports; each side sees the other under one of the router's own. */
const router = async (sender: number, receiver: number) => {
  const [toSender, toReceiver] = [await bound(), await bound()]
  /** Datagrams of the sender that are lost from now on. */
  let losses = 0
  // What comes to the port that the receiver is seen under is the sender's, and the other way round.
  toReceiver.on('message', (datagram) => {
    if (losses > 0) losses -= 1
    else toSender.send(datagram, receiver, HOST)
  })
  toSender.on('message', (datagram) => toReceiver.send(datagram, sender, HOST))
  return {
    receiverAt: toReceiver.address().port,
    senderAt: toSender.address().port,
    lose: (count: number) => {
      losses = count
    },
  }
}

const side = async (key: string) => {
  const reports: LaneReport[] = []
  const loop = new LaneLoop(key, (report) => reports.push(report))
  const session = new LaneSession(
    key,
    loop,
    makePools(),
    (report) => reports.push(report),
    () => {},
  )
  await loop.open(HOST)
  opened.push({ close: () => session.close('shutdown') })
  const has = (type: LaneReport['type']): boolean => reports.some((report) => report.type === type)
  const port = reports.find((report) => report.type === 'opened')?.port ?? 0
  return { session, reports, has, port }
}

/** A sender and a receiver that have found each other; the receiver has the offer. */
const pair = async () => {
  const sender = await side('sender')
  const receiver = await side('receiver')
  const way = await router(sender.port, receiver.port)
  const connectionIds = { sender: randomBytes(8), receiver: randomBytes(8) }
  const secrets = [randomBytes(32), randomBytes(32)] as const
  const start = (at: typeof sender, port: number, transfer: SenderParameters | ReceiverParameters): void => {
    const session: SessionParameters = {
      lane: 0,
      connectionIds,
      packetCipher: 'chacha20Poly1305',
      // Copies: a lane wipes what it is given.
      trafficSecrets: { receiverToSender: Uint8Array.from(secrets[0]), senderToReceiver: Uint8Array.from(secrets[1]) },
      candidates: [{ kind: 'host', ip: HOST, port }],
      limit: null,
      profile: 'standard',
    }
    at.session.start(session, transfer)
  }
  const manifest = bytesOfManifest({
    entries: [{ kind: 'file', path: ['one'], sizeBytes: 1, mtimeMs: 0, isExecutable: false }],
  })
  start(sender, way.receiverAt, { role: 'sender', manifest, sources: [], fileHashes: new Uint8Array(32), lanes: 1 })
  start(receiver, way.senderAt, { role: 'receiver' })
  await until(() => receiver.has('receiver'))
  return { sender, receiver, way }
}

test('why a side ends reaches the other although the packet that said so is lost', async () => {
  const { sender, receiver, way } = await pair()
  way.lose(1)
  sender.session.fail({ code: 'ERR_SOURCE_CHANGED' })
  sender.session.close('cancelled')
  await until(() => receiver.has('ended') && sender.has('ended'))
  expect(receiver.reports).toContainEqual(
    expect.objectContaining({
      type: 'receiver',
      report: { type: 'peerFailed', failure: { code: 'ERR_SOURCE_CHANGED' } },
    }),
  )
  expect(receiver.reports.at(-1)).toMatchObject({ type: 'ended', cause: 'closedByPeer', code: 'cancelled' })
})

test('a side ends although nobody hears its last words', async () => {
  const { sender, way } = await pair()
  way.lose(Number.POSITIVE_INFINITY)
  sender.session.fail({ code: 'ERR_SOURCE_CHANGED' })
  sender.session.close('cancelled')
  await until(() => sender.has('ended'))
  expect(sender.reports.at(-1)).toMatchObject({ type: 'ended', cause: 'closedByUs', code: 'cancelled' })
})

test('a session that is to go on in another one ends at once', async () => {
  const { sender, way } = await pair()
  way.lose(Number.POSITIVE_INFINITY)
  sender.session.offerLanes([])
  sender.session.close('replaced')
  await new Promise((resolve) => setImmediate(resolve))
  expect(sender.has('ended')).toBe(true)
})
