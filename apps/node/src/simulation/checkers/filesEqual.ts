/**
 * When a transfer is complete, the output folder holds what was sent, bit for bit, once, and what was there before as it
 * was; nothing else is left there.
 */
import { type Checker, check, isEqual } from './checker.js'
import { finalPaths } from './durableFiles.js'

const NAME = 'filesEqual'

export const filesEqual = (): Checker => ({
  name: NAME,
  atEnd: (world) => {
    if (world.outcome !== 'completed') return
    const { disk } = world.receiver.host
    const left = new Set(disk.list('/out').filter((path) => !path.endsWith('/')))
    for (const [path, bytes] of world.bystanders) {
      const found = disk.file(`/out/${path}`)
      check(found !== undefined && isEqual(found, bytes), NAME, `${path}, which was there before, is as it was`)
      left.delete(path)
    }
    for (const { path, bytes } of world.files) {
      const place = finalPaths(path).find((one) => left.has(one))
      check(place !== undefined, NAME, `${path} is there`)
      const found = disk.file(`/out/${place}`)
      check(found !== undefined && isEqual(found, bytes), NAME, `${place} is what was sent`)
      left.delete(place)
    }
    check(left.size === 0, NAME, `nothing else is in the output folder: ${[...left].join(', ')}`)
  },
})
