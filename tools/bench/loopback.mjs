/** Goodput between two real nodes on this machine's loopback, each with its own data directory and Redis. */
import { join } from 'node:path'
import { GodwitNode } from './godwitNode.mjs'
import { measureTransfer } from './godwitTransfer.mjs'
import { randomPayload } from './payload.mjs'
import { scratchFolder } from './scratch.mjs'

const LOOPBACK = '127.0.0.1'
const CAP_SECONDS = 300

/** @typedef {{ bytes: number, runs: import('./godwitTransfer.mjs').TransferResult[] }} LoopbackResult */

/**
 * Sizes take turns, run after run, so that what else the machine does hits all of them.
 *
 * @param {import('./cleanUp.mjs').CleanUp} cleanUp
 * @param {{ sizes: readonly number[], runs: number, parent: string, flags: readonly string[], profileFolder?: string | undefined,
 *   onRun: (bytes: number, run: import('./godwitTransfer.mjs').TransferResult) => void }} options
 * @returns {Promise<LoopbackResult[]>}
 */
export async function runLoopback(cleanUp, { sizes, runs, parent, flags, profileFolder, onRun }) {
  const largest = Math.max(...sizes)
  const folder = await scratchFolder(
    cleanUp,
    parent,
    sizes.reduce((sum, bytes) => sum + bytes, largest),
  )
  const [sender, receiver] = ['sender', 'receiver'].map((name) => {
    const options = profileFolder === undefined ? {} : { profileFolder: join(profileFolder, name) }
    return new GodwitNode(cleanUp, join(folder, name[0]), { listen: LOOPBACK, ...options })
  })
  await Promise.all([sender.start(), receiver.start()])
  const results = sizes.map((bytes) => ({
    payload: randomPayload(join(folder, `payload-${bytes}`), bytes),
    runs: /** @type {import('./godwitTransfer.mjs').TransferResult[]} */ ([]),
  }))
  for (let run = 0; run < runs; run++) {
    for (const { payload, runs: done } of results) {
      const options = { payload, output: join(folder, 'received'), flags, capSeconds: CAP_SECONDS }
      const result = await measureTransfer(sender, receiver, options)
      done.push(result)
      onRun(payload.bytes, result)
    }
  }
  await Promise.all([sender.stop(), receiver.stop()])
  return results.map(({ payload, runs: done }) => ({ bytes: payload.bytes, runs: done }))
}
