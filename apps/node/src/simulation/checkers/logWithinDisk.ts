/**
 * The log never claims what the disk does not hold: chunks that either side records as acknowledged are durable at the
 * receiver, whatever a power cut takes; those that its receiver has recorded once, a sender may record at any later time.
 */
import { RangeSet } from '@godwit/protocol/rangeSet'
import { type Checker, check } from './checker.js'
import { isDurable } from './durableFiles.js'

const NAME = 'logWithinDisk'

export const logWithinDisk = (): Checker => {
  /** Whatever the receiver ever recorded: a log that is lost later does not take it back. */
  const recorded = new RangeSet()
  return {
    name: NAME,
    onRecorded: (world, computer, { type, data }) => {
      if (type !== 'ChunksAcked' || !('ranges' in data)) return
      for (const [first, count] of data.ranges) {
        if (computer.name === 'sender' && recorded.contains(first, first + count)) continue
        for (let chunk = first; chunk < first + count; chunk++) {
          const { file, offset, length } = world.plan.locate(chunk)
          const isThere = isDurable(world, file, offset, length)
          check(isThere, NAME, `chunk ${chunk} is recorded by the ${computer.name} and not durable`)
        }
        recorded.add(first, first + count)
      }
    },
  }
}
