/**
 * A peer with valid keys against the production sessions: each attack ends the session with a typed close or comes to
 * nothing, and neither memory nor time goes beyond its limits.
 */
import { ChunkPlan } from '@godwit/protocol/chunkPlan'
import { encodeControlMessage } from '@godwit/protocol/controlMessages'
import {
  chunkDataHeaderBytes,
  FRAME_ACK,
  FRAME_CHUNK_DATA,
  FRAME_CHUNK_HASH,
  FRAME_CLOSE,
  FRAME_CONTROL,
  FRAME_MAX_CONTROL,
  FRAME_MAX_CREDIT,
  FRAME_PING,
  writeChunkDataHeader,
  writeNumberFrame,
} from '@godwit/protocol/frames'
import {
  CHUNK_SIZE_BYTES,
  CONTROL_WINDOW_BYTES,
  CREDIT_WINDOW_BYTES,
  IDLE_TIMEOUT_MS,
  MANIFEST_MAX_BYTES,
} from '@godwit/protocol/limits'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { writeVarint } from '@godwit/protocol/varint'
import { describe, expect, test } from 'vitest'
import { HostilePeer } from '../testing/hostilePeer.js'

const HUGE = Number.MAX_SAFE_INTEGER
const plan = new ChunkPlan([3 * CHUNK_SIZE_BYTES + 5, 0, 10_000])

/** A type and numbers, one behind the other. */
const frame = (type: number, numbers: readonly number[], tail: Uint8Array = new Uint8Array(0)): Uint8Array => {
  const bytes = new Uint8Array(1 + 8 * numbers.length + tail.length)
  bytes[0] = type
  let at = 1
  for (const number of numbers) at = writeVarint(bytes, at, number)
  bytes.set(tail, at)
  return bytes.subarray(0, at + tail.length)
}

const chunkData = (chunk: number, offset: number, data: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(chunkDataHeaderBytes(chunk, offset, data.length) + data.length)
  bytes.set(data, writeChunkDataHeader(bytes, 0, chunk, offset, data.length))
  return bytes
}

const offered = (): HostilePeer => {
  const peer = new HostilePeer({ victim: 'receiver', plan })
  peer.sendControl(encodeControlMessage({ type: 'Manifest', manifest: Uint8Array.of(1) }))
  return peer
}

const receiving = (of: ChunkPlan = plan): HostilePeer => {
  const peer = offered()
  peer.begin(of, new RangeSet())
  expect(peer.end).toBeUndefined()
  return peer
}

const sending = (): HostilePeer => {
  const peer = new HostilePeer({ victim: 'sender', plan })
  peer.sendControl(encodeControlMessage({ type: 'Accept', held: [] }))
  expect(peer.end).toBeUndefined()
  return peer
}

const PROTOCOL = { type: 'closed', by: 'us', code: 'protocol' }

describe('frames that make no sense end a session', () => {
  test.each<[string, Uint8Array]>([
    ['an unknown type', Uint8Array.of(0x3f)],
    ['every byte set', new Uint8Array(100).fill(0xff)],
    ['a frame that is cut off', frame(FRAME_CHUNK_DATA, [0, 0, 500], new Uint8Array(20))],
    ['data of no bytes', frame(FRAME_CHUNK_DATA, [0, 0, 0])],
    ['data beyond a chunk', frame(FRAME_CHUNK_DATA, [0, CHUNK_SIZE_BYTES - 1, 2], new Uint8Array(2))],
    ['data of a chunk that is not there', chunkData(plan.chunkCount, 0, new Uint8Array(10))],
    ['data of chunk 2^53-1', chunkData(HUGE, 0, new Uint8Array(10))],
    ['data behind the end of a short chunk', chunkData(plan.chunkCount - 1, 9_999, new Uint8Array(2))],
    ['data at 2^53-1', frame(FRAME_CHUNK_DATA, [0, HUGE, 1], new Uint8Array(1))],
    ['a control stream at 2^53-1', frame(FRAME_CONTROL, [HUGE, 1], new Uint8Array(1))],
    ['a control stream beyond its window', frame(FRAME_CONTROL, [2 * CONTROL_WINDOW_BYTES, 1], new Uint8Array(1))],
    ['an acknowledgement of what was never sent', frame(FRAME_ACK, [100_000, 0, 0, 0])],
    ['an acknowledgement of 2^53-1', frame(FRAME_ACK, [HUGE, 0, 0, 0])],
    ['an acknowledgement of 2^53 packets', frame(FRAME_ACK, [HUGE, 0, 0, HUGE])],
    ['more ranges than there may be', frame(FRAME_ACK, [5, 0, 1_000_000, 0])],
    ['ranges below zero', frame(FRAME_ACK, [0, 0, 1, 0, 5, 5])],
    ['credit for one who sends nothing', frame(FRAME_MAX_CREDIT, [HUGE])],
  ])('%s', (_name, bytes) => {
    const peer = receiving()
    peer.send(bytes)
    expect(peer.end).toMatchObject(PROTOCOL)
    expect(peer.pool.mostBytesOut).toBeLessThanOrEqual(CHUNK_SIZE_BYTES)
  })

  test.each<[string, Uint8Array]>([
    ['data for one who sends', chunkData(0, 0, new Uint8Array(10))],
    ['a hash for one who sends', frame(FRAME_CHUNK_HASH, [0], new Uint8Array(32))],
    ['an acknowledgement of what was never sent', frame(FRAME_ACK, [100_000, 0, 0, 0])],
  ])('%s, at a sender', (_name, bytes) => {
    const peer = sending()
    peer.send(bytes)
    expect(peer.end).toMatchObject(PROTOCOL)
  })
})

describe('messages that make no sense end a session', () => {
  const byte = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes)
  test.each<[string, Uint8Array]>([
    ['of no length', byte(0)],
    ['of an unknown type', byte(1, 0x7f)],
    ['longer than there may be', writeLength(MANIFEST_MAX_BYTES + 1000)],
    ['of 2^53-1 bytes', writeLength(HUGE)],
    ['a second offer', encodeControlMessage({ type: 'Manifest', manifest: byte(1) })],
    ['an answer from the one who asks', encodeControlMessage({ type: 'Accept', held: [] })],
    [
      'hashes of files that are not there',
      encodeControlMessage({ type: 'FileHashes', first: 3, hashes: new Uint8Array(32) }),
    ],
    ['a completion that is known before it is', encodeControlMessage({ type: 'CompletionKnown' })],
    ['a million pairs in no bytes', frame(5, [0x04, 1_000_000])],
  ])('at a receiver: %s', (_name, bytes) => {
    const peer = receiving()
    peer.sendControl(bytes)
    expect(peer.end).toMatchObject(PROTOCOL)
  })

  test.each<[string, Uint8Array]>([
    [
      'acknowledges chunks that are not there',
      encodeControlMessage({ type: 'Durable', ranges: [[0, plan.chunkCount + 1]] }),
    ],
    ['acknowledges 2^52 chunks', encodeControlMessage({ type: 'Durable', ranges: [[0, 2 ** 52]] })],
    [
      'asks for chunks that are not there',
      encodeControlMessage({ type: 'Retransmit', reason: 'hashMismatch', ranges: [[99, 1]] }),
    ],
    ['accepts twice', encodeControlMessage({ type: 'Accept', held: [] })],
    ['declines what it accepted', encodeControlMessage({ type: 'Decline' })],
    ['completes something else', encodeControlMessage({ type: 'Completed', bytes: 1, milliseconds: 1, missing: [] })],
    ['completes files that are not there', encodeControlMessage({ type: 'FilesCompleted', first: 2, count: 9 })],
    ['answers lanes that nobody offered', encodeControlMessage({ type: 'Lanes', lanes: [] })],
    ['offers', encodeControlMessage({ type: 'Manifest', manifest: byte(1) })],
  ])('a receiver that %s', (_name, bytes) => {
    const peer = sending()
    peer.sendControl(bytes)
    expect(peer.end).toMatchObject(PROTOCOL)
  })

  test('an acceptance of a million ranges is refused before anything of it is kept', () => {
    const peer = new HostilePeer({ victim: 'sender', plan })
    peer.sendControl(frame(5, [0x02, 1_000_000]))
    expect(peer.end).toMatchObject(PROTOCOL)
  })
})

describe('a sender that uses more than it was granted', () => {
  /** As many chunks as take the whole window, and some. */
  const many = new ChunkPlan(Array.from({ length: 80 }, () => CHUNK_SIZE_BYTES))

  test('is ended at the bound of its credit', () => {
    const peer = receiving(many)
    for (let chunk = 0; chunk < 80 && peer.end === undefined; chunk++) peer.send(chunkData(chunk, 0, new Uint8Array(1)))
    expect(peer.end).toMatchObject(PROTOCOL)
    expect(peer.pool.mostBytesOut).toBeLessThanOrEqual(CREDIT_WINDOW_BYTES)
  })

  test('is ended at the bound of its credit by hashes alone', () => {
    const peer = receiving(many)
    for (let chunk = 0; chunk < 80; chunk++) peer.send(frame(FRAME_CHUNK_HASH, [chunk], new Uint8Array(32)))
    expect(peer.pool.mostBytesOut).toBeLessThanOrEqual(CREDIT_WINDOW_BYTES)
  })

  test('cannot cut a chunk into crumbs', () => {
    const peer = receiving(many)
    // From the back, every second byte: each would have to be put before all others.
    let sent = 0
    for (let offset = CHUNK_SIZE_BYTES - 1; offset > 0 && peer.end === undefined; offset -= 2) {
      peer.send(chunkData(0, offset, new Uint8Array(1)))
      sent += 1
    }
    expect(peer.end).toMatchObject(PROTOCOL)
    expect(sent).toBeLessThan(5000)
  })

  test('may send the packets of a chunk in any order', () => {
    const peer = receiving(many)
    const pieces = Array.from({ length: Math.ceil(CHUNK_SIZE_BYTES / 1100) }, (_, i) => i * 1100)
    const order = [...pieces.filter((_, i) => i % 2 === 0), ...pieces.filter((_, i) => i % 2 === 1)].reverse()
    for (const offset of order)
      peer.send(chunkData(0, offset, new Uint8Array(Math.min(1100, CHUNK_SIZE_BYTES - offset))))
    peer.send(frame(FRAME_CHUNK_HASH, [0], new Uint8Array(32)))
    expect(peer.end).toBeUndefined()
    expect(peer.written).toEqual([0])
  })
})

describe('a receiver that lies about its credit', () => {
  test('gets a sender to hold no more than its limit', () => {
    const large = new ChunkPlan([512 * CHUNK_SIZE_BYTES])
    const peer = new HostilePeer({ victim: 'sender', plan: large })
    peer.sendControl(encodeControlMessage({ type: 'Accept', held: [] }))
    peer.send(frame(FRAME_MAX_CREDIT, [HUGE]))
    peer.send(frame(FRAME_MAX_CONTROL, [HUGE]))
    for (let i = 0; i < 50; i++) {
      peer.send(frame(FRAME_ACK, [peer.largestSeen, 0, 0, Math.min(1, peer.largestSeen)]))
      peer.advance(10_000)
    }
    expect(peer.end).toBeUndefined()
    expect(peer.pool.mostBytesOut).toBeLessThanOrEqual(136 * CHUNK_SIZE_BYTES)
  })
})

describe('a peer that is slow on purpose', () => {
  test('and says nothing is given up after the idle time', () => {
    const peer = receiving()
    peer.advance(IDLE_TIMEOUT_MS * 1000 + 1_000_000)
    expect(peer.end).toMatchObject({ type: 'lost', reason: 'idle' })
  })

  test('and sends a long message byte by byte makes nobody hold more than the message', () => {
    const peer = new HostilePeer({ victim: 'receiver', plan })
    const message = encodeControlMessage({ type: 'Manifest', manifest: new Uint8Array(20_000) })
    peer.sendControl(message.subarray(0, message.length - 1), 1)
    expect(peer.end).toBeUndefined()
    expect(peer.reports).toEqual([])
    peer.sendControl(message.subarray(message.length - 1))
    expect(peer.reports).toMatchObject([{ type: 'offered' }])
  })

  test('and leaves gaps everywhere in the control stream is ended', () => {
    const peer = receiving()
    for (let i = 0; i < 10_000 && peer.end === undefined; i++) peer.sendControlAt(1000 + 2 * i, Uint8Array.of(0))
    expect(peer.end).toMatchObject(PROTOCOL)
  })
})

describe('captures that are sent again', () => {
  test('have no effect, from wherever they come', () => {
    const peer = receiving()
    const packet = peer.seal(chunkData(0, 0, new Uint8Array(100)))
    for (let i = 0; i < 100; i++) peer.sendRaw(packet, 1 + (i % 40))
    expect(peer.end).toBeUndefined()
    expect(peer.connection.stats.packetsDropped).toBeGreaterThanOrEqual(99)
    expect(peer.pool.mostBytesOut).toBe(CHUNK_SIZE_BYTES)
  })

  test('of what the victim sent itself are not answered', () => {
    const peer = receiving()
    const own = [...peer.datagrams]
    const before = peer.datagrams.length
    for (const datagram of own) peer.sendRaw(datagram)
    expect(peer.datagrams.length).toBe(before)
    expect(peer.end).toBeUndefined()
  })
})

test('a thousand addresses with valid keys make nobody probe more than a few', () => {
  const peer = receiving()
  for (let pathId = 2; pathId < 1002; pathId++) peer.send(Uint8Array.of(FRAME_PING), pathId)
  const before = peer.datagrams.length
  peer.advance(1_000_000)
  expect(peer.end).toBeUndefined()
  expect(peer.datagrams.length - before).toBeLessThan(300)
})

test('a close is believed, and nothing is sent behind it', () => {
  const peer = receiving()
  const close = new Uint8Array(2)
  writeNumberFrame(close, 0, FRAME_CLOSE, 0)
  peer.send(close)
  expect(peer.end).toMatchObject({ type: 'closed', by: 'peer' })
  const before = peer.datagrams.length
  for (let i = 0; i < 100; i++) peer.send(chunkData(0, i, new Uint8Array(1)))
  expect(peer.datagrams.length - before).toBeLessThanOrEqual(10)
})

function writeLength(length: number): Uint8Array {
  const bytes = new Uint8Array(8)
  return bytes.subarray(0, writeVarint(bytes, 0, length))
}
