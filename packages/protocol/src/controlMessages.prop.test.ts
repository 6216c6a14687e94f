import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ControlMessage, ControlReader, decodeControlMessage, encodeControlMessage } from './controlMessages.js'
import { RangeSet } from './rangeSet.js'

const pairs = fc.array(fc.tuple(fc.nat(10_000), fc.integer({ min: 1, max: 50 })), { maxLength: 20 }).map((list) => {
  const set = new RangeSet()
  for (const [first, count] of list) set.add(first, first + count)
  return set.toPairs()
})
const bytes = fc.uint8Array({ maxLength: 400 })

const message: fc.Arbitrary<ControlMessage> = fc.oneof(
  bytes.map((manifest): ControlMessage => ({ type: 'Manifest', manifest })),
  pairs.map((held): ControlMessage => ({ type: 'Accept', held })),
  pairs.map((ranges): ControlMessage => ({ type: 'Durable', ranges })),
  fc.constantFrom<ControlMessage>({ type: 'Decline' }, { type: 'CompletionKnown' }),
  fc
    .tuple(fc.nat(1000), fc.uint8Array({ minLength: 64, maxLength: 64 }))
    .map(([first, hashes]): ControlMessage => ({ type: 'FileHashes', first, hashes })),
  pairs.map((ranges): ControlMessage => ({ type: 'Retransmit', reason: 'sessionBroken', ranges })),
  fc
    .tuple(fc.nat(1000), fc.integer({ min: 1, max: 1000 }))
    .map(([first, count]): ControlMessage => ({ type: 'FilesCompleted', first, count })),
  fc
    .tuple(fc.maxSafeNat(), fc.nat(), pairs)
    .map(
      ([total, milliseconds, missing]): ControlMessage => ({ type: 'Completed', bytes: total, milliseconds, missing }),
    ),
  fc.constant<ControlMessage>({ type: 'Failed', code: 'ERR_DISK_FULL' }),
  pairs.map((files): ControlMessage => ({ type: 'FilesFailed', code: 'ERR_SOURCE_CHANGED', files })),
  fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { maxLength: 7 }).map(
    (lanes): ControlMessage => ({
      type: 'Lanes',
      lanes: lanes
        .toSorted((a, b) => a - b)
        .map((lane) => ({
          lane,
          candidates: [{ kind: 'host', family: 'ipv4', ip: '192.0.2.7', port: 40_000 + lane }],
        })),
    }),
  ),
)

describe('control messages', () => {
  test('lanes are those beside the first, each once, in rising order', () => {
    const lanes = (...numbers: number[]): Uint8Array =>
      Uint8Array.of(0x0b, numbers.length, ...numbers.flatMap((n) => [n, 0]))
    expect(decodeControlMessage(lanes(1, 2, 7))).toBeDefined()
    for (const bad of [lanes(0), lanes(8), lanes(2, 1), lanes(3, 3), lanes(1, 2, 3, 4, 5, 6, 7, 8)]) {
      expect(decodeControlMessage(bad)).toBeUndefined()
    }
  })

  test('come back from a stream cut anywhere', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.integer({ min: 1, max: 40 })), (sent, cuts) => {
        const stream = Uint8Array.from(sent.flatMap((one) => [...encodeControlMessage(one)]))
        const reader = new ControlReader()
        const got: ControlMessage[] = []
        let at = 0
        for (let i = 0; at < stream.length; i++) {
          const step = cuts.length > 0 ? (cuts[i % cuts.length] ?? 1) : stream.length
          const read = reader.push(stream.subarray(at, at + step))
          expect(read).toBeDefined()
          got.push(...(read ?? []))
          at += step
        }
        expect(got).toEqual(sent)
      }),
    )
  })

  test('never throw for any bytes, and stop at a message beyond the limit', () => {
    fc.assert(
      fc.property(bytes, (any) => {
        decodeControlMessage(any)
        new ControlReader().push(any)
      }),
    )
    expect(new ControlReader().push(Uint8Array.from([0xbf, 0xff, 0xff, 0xff]))).toBeUndefined()
  })
})
