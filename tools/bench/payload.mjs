/** Files to send, and whether what arrived is the same. */
import { randomFillSync } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { Blake3Stream } from '../../apps/node/dist/crypto/blake3.js'

const BLOCK_BYTES = 8 * 2 ** 20

/** @typedef {{ path: string, bytes: number, blake3: string }} Payload */

/** Writes a file of random bytes. @param {string} path @param {number} bytes @returns {Payload} */
export function randomPayload(path, bytes) {
  const file = openSync(path, 'w')
  const block = new Uint8Array(BLOCK_BYTES)
  const hash = new Blake3Stream()
  for (let done = 0; done < bytes; done += block.length) {
    const part = randomFillSync(block).subarray(0, Math.min(block.length, bytes - done))
    writeSync(file, part)
    hash.update(part)
  }
  closeSync(file)
  return { path, bytes, blake3: Buffer.from(hash.digest()).toString('hex') }
}

/** A file of zeros that takes no room. @param {string} path @param {number} bytes @returns {Payload} */
export function sparsePayload(path, bytes) {
  writeFileSync(path, '')
  truncateSync(path, bytes)
  return { path, bytes, blake3: blake3OfFile(path) }
}

/** @param {string} path @returns {string} the hash as `b3sum` prints it. */
export function blake3OfFile(path) {
  const file = openSync(path, 'r')
  const block = new Uint8Array(BLOCK_BYTES)
  const hash = new Blake3Stream()
  const { size } = fstatSync(file)
  for (let done = 0; done < size; ) {
    const read = readSync(file, block)
    if (read === 0) break
    hash.update(block.subarray(0, read))
    done += read
  }
  closeSync(file)
  return Buffer.from(hash.digest()).toString('hex')
}
