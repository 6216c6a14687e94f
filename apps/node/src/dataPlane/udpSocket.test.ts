/** Real sockets on loopback: with the kernel's offloads where this machine has them, and plain. */

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import type { Transmit } from '@godwit/engine/transport/types'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openOffloadSocket } from './offloadSocket.js'
import type { SocketEvents } from './udpSocket.js'

const HOST = '127.0.0.1'
const hasOffload = ((): boolean => {
  const socket = openOffloadSocket(HOST)
  socket?.close()
  return socket !== undefined
})()

type Opened = import('./udpSocket.js').UdpSocket

/** What a test waits for, polled by the event loop: no fixed time. */
const until = async (isThere: () => boolean): Promise<void> => {
  while (!isThere()) await new Promise((resolve) => setImmediate(resolve))
}

interface Reads {
  readonly reads: Uint8Array[]
  readonly events: SocketEvents
}

const recording = (): Reads => {
  const reads: Uint8Array[] = []
  return {
    reads,
    events: {
      onRead: (_pathId, bytes, length) => reads.push(Uint8Array.from(bytes.subarray(0, length))),
      onDrain: () => {},
      onTooLarge: () => {},
      onTrainsRefused: () => {},
    },
  }
}

const joined = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts)

describe.each([
  ['offloads', true],
  ['plain dgram', false],
] as const)('a socket with %s', (_name, isOffload) => {
  let UdpSocket: typeof import('./udpSocket.js').UdpSocket
  const opened: { close(): void }[] = []
  const runs = test.skipIf(isOffload && !hasOffload && process.env['CI'] !== 'true')

  beforeEach(async () => {
    vi.resetModules()
    vi.stubEnv('GODWIT_TRAINS', isOffload ? undefined : 'off')
    ;({ UdpSocket } = await import('./udpSocket.js'))
  })
  afterEach(() => {
    for (const socket of opened.splice(0)) socket.close()
    vi.unstubAllEnvs()
  })

  const open = async (events: SocketEvents) => {
    const result = await UdpSocket.open(HOST, events)
    if (!result.ok) throw new Error(result.failure.code)
    opened.push(result.value)
    return result.value
  }

  const plainReceiver = async (): Promise<{ port: number; datagrams: Buffer[] }> => {
    const datagrams: Buffer[] = []
    const socket = createSocket('udp4')
    socket.on('message', (message) => datagrams.push(message))
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
    opened.push(socket)
    return { port: socket.address().port, datagrams }
  }

  const send = (socket: Opened, bytes: Uint8Array, segmentBytes: number, port: number): void => {
    const buffer = socket.takeBuffer()
    if (buffer === undefined) throw new Error('no buffer')
    buffer.set(bytes)
    const transmit: Transmit = {
      pathId: socket.pathOf({ ip: HOST, port }),
      length: bytes.length,
      segmentBytes,
      isMtuProbe: false,
    }
    socket.send(buffer, transmit)
  }

  runs('sends datagrams that arrive as they are', async () => {
    const socket = await open(recording().events)
    const { port, datagrams } = await plainReceiver()
    const sizes = [1, 1200, 64, 1472]
    const sent = sizes.map((size) => randomBytes(size))
    for (const bytes of sent) send(socket, bytes, bytes.length, port)
    await until(() => datagrams.length === sizes.length)
    expect(datagrams).toEqual(sent)
  })

  runs('reads everything, and names the source', async () => {
    const { reads, events } = recording()
    const paths: number[] = []
    const onRead: SocketEvents['onRead'] = (pathId, bytes, length) => {
      paths.push(pathId)
      events.onRead(pathId, bytes, length)
    }
    const socket = await open({ ...events, onRead })
    const one = await open(recording().events)
    const other = await open(recording().events)
    const sent = Array.from({ length: 40 }, (_, i) => randomBytes(100 + i))
    for (const [i, bytes] of sent.entries()) send(i % 2 === 0 ? one : other, bytes, bytes.length, socket.port)
    await until(() => joined(reads).length === joined(sent).length)
    expect(new Set(paths)).toEqual(new Set([one, other].map(({ port }) => socket.pathOf({ ip: HOST, port }))))
  })

  runs('has a buffer again after all were taken', async () => {
    let drained = 0
    const socket = await open({ ...recording().events, onDrain: () => drained++ })
    const { port } = await plainReceiver()
    const taken: Uint8Array[] = []
    for (let buffer = socket.takeBuffer(); buffer !== undefined; buffer = socket.takeBuffer()) taken.push(buffer)
    expect(taken.length).toBeLessThanOrEqual(512)
    for (const buffer of taken) {
      socket.send(buffer, {
        pathId: socket.pathOf({ ip: HOST, port }),
        length: 10,
        segmentBytes: 10,
        isMtuProbe: false,
      })
    }
    await until(() => drained > 0)
    expect(socket.takeBuffer()).toBeDefined()
  })

  if (!isOffload) {
    test('sends no trains, and no datagrams that might be fragmented', async () => {
      const socket = await open(recording().events)
      expect([socket.trainPackets, socket.datagramMaxBytes]).toEqual([1, 1472])
    })
    return
  }

  runs('sends a train that arrives as datagrams', async () => {
    const socket = await open(recording().events)
    const { port, datagrams } = await plainReceiver()
    const train = randomBytes(5 * 1000 + 300)
    send(socket, train, 1000, port)
    await until(() => datagrams.length === 6)
    expect(datagrams.map(({ length }) => length)).toEqual([1000, 1000, 1000, 1000, 1000, 300])
    expect(joined(datagrams)).toEqual(train)
  })

  runs('reads a train as the kernel joined it', async () => {
    const { reads, events } = recording()
    const socket = await open(events)
    const sender = await open(recording().events)
    const train = randomBytes(44 * 1472)
    send(sender, train, 1472, socket.port)
    await until(() => joined(reads).length === train.length)
    expect(joined(reads)).toEqual(train)
    expect(reads.length).toBeLessThan(44)
  })

  runs('cuts each train as it is meant, and leaves a larger datagram whole', async () => {
    const socket = await open(recording().events)
    const { port, datagrams } = await plainReceiver()
    send(socket, randomBytes(3000), 1000, port)
    send(socket, randomBytes(2500), 2500, port)
    send(socket, randomBytes(2400), 1200, port)
    send(socket, randomBytes(900), 900, port)
    await until(() => datagrams.length === 7)
    expect(datagrams.map(({ length }) => length)).toEqual([1000, 1000, 1000, 2500, 1200, 1200, 900])
  })

  runs('tells what is too large, and which trains are not cut', async () => {
    const tooLarge: number[] = []
    let refused = 0
    const events = {
      ...recording().events,
      onTooLarge: (bytes: number) => tooLarge.push(bytes),
      onTrainsRefused: () => refused++,
    }
    const socket = await open(events)
    const { port, datagrams } = await plainReceiver()
    // The kernel takes 64 segments of a train at most, or 128 in later versions: EINVAL.
    send(socket, randomBytes(200 * 100), 100, port)
    expect([refused, socket.trainPackets]).toEqual([1, 1])
    send(socket, randomBytes(500), 500, port)
    await until(() => datagrams.length === 1)
    expect(tooLarge).toEqual([])
  })
})
