import { equalBytes } from '@godwit/protocol/bytes'
import { describe, expect, test } from 'vitest'
import { MemorySink, MemorySource } from '../testing/memoryChunks.js'
import { Pair, type PairOptions } from '../testing/pair.js'
import { SeededRandom } from '../testing/random.js'
import type { LinkOptions } from '../testing/virtualLink.js'
import type { ConnectionConfig } from './config.js'

const SECOND_US = 1_000_000
const MIB = 1024 * 1024

interface Transfer {
  readonly bytes: number
  readonly seed?: number
  readonly link?: Partial<LinkOptions>
  readonly config?: Partial<ConnectionConfig>
  readonly isJoined?: boolean
  readonly untilUs?: number
  readonly chunkBytes?: number
  readonly prepare?: (pair: Pair, source: MemorySource, sink: MemorySink) => void
}

/** Sends bytes from the first end to the second and checks what every transfer must hold to. */
const transfer = (options: Transfer) => {
  const seed = options.seed ?? 1
  const data = new SeededRandom(seed).bytes(options.bytes)
  const source = new MemorySource(data, options.chunkBytes)
  const sink = new MemorySink(options.bytes, options.chunkBytes)
  const pairOptions: PairOptions = {
    seed,
    link: options.link ?? {},
    isJoined: options.isJoined ?? false,
    first: { source, config: options.config ?? {} },
    second: { sink, config: options.config ?? {} },
  }
  const pair = new Pair(pairOptions)
  if (options.prepare === undefined) pair.second.connection.grantCredit(Number.MAX_SAFE_INTEGER)
  else options.prepare(pair, source, sink)
  const isDone = pair.run(() => sink.isComplete && source.isAllAcked, options.untilUs ?? 60 * SECOND_US)
  expect({ isDone, received: sink.bytesReceived }).toEqual({ isDone: true, received: options.bytes })
  expect(equalBytes(sink.data, data)).toBe(true)
  expect(sink.wrongHashes).toBe(0)
  expect(source.ackedTwice).toBe(0)
  expect(pair.first.maxPackets).toBeLessThanOrEqual(65_536)
  return { pair, source, sink, stats: pair.first.connection.stats, rate: (options.bytes * 1e6) / pair.nowUs }
}

const ROUGH: Partial<LinkOptions> = { lossRate: 0.1, jitterUs: 4000, duplicateRate: 0.02, corruptRate: 0.02 }

describe('a transfer over one connection', () => {
  test('fills a clean link', () => {
    const { stats, rate } = transfer({ bytes: 4 * MIB })
    expect(rate).toBeGreaterThan(4_000_000)
    expect(stats.packetsCorrupted).toBe(0)
  })

  test.each([1, 2, 3])('arrives over a link that loses, reorders, doubles and corrupts (seed %i)', (seed) => {
    const { stats, pair, source } = transfer({ bytes: MIB, link: ROUGH, seed })
    expect(stats.packetsLost).toBeGreaterThan(50)
    expect(pair.second.connection.stats.packetsCorrupted).toBeGreaterThan(5)
    // What is sent again is what was lost, and not much more.
    expect(stats.bytesRetransmitted).toBeLessThan(source.bytesTaken * 0.25)
  })

  test('arrives in trains over the same link, where one bad packet dies alone', () => {
    const { pair, stats, source } = transfer({
      bytes: MIB,
      link: { ...ROUGH, jitterUs: 0 },
      config: { trainPackets: 64 },
      isJoined: true,
    })
    expect(pair.first.trains).toBeGreaterThan(20)
    expect(stats.bytesRetransmitted).toBeLessThan(source.bytesTaken * 0.25)
  })

  test('fills a clean link with trains', () => {
    const { pair, rate } = transfer({ bytes: 4 * MIB, config: { trainPackets: 64 }, isJoined: true })
    expect(pair.first.trains).toBeGreaterThan(20)
    expect(rate).toBeGreaterThan(4_000_000)
  })

  test('arrives in large datagrams', () => {
    const { stats } = transfer({
      bytes: 4 * MIB,
      config: { datagramBytes: 65_507 },
      link: { rate: 1e8, lossRate: 0.02 },
    })
    expect(stats.datagramBytes).toBe(65_507)
    expect(stats.packetsSent).toBeLessThan(250)
  })

  test('goes on in smaller datagrams when the limit sinks under it', () => {
    const { stats } = transfer({
      bytes: MIB,
      config: { datagramMaxBytes: 8952, trainPackets: 8 },
      link: { lossRate: 0.02 },
      prepare: (pair) => {
        pair.second.connection.grantCredit(MIB)
        const sizes = [8952, 4052, 1472, 1452, 1440, 1412, 1392, 1372, 1232]
        pair.at(100_000, () => {
          for (const bytes of sizes) pair.first.connection.handleTooLarge(pair.nowUs, bytes)
        })
      },
    })
    expect(stats.datagramBytes).toBe(1200)
  })

  test('sends many small chunks, several in a packet', () => {
    const { stats } = transfer({ bytes: 64 * 1024, chunkBytes: 100, link: { lossRate: 0.05 } })
    expect(stats.packetsSent).toBeLessThan(200)
  })

  test('survives bursts of losses', () => {
    const { stats } = transfer({ bytes: MIB, link: { burstRate: 0.002, burstDatagrams: 40 } })
    expect(stats.packetsLost).toBeGreaterThan(30)
  })

  test('survives darkness of seconds and goes on soon after it', () => {
    const { pair } = transfer({ bytes: 4 * MIB, link: { blackouts: [[200_000, 6_200_000]] } })
    expect(pair.nowUs).toBeGreaterThan(6_200_000)
    expect(pair.nowUs).toBeLessThan(9_500_000)
  })

  test('fills a long link', () => {
    const { rate } = transfer({ bytes: 8 * MIB, link: { rate: 12_500_000, delayUs: 50_000, queueBytes: MIB } })
    expect(rate).toBeGreaterThan(2_500_000)
  })

  test('is not slowed down by datagrams that overtake each other', () => {
    const { stats, rate } = transfer({ bytes: 4 * MIB, link: { jitterUs: 4000, queueBytes: MIB } })
    expect(rate).toBeGreaterThan(4_000_000)
    expect(stats.bytesRetransmitted).toBeLessThan(0.4 * MIB)
  })

  test('updates its keys every 64 packets, also over a rough link', () => {
    for (const link of [{}, ROUGH]) {
      const { stats } = transfer({ bytes: MIB, config: { keyUpdatePackets: 64 }, link })
      expect(stats.keyEpoch).toBeGreaterThan(4)
    }
  })

  test('waits for credit, and never passes it', () => {
    const total = MIB
    const { sink } = transfer({
      bytes: total,
      link: { lossRate: 0.05 },
      prepare: (pair, _source, sink) => {
        const windowBytes = 64 * 1024
        const grant = (): void => {
          sink.creditBytes = Math.min(total, sink.bytesReceived + windowBytes)
          pair.second.connection.grantCredit(sink.creditBytes)
          if (!sink.isComplete) pair.at(pair.nowUs + 20_000, grant)
        }
        grant()
      },
    })
    expect(sink.isComplete).toBe(true)
  })

  test('gets its credit in time from a receiver whose acknowledgements are many', () => {
    const source = new MemorySource(new Uint8Array(8 * MIB))
    const sink = new MemorySink(8 * MIB)
    const pair = new Pair({
      seed: 4,
      // Each lost packet is acknowledged at once: far more bytes than the limit, which is for what is paced.
      link: { lossRate: 0.05 },
      backLink: { lossRate: 0 },
      first: { source, config: { profile: 'lossy' } },
      second: { sink, config: { limit: 2000 } },
    })
    const grant = (): void => {
      sink.creditBytes = Math.min(8 * MIB, sink.bytesReceived + MIB)
      pair.second.connection.grantCredit(sink.creditBytes)
      if (!sink.isComplete) pair.at(pair.nowUs + 100_000, grant)
    }
    grant()
    expect(pair.run(() => sink.isComplete, 5 * SECOND_US)).toBe(true)
  })

  test.each([100_000, 1_000_000, 5_000_000])('keeps to a limit of %i bytes a second', (limit) => {
    const data = new Uint8Array(64 * MIB)
    const source = new MemorySource(data)
    const pair = new Pair({
      seed: 4,
      first: { source, config: { limit } },
      second: { sink: new MemorySink(data.length) },
    })
    pair.second.connection.grantCredit(data.length)
    pair.run(() => false, SECOND_US)
    const before = pair.first.connection.stats.bytesSent
    pair.run(() => false, 3 * SECOND_US)
    const rate = (pair.first.connection.stats.bytesSent - before) / 2
    expect(rate).toBeGreaterThan(limit * 0.9)
    expect(rate).toBeLessThan(limit * 1.1)

    pair.first.connection.setLimit(limit / 2)
    const atChange = pair.first.connection.stats.bytesSent
    pair.run(() => false, 5 * SECOND_US)
    const slower = (pair.first.connection.stats.bytesSent - atChange) / 2
    expect(slower).toBeLessThan(limit * 0.55)
    expect(slower).toBeGreaterThan(limit * 0.45)
  })

  test('takes little memory and few packets for what it sends', () => {
    const { pair, stats } = transfer({ bytes: 4 * MIB, config: { inFlightMaxPackets: 256 } })
    expect(pair.first.maxPackets).toBe(256)
    expect(pair.first.maxLostSegments).toBeLessThanOrEqual(2048)
    expect(pair.second.connection.stats.packetsSent).toBeLessThan(stats.packetsSent / 3)
  })
})

describe('the control stream', () => {
  test.each([
    ['a clean link', {}, 1024 * 1024],
    ['a clean link, with a small window', {}, 5000],
    ['a rough link, with a small window', ROUGH, 16_384],
  ])('carries 1 MiB both ways over %s', (_name, link, controlWindowBytes) => {
    const there = new SeededRandom(7).bytes(MIB)
    const back = new SeededRandom(8).bytes(MIB)
    const pair = new Pair({
      seed: 9,
      link,
      first: { config: { controlWindowBytes } },
      second: { config: { controlWindowBytes } },
    })
    pair.first.controlToSend = there
    pair.second.controlToSend = back
    const isDone = pair.run(
      () =>
        pair.second.controlBytes === MIB &&
        pair.first.controlBytes === MIB &&
        pair.first.connection.isControlDrained &&
        pair.second.connection.isControlDrained,
      200 * SECOND_US,
    )
    expect(isDone).toBe(true)
    expect(equalBytes(pair.second.control(), there)).toBe(true)
    expect(equalBytes(pair.first.control(), back)).toBe(true)
  })

  test('takes no more than its window while nobody answers', () => {
    const pair = new Pair({ seed: 1, link: { lossRate: 1 }, first: { config: { controlWindowBytes: 4096 } } })
    expect(pair.first.connection.writeControl(new Uint8Array(10_000))).toBe(4096)
    expect(pair.first.connection.controlSendRoom).toBe(0)
    expect(pair.first.connection.writeControl(new Uint8Array(1))).toBe(0)
  })
})

describe('paths', () => {
  const endless = () => {
    const data = new Uint8Array(256 * MIB)
    return { source: new MemorySource(data), sink: new MemorySink(data.length) }
  }

  test('nothing but probes goes to an address that has not answered', () => {
    const { source } = endless()
    source.creditBytes = MIB
    const pair = new Pair({ seed: 1, first: { source, candidates: [77, 78] }, second: { candidates: [] } })
    pair.first.controlToSend = new Uint8Array(1000)
    pair.run(() => false, 14 * SECOND_US)
    const { stats } = pair.first.connection
    expect(stats.bytesSent).toBe(stats.packetsSent * 64)
    expect(stats.packetsSent).toBeLessThan(100)
    expect(pair.first.connection.isEstablished).toBe(false)
  })

  test('gives up after 15 s without an answer', () => {
    const pair = new Pair({ seed: 1, link: { lossRate: 1 } })
    pair.run(() => pair.first.connection.isClosed && pair.second.connection.isClosed, 60 * SECOND_US)
    expect(pair.first.events).toEqual([{ type: 'lost', reason: 'noPath' }])
    expect(pair.nowUs).toBe(15 * SECOND_US)
    expect(pair.first.connection.isDrained).toBe(true)
  })

  test('only one side needs to know the address of the other', () => {
    const pair = new Pair({ seed: 1, first: { candidates: [] } })
    pair.run(() => pair.first.connection.isEstablished && pair.second.connection.isEstablished, SECOND_US)
    expect(pair.first.connection.activePath).toMatchObject({ id: 2, kind: 'peerReflexive' })
    expect(pair.second.connection.activePath).toMatchObject({ id: 1, kind: 'host' })
  })

  test('takes the first candidate that answers', () => {
    const pair = new Pair({ seed: 1, first: { candidates: [50, 51, 2] } })
    pair.run(() => pair.first.connection.isEstablished, SECOND_US)
    expect(pair.first.events).toEqual([{ type: 'established', pathId: 2 }])
    expect(pair.first.connection.stats.rttUs).toBeGreaterThan(19_000)
  })

  test('is lost after 30 s of silence', () => {
    const pair = new Pair({ seed: 1, link: { blackouts: [[SECOND_US, 1000 * SECOND_US]] } })
    pair.run(() => pair.first.connection.isClosed, 100 * SECOND_US)
    expect(pair.first.events.at(-1)).toEqual({ type: 'lost', reason: 'idle' })
    expect(pair.nowUs).toBeGreaterThan(30 * SECOND_US)
    expect(pair.nowUs).toBeLessThan(32 * SECOND_US)
  })

  test('stays alive without data', () => {
    const pair = new Pair({ seed: 1 })
    pair.run(() => false, 300 * SECOND_US)
    expect(pair.first.connection.isEstablished).toBe(true)
    expect(pair.second.connection.isEstablished).toBe(true)
    expect(pair.first.connection.stats.packetsSent).toBeLessThan(120)
    expect(pair.steps).toBeLessThan(1000)
  })

  test.each([
    ['the sender', 'first'],
    ['the receiver', 'second'],
  ] as const)('follows %s to a new address', (_name, mover) => {
    const { source, sink } = endless()
    const pair = new Pair({ seed: 3, link: { rate: 4_000_000 }, first: { source }, second: { sink } })
    pair.second.connection.grantCredit(Number.MAX_SAFE_INTEGER)
    const stayer = mover === 'first' ? pair.second : pair.first
    pair.run(() => false, SECOND_US)
    pair[mover].addresses = [9]
    // Whoever moves says something soon after, as both do all the time.
    pair[mover].controlToSend = Uint8Array.of(1)
    pair.run(() => stayer.has('pathChanged'), 10 * SECOND_US)
    expect(stayer.events.at(-1)).toEqual({ type: 'pathChanged', pathId: 9 })
    expect(pair.nowUs).toBeLessThan(SECOND_US + 3 * SECOND_US)
    const before = sink.bytesReceived
    pair.run(() => false, pair.nowUs + 3 * SECOND_US)
    expect(sink.bytesReceived - before).toBeGreaterThan(3 * MIB)
    expect(stayer.connection.activePath).toMatchObject({ id: 9, kind: 'peerReflexive' })
  })

  test('moves to another candidate when the path it uses dies', () => {
    const { source, sink } = endless()
    const pair = new Pair({
      seed: 3,
      link: { rate: 4_000_000 },
      first: { source, candidates: [2, 20] },
      second: { sink },
    })
    pair.second.addresses = [2, 20]
    pair.second.connection.grantCredit(Number.MAX_SAFE_INTEGER)
    pair.run(() => false, SECOND_US)
    const [unused, used] = pair.first.connection.activePath?.id === 2 ? [20, 2] : [2, 20]
    pair.second.addresses = [unused]
    pair.run(() => pair.first.connection.activePath?.id === unused, 10 * SECOND_US)
    expect(pair.nowUs).toBeLessThan(5 * SECOND_US)
    expect(used).not.toBe(unused)
    const before = sink.bytesReceived
    pair.run(() => false, pair.nowUs + 3 * SECOND_US)
    expect(sink.bytesReceived - before).toBeGreaterThan(3 * MIB)
  })

  test('stays where it is while both of two paths work', () => {
    const { source, sink } = endless()
    const pair = new Pair({
      seed: 5,
      first: { source, candidates: [2, 20] },
      second: { sink },
      link: { lossRate: 0.02 },
    })
    pair.second.addresses = [2, 20]
    pair.second.connection.grantCredit(Number.MAX_SAFE_INTEGER)
    pair.run(() => false, 10 * SECOND_US)
    expect(pair.first.events.map((event) => event.type)).toEqual(['established'])
    expect(pair.second.events.map((event) => event.type)).toEqual(['established'])
  })
})

describe('the size of datagrams', () => {
  test.each([
    [1472, 8952, 1472],
    [8952, 8952, 8952],
    [1400, 8952, 1392],
    [1200, 8952, 1200],
    [65_507, 65_507, 65_507],
  ])('a path of %i bytes, searched up to %i, gives %i', (mtuBytes, datagramMaxBytes, found) => {
    const { pair } = transfer({
      bytes: 2 * MIB,
      config: { datagramMaxBytes },
      link: { lossRate: 0.001 },
      prepare: (pair) => {
        pair.first.link.mtuBytes = mtuBytes
        pair.second.connection.grantCredit(2 * MIB)
        pair.run(() => pair.nowUs > 3 * SECOND_US, 4 * SECOND_US)
      },
    })
    pair.run(() => false, pair.nowUs + 5 * SECOND_US)
    expect(pair.first.connection.stats.datagramBytes).toBe(found)
  })

  test('falls when the path gets narrower, and is found again', () => {
    const data = new Uint8Array(256 * MIB)
    const sink = new MemorySink(data.length)
    const pair = new Pair({
      seed: 6,
      first: { source: new MemorySource(data), config: { datagramMaxBytes: 8952, limit: 2_000_000, trainPackets: 4 } },
      second: { sink },
    })
    pair.second.connection.grantCredit(data.length)
    pair.run(() => false, SECOND_US)
    expect(pair.first.connection.stats.datagramBytes).toBe(8952)
    pair.first.link.mtuBytes = 1472
    pair.run(() => false, 8 * SECOND_US)
    expect(pair.first.connection.stats.datagramBytes).toBe(1472)
    const before = sink.bytesReceived
    pair.run(() => false, 10 * SECOND_US)
    expect(sink.bytesReceived - before).toBeGreaterThan(3_000_000)
  })

  test('follows what the socket refuses, at once', () => {
    const pair = new Pair({ seed: 6, first: { config: { datagramMaxBytes: 65_507 } } })
    pair.first.link.mtuBytes = 1472
    const { connection } = pair.first
    // The interface carries 1,500 bytes: each larger probe is refused by the socket.
    const refuse = (): void => {
      for (const bytes of [65_507, 32_716, 16_332, 8952, 4052]) connection.handleTooLarge(pair.nowUs, bytes)
    }
    pair.at(30_000, refuse)
    pair.run(() => connection.stats.datagramBytes === 1472, SECOND_US)
    expect(connection.stats.datagramBytes).toBe(1472)
    // Not refused for the first time: what was in flight before the last answer.
    connection.handleTooLarge(pair.nowUs, 8952)
    expect(connection.stats.datagramBytes).toBe(1472)
    connection.handleTooLarge(pair.nowUs, 1472)
    expect(connection.stats.datagramBytes).toBe(1452)
    connection.handleTooLarge(pair.nowUs, 1200)
    expect(connection.stats.datagramBytes).toBe(1452)
    expect(connection.pollEvent()).toEqual({ type: 'mtuChanged', datagramBytes: 1452 })
  })
})

describe('the end of a connection', () => {
  test('is told to the other side, after what was said before', () => {
    const pair = new Pair({ seed: 1 })
    pair.first.controlToSend = Uint8Array.of(1, 2, 3)
    pair.run(() => pair.first.connection.isControlDrained && pair.first.connection.isEstablished, SECOND_US)
    pair.first.connection.close('paused')
    pair.run(() => pair.second.connection.isClosed, SECOND_US)
    expect(pair.second.events.at(-1)).toEqual({ type: 'closed', by: 'peer', code: 'paused' })
    expect(pair.first.events.at(-1)).toEqual({ type: 'closed', by: 'us', code: 'paused' })
    pair.run(() => pair.first.connection.isDrained, 10 * SECOND_US)
    expect(pair.first.connection.isDrained).toBe(true)
    expect(pair.first.connection.writeControl(Uint8Array.of(1))).toBe(0)
  })

  test('ends the handing out of control bytes at once on the side that closes', () => {
    const pair = new Pair({ seed: 1 })
    pair.run(() => pair.first.connection.isEstablished && pair.second.connection.isEstablished, SECOND_US)
    pair.first.controlToSend = new Uint8Array(100_000)
    pair.run(() => pair.second.controlBytes > 0, 2 * SECOND_US)
    pair.second.connection.close('protocol')
    const heard = pair.second.controlBytes
    pair.run(() => pair.first.connection.isClosed, 3 * SECOND_US)
    expect(pair.second.controlBytes).toBe(heard)
    expect(pair.first.events.at(-1)).toEqual({ type: 'closed', by: 'peer', code: 'protocol' })
  })

  test('comes through although its first packet is lost, when the peer still talks', () => {
    const data = new Uint8Array(256 * MIB)
    const sink = new MemorySink(data.length)
    const pair = new Pair({
      seed: 1,
      first: { source: new MemorySource(data) },
      second: { sink },
      backLink: { blackouts: [[1_000_000, 1_030_000]] },
    })
    pair.second.connection.grantCredit(data.length)
    pair.run(() => false, 1_000_000)
    pair.second.connection.close('cancelled')
    pair.run(() => pair.first.connection.isClosed, 2 * SECOND_US)
    expect(pair.first.events.at(-1)).toEqual({ type: 'closed', by: 'peer', code: 'cancelled' })
  })

  test('comes when the packet numbers are used up', () => {
    const data = new Uint8Array(16 * MIB)
    const source = new MemorySource(data)
    const pair = new Pair({
      seed: 1,
      first: { source, config: { packetNumberMax: 500 } },
      second: { sink: new MemorySink(data.length) },
    })
    pair.second.connection.grantCredit(data.length)
    pair.run(() => pair.first.connection.isClosed, 10 * SECOND_US)
    expect(pair.first.events.at(-1)).toEqual({ type: 'lost', reason: 'packetNumbersUsedUp' })
    expect(pair.first.connection.stats.packetsSent).toBeLessThan(500)
  })

  test('comes when the peer sends chunks that nobody wants', () => {
    const source = new MemorySource(new Uint8Array(1000))
    source.creditBytes = 1000
    const pair = new Pair({ seed: 1, first: { source } })
    pair.run(() => pair.first.connection.isClosed, 10 * SECOND_US)
    expect(pair.second.events.at(-1)).toEqual({ type: 'closed', by: 'us', code: 'protocol' })
    expect(pair.first.events.at(-1)).toEqual({ type: 'closed', by: 'peer', code: 'protocol' })
  })

  test('comes when data passes the credit', () => {
    const data = new Uint8Array(100_000)
    const source = new MemorySource(data)
    const sink = new MemorySink(data.length)
    source.creditBytes = data.length
    sink.creditBytes = 50_000
    const pair = new Pair({ seed: 1, first: { source }, second: { sink } })
    pair.run(() => pair.second.connection.isClosed, 10 * SECOND_US)
    expect(pair.second.events.at(-1)).toEqual({ type: 'closed', by: 'us', code: 'protocol' })
  })
})
