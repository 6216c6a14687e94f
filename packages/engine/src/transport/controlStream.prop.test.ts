import { equalBytes } from '@godwit/protocol/bytes'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../testing/random.js'
import { ControlReceiver, ControlSender } from './controlStream.js'

describe('the control stream', () => {
  test('carries its bytes in order over any losses, repetitions and reorderings', () => {
    const plan = fc.record({
      seed: fc.nat(),
      window: fc.constantFrom(100, 1000, 20_000, 70_000),
      total: fc.integer({ min: 1, max: 150_000 }),
      segment: fc.integer({ min: 1, max: 3000 }),
    })
    fc.assert(
      fc.property(plan, ({ seed, window, total, segment }) => {
        const random = new SeededRandom(seed)
        const data = random.bytes(Math.min(total, 200 * segment))
        const sender = new ControlSender(window)
        const receiver = new ControlReceiver(window)
        const read = new Uint8Array(data.length)
        let written = 0
        let readBytes = 0
        let refused = 0
        let underWay: { offset: number; bytes: Uint8Array }[] = []
        for (let step = 0; readBytes < data.length || !sender.isDrained; step++) {
          if (step > 100_000) throw new Error('the stream does not come to an end')
          written += sender.write(data.subarray(written, written + 1 + random.below(5000)))
          while (sender.hasSegment && underWay.length < 20) {
            const out = { offset: 0, length: 0 }
            sender.take(segment, out)
            const bytes = new Uint8Array(out.length)
            sender.copy(out, bytes, 0)
            underWay.push({ offset: out.offset, bytes })
          }
          const picked = underWay[random.below(underWay.length)]
          if (picked !== undefined) {
            const fate = random.below(10)
            if (fate < 2) sender.onLost(picked.offset, picked.bytes.length)
            else {
              if (!receiver.onData(picked.offset, picked.bytes, 0, picked.bytes.length)) refused += 1
              if (fate > 2) sender.onAcked(picked.offset, picked.bytes.length)
            }
            // Fate 2: it arrived and stays under way, so that it comes again.
            if (fate !== 2) underWay = underWay.filter((item) => item !== picked)
          }
          if (random.happens(0.3)) {
            for (let bytes = receiver.read(); bytes !== undefined; bytes = receiver.read()) {
              read.set(bytes, readBytes)
              readBytes += bytes.length
            }
            if (receiver.isGrantPending) {
              receiver.isGrantPending = false
              if (random.happens(0.2)) receiver.onGrantLost(receiver.granted)
              else sender.onMaxTotal(receiver.granted)
            }
          }
        }
        expect(refused).toBe(0)
        expect(equalBytes(read, data)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('refuses what passes the grant', () => {
    const receiver = new ControlReceiver(100)
    expect(receiver.onData(0, new Uint8Array(100), 0, 100)).toBe(true)
    expect(receiver.onData(100, new Uint8Array(1), 0, 1)).toBe(false)
    expect(receiver.onData(Number.MAX_SAFE_INTEGER - 1, new Uint8Array(1), 0, 1)).toBe(false)
    expect(receiver.read()?.length).toBe(100)
    expect(receiver.granted).toBe(200)
    expect(receiver.onData(0, new Uint8Array(150), 0, 150)).toBe(true)
    expect(receiver.read()?.length).toBe(50)
  })

  test('refuses a stream in thousands of splinters', () => {
    const receiver = new ControlReceiver(1024 * 1024)
    const byte = new Uint8Array(1)
    let taken = 0
    while (taken < 10_000 && receiver.onData(2 * taken + 1, byte, 0, 1)) taken += 1
    expect(taken).toBe(4096)
  })
})
