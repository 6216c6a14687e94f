/** Property: what arrived is what was sent, byte for byte, with its empty folders, executable bits and times. */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { basename, join } from 'node:path'

const BLOCK_BYTES = 1 << 20

/** @type {import('./all.mjs').Checker} */
export const filesEqual = {
  name: 'files equal',
  check: ({ cargo, output }) => cargo.paths.flatMap((path) => differences(path, join(output, basename(path)))),
}

/**
 * Where two trees differ; nothing when they are equal.
 *
 * @param {string} left @param {string} right @returns {string[]}
 */
export function differences(left, right) {
  const a = lstatSync(left)
  const b = lstatSync(right, { throwIfNoEntry: false })
  if (b === undefined) return [`${right} is missing`]
  if (a.isDirectory() !== b.isDirectory() || a.isFile() !== b.isFile()) return [`${right} is of another kind`]
  const found = []
  if (Math.floor(a.mtimeMs) !== Math.floor(b.mtimeMs)) found.push(`${right} has another time`)
  if (a.isDirectory()) {
    const names = new Set([...readdirSync(left), ...readdirSync(right)])
    for (const name of names) {
      if (lstatSync(join(left, name), { throwIfNoEntry: false }) === undefined)
        found.push(`${join(right, name)} was not sent`)
      else found.push(...differences(join(left, name), join(right, name)))
    }
    return found
  }
  if ((a.mode & 0o100) !== (b.mode & 0o100)) found.push(`${right} is not as executable`)
  if (a.size !== b.size) found.push(`${right} has ${b.size} bytes of ${a.size}`)
  else if (!isSameContent(left, right)) found.push(`${right} has other bytes`)
  return found
}

/** @param {string} left @param {string} right */
function isSameContent(left, right) {
  const [a, b] = [openSync(left, 'r'), openSync(right, 'r')]
  const [x, y] = [Buffer.alloc(BLOCK_BYTES), Buffer.alloc(BLOCK_BYTES)]
  try {
    for (;;) {
      const [n, m] = [readSync(a, x), readSync(b, y)]
      if (n !== m || !x.subarray(0, n).equals(y.subarray(0, m))) return false
      if (n === 0) return true
    }
  } finally {
    closeSync(a)
    closeSync(b)
  }
}
