/**
 * Nobody says complete before it is true: a file that counts as completed stands durably under its name, and a sender
 * counts a receiver as completed only when that receiver has recorded it.
 */
import { type Checker, check } from './checker.js'
import { isPublished } from './durableFiles.js'

const NAME = 'noFalseComplete'

export const noFalseComplete = (): Checker => {
  let hasReceiverCompleted = false
  return {
    name: NAME,
    onRecorded: (world, computer, { type, data }) => {
      if (computer.name === 'receiver') {
        if (type === 'FilesCompleted' && 'first' in data && 'count' in data) {
          for (let file = Number(data.first); file < Number(data.first) + Number(data.count); file++) {
            check(isPublished(world, file), NAME, `file ${file} is recorded as completed and is not durable`)
          }
        }
        if (type === 'ReceiverCompleted' || type === 'TransferCompleted') {
          for (const file of world.files.keys()) {
            check(isPublished(world, file), NAME, `file ${file} of a completed transfer is not durable`)
          }
          hasReceiverCompleted = true
        }
        return
      }
      if (type === 'ReceiverCompleted' || type === 'TransferCompleted') {
        check(hasReceiverCompleted, NAME, 'the sender completed before its receiver had recorded it')
      }
    },
  }
}
