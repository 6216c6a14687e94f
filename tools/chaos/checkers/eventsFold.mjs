/** Property: each stream has no gap, every event has its shape, and folding them gives the projection that is stored. */
import { isDeepStrictEqual } from 'node:util'
import {
  foldTransfer,
  initialTransferProjection,
} from '../../../packages/engine/dist/projections/transferProjection.js'
import { transferEventSchema } from '../../../packages/protocol/dist/transferEvents.js'
import { withRedis } from '../faults.mjs'
import { losesLog } from '../plan.mjs'

/**
 * @typedef {{ id: string, fields: Record<string, string> }} StreamEntry
 * @typedef {{ transferId: string, stream: StreamEntry[], projection: string | null }} StoredTransfer
 */

/** @type {import('./all.mjs').Checker} */
export const eventsFold = {
  name: 'events fold',
  check: ({ stored, plan, ended }) =>
    /** @type {const} */ (['sender', 'receiver']).flatMap((side) =>
      (stored[side].stream.length === 0 && ended[side] === 'completed' && losesLog(plan, side)
        ? []
        : problems(stored[side])
      ).map((text) => `${side}: ${text}`),
    ),
}

/** @param {StoredTransfer} stored @returns {string[]} */
function problems({ transferId, stream, projection }) {
  if (stream.length === 0) return ['the stream is empty']
  const found = stream.flatMap(({ id, fields }, index) => {
    if (id !== `${index + 1}-1`) return [`entry ${index + 1} is ${id}`]
    const event = transferEventSchema.safeParse({ type: fields.type, data: JSON.parse(fields.data) })
    return event.success ? [] : [`${id} is no ${fields.type}: ${event.error.message}`]
  })
  if (found.length > 0) return found
  if (projection === null) return ['no projection is stored']
  const space = projection.indexOf(' ')
  const cursor = Number(projection.slice(0, space))
  if (cursor !== stream.length) return [`the projection is at ${cursor} of ${stream.length}`]
  const folded = JSON.parse(JSON.stringify(foldOf(transferId, stream)))
  return isDeepStrictEqual(folded, JSON.parse(projection.slice(space + 1))) ? [] : ['the fold is not the projection']
}

/** @param {string} transferId @param {readonly StreamEntry[]} stream */
export const foldOf = (transferId, stream) =>
  stream.reduce(
    (state, { fields }, index) =>
      foldTransfer(
        state,
        /** @type {any} */ ({
          id: `${transferId}.${index + 1}`,
          streamId: transferId,
          version: index + 1,
          type: fields.type,
          data: JSON.parse(fields.data),
          recordedAt: Number(fields.at),
          correlationId: fields.correlation,
          causationId: fields.causation,
          schema: Number(fields.schema),
        }),
      ),
    initialTransferProjection,
  )

/** @param {import('../chaosNode.mjs').ChaosNode} node @param {string} transferId @returns {Promise<StreamEntry[]>} */
export const readStream = (node, transferId) =>
  withRedis(node, async (redis) => {
    const entries = await redis.xrange(`{godwit}:log:stream:${transferId}`, '-', '+')
    return entries.map(([id, list]) => {
      /** @type {Record<string, string>} */
      const fields = {}
      for (let i = 0; i + 1 < list.length; i += 2) fields[list[i]] = list[i + 1]
      return { id, fields }
    })
  })

/** @param {import('../chaosNode.mjs').ChaosNode} node @param {string} transferId @returns {Promise<StoredTransfer>} */
export async function readStored(node, transferId) {
  // Asked, the node moves the projection on to the end of the stream.
  await node.view(transferId)
  const stream = await readStream(node, transferId)
  const projection = await withRedis(node, async (redis) => {
    const [key] = await redis.keys('{godwit}:log:projections:transfers*')
    return key === undefined ? null : redis.hget(key, transferId)
  })
  return { transferId, stream, projection }
}
