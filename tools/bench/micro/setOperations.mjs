/** Micro-benchmarks of what remembers numbers: range sets of chunks, ranges of packets to acknowledge, replay window. */
import { AckRanges } from '@godwit/protocol/ackRanges'
import { RangeSet } from '@godwit/protocol/rangeSet'
import { ReplayWindow } from '@godwit/protocol/replayWindow'

/** A packet in a hundred is missing, as on a link with 1 % loss. */
const LOSS_EVERY = 100
const PACKET_NUMBERS = 2 ** 32

/** @returns {import('./measure.mjs').Operation[]} */
export function setOperations() {
  let sink = 0
  return [
    {
      name: 'range set: add in order',
      run: (times) => {
        const set = new RangeSet()
        for (let i = 0; i < times; i++) sink += set.add(i, i + 1)
      },
    },
    {
      name: 'range set: add among 1,000 ranges, take out again',
      run: (times) => {
        const set = new RangeSet()
        for (let i = 0; i < 1000; i++) set.add(i * 10, i * 10 + 5)
        for (let i = 0; i < times; i++) {
          const at = ((i * 7919) % 1000) * 10 + 7
          sink += set.add(at, at + 1) + set.remove(at, at + 1)
        }
      },
    },
    {
      name: 'range set: look up among 1,000 ranges',
      run: (times) => {
        const set = new RangeSet()
        for (let i = 0; i < 1000; i++) set.add(i * 10, i * 10 + 5)
        for (let i = 0; i < times; i++) if (set.has((i * 7919) % 10_000)) sink++
      },
    },
    {
      name: 'ack ranges: add, nothing missing',
      run: (times) => {
        const ranges = new AckRanges()
        for (let i = 0; i < times; i++) ranges.add(i % PACKET_NUMBERS)
        sink += ranges.count
      },
    },
    {
      name: 'ack ranges: add, 1 % missing',
      run: (times) => {
        const ranges = new AckRanges()
        for (let i = 0; i < times; i++) if (i % LOSS_EVERY !== 0) ranges.add(i % PACKET_NUMBERS)
        sink += ranges.count
      },
    },
    {
      name: 'replay window: ask and mark',
      run: (times) => {
        const window = new ReplayWindow()
        for (let i = 0; i < times; i++) if (window.isFresh(i)) window.mark(i)
        if (sink === Number.NEGATIVE_INFINITY) console.log(sink)
      },
    },
  ]
}
