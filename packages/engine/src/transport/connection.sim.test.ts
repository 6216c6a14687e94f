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
  test('fills a clean link and loses nothing', () => {
    const { stats, rate } = transfer({ bytes: 4 * MIB })
    expect(rate).toBeGreaterThan(4_000_000)
    expect(stats.packetsCorrupted).toBe(0)
  })

  test('arrives over a link that loses, reorders, doubles and corrupts', () => {
    const { stats, pair } = transfer({ bytes: MIB, link: ROUGH })
    expect(stats.packetsLost).toBeGreaterThan(50)
    expect(pair.second.connection.stats.packetsCorrupted).toBeGreaterThan(5)
  })
})
