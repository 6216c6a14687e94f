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
    .tuple(fc.maxSafeNat(), fc.nat())
    .map(([total, milliseconds]): ControlMessage => ({ type: 'Completed', bytes: total, milliseconds })),
  fc.constant<ControlMessage>({ type: 'Failed', code: 'ERR_DISK_FULL' }),
)

describe('control messages', () => {
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
