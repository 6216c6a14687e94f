/**
 * Property: the log claims nothing that the disk does not hold. Each chunk that the receiver's stream says is acked stands
 * in the staging folder, with the bytes of the source. Looked at when a fault comes, and while a killed receiver is kept
 * from coming back.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ChunkPlan } from '../../../packages/protocol/dist/chunkPlan.js'
import { decodeManifest } from '../../../packages/protocol/dist/manifestCodec.js'
import { foldOf, readStream } from './eventsFold.mjs'

const PARTS_PER_FOLDER = 1000

/** @type {import('./all.mjs').Checker} */
export const logWithinDisk = { name: 'log within disk', check: ({ claimsNotHeld }) => [...claimsNotHeld] }

/**
 * Chunks that the receiver's log claims and its disk does not hold; undefined where this cannot be seen now: the files
 * are being given their names, or the log cannot be read.
 *
 * @param {import('../chaosNode.mjs').ChaosNode} receiver @param {string} transferId @param {string} output
 * @param {import('../shapes.mjs').Cargo} cargo @returns {Promise<string[] | undefined>}
 */
export async function claimsNotHeld(receiver, transferId, output, cargo) {
  // The log first: what it says then has to be on the disk afterwards.
  const stream = await readStream(receiver, transferId).catch(() => undefined)
  const staging = join(output, `.godwit-${transferId}`)
  if (stream === undefined || stream.length === 0) return undefined
  const { transfer } = foldOf(transferId, stream)
  if (transfer.status === 'none' || transfer.status === 'completed') return undefined
  const acked = transfer.run.receivers.flatMap(({ acked }) => acked)
  if (acked.length === 0) return []
  try {
    const decoded = decodeManifest(new Uint8Array(readFileSync(join(staging, 'manifest'))))
    if (!decoded.ok) return ['the staged manifest is damaged']
    const files = decoded.value.entries.filter(({ kind }) => kind === 'file')
    const plan = ChunkPlan.of(decoded.value)
    const found = []
    for (const [first, count] of acked) {
      for (let chunk = first; chunk < first + count; chunk++) {
        const { file, offset, length } = plan.locate(chunk)
        const source = join(dirname(cargo.paths[0]), ...files[file].path)
        const part = join(staging, 'parts', String(Math.floor(file / PARTS_PER_FOLDER)), `f${file}`)
        if (!read(part, offset, length).equals(read(source, offset, length)))
          found.push(`chunk ${chunk} is not on the disk`)
      }
    }
    // Parts move away while they get their names.
    return existsSync(join(staging, 'names')) || !existsSync(staging) ? undefined : found
  } catch (error) {
    if (existsSync(join(staging, 'names')) || !existsSync(staging)) return undefined
    throw error
  }
}

/** Empty where there is no such file. @param {string} path @param {number} offset @param {number} length */
function read(path, offset, length) {
  if (!existsSync(path)) return Buffer.alloc(0)
  const file = openSync(path, 'r')
  const bytes = Buffer.alloc(length)
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, length, offset))
  } finally {
    closeSync(file)
  }
}
