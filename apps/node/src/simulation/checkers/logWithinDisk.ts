/**
 * The log never claims what the disk does not hold: chunks that a receiver records as acknowledged are durable, whatever a
 * power cut takes; and a sender records no chunk that its receiver has not recorded before.
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
        if (computer.name === 'sender') {
          check(recorded.contains(first, first + count), NAME, `the sender counts chunks ${first} +${count} too early`)
          continue
        }
        for (let chunk = first; chunk < first + count; chunk++) {
          const { file, offset, length } = world.plan.locate(chunk)
          check(isDurable(world, file, offset, length), NAME, `chunk ${chunk} is recorded and not durable`)
        }
        recorded.add(first, first + count)
      }
    },
  }
}
