/** Godwit, with the flags of a row. Its time is its own: from the receiver's acceptance to the verified file under its name. */
import { join } from 'node:path'
import { GodwitNode } from '../../godwitNode.mjs'
import { measureTransfer } from '../../godwitTransfer.mjs'

/**
 * @param {{ name: string, label: string, flags: readonly string[], knows: (flag: string) => boolean }} settings - `knows`
 * tells whether this build's `godwit send` has a flag.
 * @returns {import('./contestant.mjs').Contestant}
 */
export function godwit({ name, label, flags, knows }) {
  return {
    name,
    label,
    missing: () => {
      const unknown = flags.filter((flag) => flag.startsWith('--')).find((flag) => !knows(flag.split('=')[0]))
      return unknown === undefined ? undefined : `this build's godwit send has no ${unknown}`
    },
    enter: async (field) => {
      const [sender, receiver] = await nodesOf(field)
      return async ({ payload, output, capSeconds }) => {
        const result = await measureTransfer(sender, receiver, { payload, output, flags, capSeconds })
        return { bytes: result.bytes, seconds: result.seconds, isCut: result.isCut, godwit: result }
      }
    },
  }
}

/** @type {WeakMap<import('./contestant.mjs').Field, Promise<[GodwitNode, GodwitNode]>>} */
const pairs = new WeakMap()

/** The pair of nodes of a row: flags belong to a transfer, so that all of a row's Godwits share it. @param {import('./contestant.mjs').Field} field */
function nodesOf(field) {
  const known = pairs.get(field) ?? startNodes(field, 'godwit')
  pairs.set(field, known)
  return known
}

/**
 * Two nodes, one on each host, that are stopped when the row is over.
 *
 * @param {import('./contestant.mjs').Field} field @param {string} name - of their folder.
 */
export async function startNodes({ cleanUp, hosts, folder }, name) {
  const nodes = /** @type {const} */ (['a', 'b']).map(
    (side) => new GodwitNode(cleanUp, join(folder, `${name}-${side}`), { namespace: hosts[side].namespace }),
  )
  for (const node of nodes) cleanUp.add(() => node.stop())
  await Promise.all(nodes.map((node) => node.start()))
  return /** @type {[GodwitNode, GodwitNode]} */ (nodes)
}
