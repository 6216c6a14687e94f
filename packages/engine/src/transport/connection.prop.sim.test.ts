import { equalBytes } from '@godwit/protocol/bytes'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemorySink, MemorySource } from '../testing/memoryChunks.js'
import { Pair } from '../testing/pair.js'
import { SeededRandom } from '../testing/random.js'

const SECOND_US = 1_000_000

const link = fc.record({
  rate: fc.constantFrom(200_000, 2_000_000, 50_000_000),
  delayUs: fc.constantFrom(50, 2000, 30_000, 150_000),
  jitterUs: fc.constantFrom(0, 300, 10_000),
  queueBytes: fc.constantFrom(8000, 60_000, 1_000_000),
  lossRate: fc.constantFrom(0, 0.01, 0.15),
  burstRate: fc.constantFrom(0, 0.001),
  duplicateRate: fc.constantFrom(0, 0.05),
  corruptRate: fc.constantFrom(0, 0.05),
  blackouts: fc.constantFrom([], [[300_000, 1_500_000] as const], [[0, 4_000_000] as const]),
})

const scenario = fc.record({
  seed: fc.nat(),
  bytes: fc.integer({ min: 1, max: 150_000 }),
  controlBytes: fc.nat(60_000),
  chunkBytes: fc.constantFrom(50, 3000, 1024 * 1024),
  isJoined: fc.boolean(),
  trainPackets: fc.constantFrom(1, 7, 64),
  datagramBytes: fc.constantFrom(1200, 1472),
  datagramMaxBytes: fc.constantFrom(1200, 8952),
  controlWindowBytes: fc.constantFrom(2000, 100_000),
  keyUpdatePackets: fc.constantFrom(20, 2 ** 22),
  inFlightMaxPackets: fc.constantFrom(64, 65_536),
  forth: link,
  back: link,
  movesAtUs: fc.option(fc.nat(3 * SECOND_US)),
  mtuBytes: fc.constantFrom(1472, 9000),
})

test('whatever the two links do, everything arrives once and unharmed, in a bounded number of steps', () => {
  fc.assert(
    fc.property(scenario, (plan) => {
      const { seed, bytes, chunkBytes, forth, back, isJoined } = plan
      const { trainPackets, datagramBytes, datagramMaxBytes, controlWindowBytes, keyUpdatePackets } = plan
      const config = {
        trainPackets,
        datagramBytes,
        datagramMaxBytes,
        controlWindowBytes,
        keyUpdatePackets,
        inFlightMaxPackets: plan.inFlightMaxPackets,
      }
      const random = new SeededRandom(seed)
      const data = random.bytes(bytes)
      const control = random.bytes(plan.controlBytes)
      const source = new MemorySource(data, chunkBytes)
      const sink = new MemorySink(bytes, chunkBytes)
      const pair = new Pair({
        seed,
        link: forth,
        backLink: back,
        isJoined,
        first: { source, config },
        second: { sink, config },
      })
      pair.first.link.mtuBytes = plan.mtuBytes
      pair.second.link.mtuBytes = plan.mtuBytes
      pair.first.controlToSend = control
      pair.second.controlToSend = control
      pair.second.connection.grantCredit(bytes)
      if (plan.movesAtUs !== null) {
        pair.at(plan.movesAtUs, () => {
          pair.first.addresses = [40, 1]
        })
      }
      const isDone = pair.run(
        () =>
          sink.isComplete &&
          source.isAllAcked &&
          pair.first.controlBytes === control.length &&
          pair.second.controlBytes === control.length,
        300 * SECOND_US,
        400_000,
      )
      const ends = [...pair.first.events, ...pair.second.events].filter(
        ({ type }) => type === 'closed' || type === 'lost',
      )
      expect(ends).toEqual([])
      expect(isDone).toBe(true)
      expect(equalBytes(sink.data, data)).toBe(true)
      expect(equalBytes(pair.first.control(), control)).toBe(true)
      expect(equalBytes(pair.second.control(), control)).toBe(true)
      expect([sink.wrongHashes, source.ackedTwice]).toEqual([0, 0])
      expect(pair.first.maxPackets).toBeLessThanOrEqual(plan.inFlightMaxPackets)
    }),
    { numRuns: 100, interruptAfterTimeLimit: 12_000 },
  )
})
