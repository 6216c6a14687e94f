import { FRAME_ACK, FRAME_PING } from '@godwit/protocol/frames'
import { PACKET_HEADER_BYTES, PACKET_TAG_BYTES } from '@godwit/protocol/limits'
import { writePacketHeader } from '@godwit/protocol/packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NO_BODIES } from '../ports/packetProtection.js'
import { checksumKeys } from '../testing/checksumProtection.js'
import { MemorySink, MemorySource } from '../testing/memoryChunks.js'
import { SeededRandom } from '../testing/random.js'
import { Connection } from './connection.js'
import type { ConnectionEvent, Transmit } from './types.js'

const LOCAL = new Uint8Array(8).fill(1)
const REMOTE = new Uint8Array(8).fill(2)

/** A connection whose peer is played by the test: it seals whatever frames it likes with the right keys. */
const withPeer = () => {
  const [ours, theirs] = checksumKeys(3)
  const random = new SeededRandom(1)
  const source = new MemorySource(new Uint8Array(100_000))
  const connection = new Connection({
    lane: 0,
    localConnectionId: LOCAL,
    remoteConnectionId: REMOTE,
    keys: ours,
    source,
    sink: new MemorySink(100_000),
    randomBytes: (count) => random.bytes(count),
    nowUs: 0,
  })
  connection.addCandidate(1, 'host')
  const protection = theirs.send.epoch(0)
  let packetNumber = 0
  let nowUs = 0
  const out = new Uint8Array(2000)
  const transmit: Transmit = { pathId: 0, length: 0, segmentBytes: 0, isMtuProbe: false }
  const events: ConnectionEvent[] = []
  const drain = (): number => {
    let sent = 0
    while (connection.pollTransmit(nowUs, out, transmit)) {
      sent += 1
      expect(sent).toBeLessThan(1000)
    }
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) events.push(event)
    return sent
  }
  const say = (frames: Uint8Array): void => {
    nowUs += 1000
    const packet = new Uint8Array(PACKET_HEADER_BYTES + frames.length + PACKET_TAG_BYTES)
    writePacketHeader(packet, 0, 0, 0, packet.length, LOCAL, packetNumber)
    packet.set(frames, PACKET_HEADER_BYTES)
    protection.sealTrain(packet, 0, packet.length, packet.length, PACKET_HEADER_BYTES, packetNumber, NO_BODIES)
    packetNumber += 1
    connection.handleRead(nowUs, 1, packet, packet.length)
    drain()
  }
  /** Answers our challenge, which is in the first packet that goes out. */
  const establish = (): void => {
    connection.pollTransmit(nowUs, out, transmit)
    const table = Uint32Array.of(0, transmit.length, 0, 0)
    theirs.receive.epoch(0).openPackets(out, table, 1, PACKET_HEADER_BYTES)
    expect(table[3]).toBe(1)
    say(Uint8Array.of(9, ...out.subarray(PACKET_HEADER_BYTES + 1, PACKET_HEADER_BYTES + 9)))
    expect(connection.isEstablished).toBe(true)
  }
  const advance = (): void => {
    const dueUs = connection.pollTimeout()
    if (dueUs === Number.POSITIVE_INFINITY) return
    nowUs = Math.max(nowUs, dueUs)
    connection.handleTimeout(nowUs)
    drain()
  }
  return { connection, source, say, establish, advance, drain, events }
}

describe('a connection against a peer that does what it likes', () => {
  test('any authentic frames end in a close or in nothing, never in a throw or a spin', () => {
    const byte = fc.oneof(fc.nat(255), fc.nat(12), fc.nat(3))
    fc.assert(
      fc.property(fc.array(fc.array(byte, { minLength: 1, maxLength: 60 }), { maxLength: 30 }), (packets) => {
        const { connection, say, establish, advance, source } = withPeer()
        establish()
        source.creditBytes = 50_000
        connection.wake()
        connection.writeControl(new Uint8Array(5000))
        for (const frames of packets) {
          say(Uint8Array.from(frames))
          advance()
        }
        if (connection.isClosed) expect(connection.writeControl(Uint8Array.of(1))).toBe(0)
      }),
      { numRuns: 400 },
    )
  })

  test('an acknowledgement of a packet that was never sent closes', () => {
    const { say, establish, events } = withPeer()
    establish()
    say(Uint8Array.of(FRAME_ACK, 63, 0, 0, 0))
    expect(events.at(-1)).toEqual({ type: 'closed', by: 'us', code: 'protocol' })
  })

  test('a peer that never acknowledges is probed ever more slowly', () => {
    const { connection, say, establish, advance, source } = withPeer()
    establish()
    source.creditBytes = 50_000
    connection.wake()
    say(Uint8Array.of(FRAME_PING))
    let sent = connection.stats.packetsSent
    for (let i = 0; i < 100 && !connection.isClosed; i++) {
      advance()
      if (i % 10 === 0) say(Uint8Array.of(FRAME_PING))
      expect(connection.stats.packetsSent - sent).toBeLessThan(20)
      sent = connection.stats.packetsSent
    }
    expect(connection.isClosed).toBe(false)
  })

  test('random datagrams are counted and never answered', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (datagrams) => {
        const { connection, establish, drain } = withPeer()
        establish()
        for (const bytes of datagrams) connection.handleRead(2000, 5, bytes, bytes.length)
        expect(drain()).toBe(0)
        expect(connection.isEstablished).toBe(true)
        expect(connection.knowsPath(5)).toBe(false)
        const filled = datagrams.filter((bytes) => bytes.length > 0).length
        expect(connection.stats.packetsDropped).toBe(filled)
      }),
    )
  })

  test('a path of a peer that hops from address to address is bounded', () => {
    const { connection, establish } = withPeer()
    establish()
    let known = 0
    for (let path = 100; path < 200; path++) {
      connection.addCandidate(path, 'peerReflexive')
    }
    for (let path = 0; path < 300; path++) if (connection.knowsPath(path)) known += 1
    expect(known).toBeLessThanOrEqual(16)
    expect(connection.knowsPath(1)).toBe(true)
  })
})
