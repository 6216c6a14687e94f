/** Runs the row about memory: a large file onto a disk that is much slower than the link, and how large the nodes became. */
import { join } from 'node:path'
import { measureTransfer } from '../godwitTransfer.mjs'
import { sparsePayload } from '../payload.mjs'
import { scratchFolder } from '../scratch.mjs'
import { startNodes } from './contestants/godwit.mjs'
import { onCourse } from './course.mjs'
import { slowDisk, slowDiskMissing } from './slowDisk.mjs'

/** Times the file takes at the disk's rate, after which the run is cut short. */
const PATIENCE = 3

/**
 * @typedef {{ kind: 'memory', row: import('./rows.mjs').MemoryRow, run: import('../godwitTransfer.mjs').TransferResult | undefined,
 *   failure: string | undefined, absent: string | undefined }} MemoryResult
 */

/**
 * @param {import('../cleanUp.mjs').CleanUp} cleanUp @param {import('./rows.mjs').MemoryRow} row
 * @param {{ seed: number, places: import('./course.mjs').Places, say: (text: string) => void }} options
 * @returns {Promise<MemoryResult>}
 */
export async function runMemory(cleanUp, row, { seed, places, say }) {
  const absent = slowDiskMissing()
  /** @type {MemoryResult} */
  const result = { kind: 'memory', row, run: undefined, failure: undefined, absent }
  if (absent !== undefined) return result
  // The file sent takes no room, and the file received is on the slow disk.
  const settings = { link: row.link, parent: places.memory, neededBytes: 0, peersFolder: places.peers, seed }
  await onCourse(cleanUp, settings, async (course) => {
    try {
      const folder = await scratchFolder(course.cleanUp, places.disk, row.bytes)
      const disk = slowDisk(course.cleanUp, { folder, bytes: row.bytes, bytesPerSecond: row.diskBytesPerSecond })
      const [sender, receiver] = await startNodes(course, 'godwit')
      const { node } = receiver.processes()
      if (node !== undefined) disk.hold(node)
      result.run = await measureTransfer(sender, receiver, {
        payload: sparsePayload(join(course.folder, 'payload'), row.bytes),
        output: join(disk.path, 'out'),
        capSeconds: (PATIENCE * row.bytes) / row.diskBytesPerSecond,
      })
      const mib = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20)
      const { send, receive, bytes, seconds } = result.run
      const rate = `${(bytes / seconds / 1e6).toFixed(1)} MB/s`
      say(`  sender ${mib(send.peakRssBytes)} MiB, receiver ${mib(receive.peakRssBytes)} MiB at most, ${rate}`)
    } catch (error) {
      result.failure = error instanceof Error ? error.message : String(error)
      say(`  failed: ${result.failure}`)
    }
  })
  return result
}
