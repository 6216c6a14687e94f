/** What is sent in a run: files of several shapes, made from the run's seed. */
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const KIB = 1024
const MIB = 1024 * KIB

/**
 * @typedef {{ name: string, paths: string[], bytes: number, limit: number }} Cargo - `paths` are absolute; `limit` in
 * bytes a second, so that sending takes about two seconds and a fault finds the transfer in the middle.
 */

/** @type {Record<string, (folder: string, chance: import('./random.mjs').Chance) => void>} */
const SHAPES = {
  oneFile: (folder, chance) => file(folder, 'film.mkv', chance.between(6 * MIB, 20 * MIB), chance),
  manySmall: (folder, chance) => {
    const count = chance.between(150, 500)
    for (let n = 0; n < count; n++) file(folder, `tree/${n % 7}/${n % 3}/f${n}`, chance.between(0, 24 * KIB), chance)
  },
  severalPaths: (folder, chance) => {
    file(folder, 'a.bin', chance.between(1, 4 * MIB), chance)
    file(folder, 'with space and ü.bin', chance.between(MIB, 5 * MIB), chance)
    file(folder, 'photos/1.raw', chance.between(MIB, 4 * MIB), chance)
    file(folder, 'photos/deep/er/2.raw', chance.between(0, 2 * MIB), chance)
    mkdirSync(join(folder, 'photos', 'nothing in it'))
  },
  emptyFiles: (folder, chance) => {
    for (let n = 0; n < 12; n++) file(folder, `empty/${n}`, 0, chance)
    file(folder, 'void', 0, chance)
    file(folder, 'some.bin', chance.between(3 * MIB, 6 * MIB), chance)
  },
  exactChunks: (folder, chance) => {
    file(folder, 'one', MIB, chance)
    file(folder, 'eight', 8 * MIB, chance)
    file(folder, 'one byte more', MIB + 1, chance)
  },
}

/** One that takes more than the credit window and several checkpoints by their size. */
const LARGE = (/** @type {string} */ folder, /** @type {import('./random.mjs').Chance} */ chance) =>
  file(folder, 'large.img', chance.between(160 * MIB, 256 * MIB), chance)

/** @param {string} folder @param {string} path @param {number} bytes @param {import('./random.mjs').Chance} chance */
function file(folder, path, bytes, chance) {
  const target = join(folder, path)
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, noise(bytes, chance), { mode: chance.happens(0.2) ? 0o755 : 0o644 })
  const seconds = 1_500_000_000 + chance.below(200_000_000) + chance.below(1000) / 1000
  utimesSync(target, seconds, seconds)
}

/** Bytes that no two files share: counted words, scrambled by xorshift. @param {number} bytes @param {import('./random.mjs').Chance} chance */
function noise(bytes, chance) {
  const words = new Uint32Array(Math.ceil(bytes / 4))
  let x = chance.below(0xffff_fffe) + 1
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return new Uint8Array(words.buffer, 0, bytes)
}

/** Names of the shapes, but for the large one. */
export const SHAPE_NAMES = Object.keys(SHAPES)

/** Whether a shape has folders, and files beside them. @param {string} name */
export const shapeOf = (name) => ({
  hasFolders: ['manySmall', 'severalPaths', 'emptyFiles'].includes(name),
  hasFiles: name !== 'manySmall',
})

/**
 * Makes what a run sends in `folder`, which is new.
 *
 * @param {string} folder @param {import('./random.mjs').Chance} chance @param {string} name - of the shape. @returns {Cargo}
 */
export function makeCargo(folder, chance, name) {
  mkdirSync(folder, { recursive: true })
  const isLarge = name === 'large'
  const make = isLarge ? LARGE : SHAPES[name]
  make(folder, chance)
  const paths = readdirSync(folder).map((entry) => join(folder, entry))
  const bytes = bytesBelow(folder)
  return { name, paths, bytes, limit: isLarge ? 80_000_000 : Math.max(1_000_000, Math.round(bytes / 2)) }
}

/** @param {string} path @returns {number} */
function bytesBelow(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0)
}
