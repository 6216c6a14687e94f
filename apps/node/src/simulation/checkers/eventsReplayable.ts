/**
 * Every stream is gap-free, each of its events is what the schema says, and folding it from the start gives the state that
 * is kept beside it.
 */
import { foldTransfer, initialTransferProjection } from '@godwit/engine/projections/transferProjection'
import { eventIdOf } from '@godwit/protocol/events'
import { transferEventSchema } from '@godwit/protocol/transferEvents'
import { type Checker, check } from './checker.js'

const NAME = 'eventsReplayable'

export const eventsReplayable = (): Checker => ({
  name: NAME,
  onRecorded: (_world, _computer, { type, data }) => {
    const parsed = transferEventSchema.safeParse({ type, data })
    check(parsed.success, NAME, `${type} is not an event of the schema: ${parsed.error?.message}`)
  },
  atEnd: async ({ sender, receiver }) => {
    for (const { name, redis } of [sender, receiver]) {
      for (const { streamId, events } of await redis.contents()) {
        for (const [index, { id, version }] of events.entries()) {
          check(version === index + 1, NAME, `${name}: version ${version} stands at place ${index + 1}`)
          check(id === eventIdOf(streamId, version), NAME, `${name}: event ${id} at version ${version}`)
        }
        const kept = await redis.projection(streamId)
        if (kept === undefined) continue
        const folded = events.slice(0, kept.cursor).reduce(foldTransfer, initialTransferProjection)
        check(JSON.stringify(folded) === JSON.stringify(kept.state), NAME, `${name}: the stream gives another state`)
      }
    }
  },
})
