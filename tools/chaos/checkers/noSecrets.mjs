/**
 * Property: no secret of a transfer is in Redis' files, logs or records: the words of its code, room tokens, resumption
 * secrets, keys, the tokens of the API. Only what was written since the run began is read.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Fields of the secrets' files that are public. */
const PUBLIC = new Set(['id', 'publicKey', 'roomSalt'])
const MIN_CHARACTERS = 12

/** @type {import('./all.mjs').Checker} */
export const noSecrets = { name: 'no secrets', check: ({ secretsFound }) => [...secretsFound] }

/** Collects the secrets of both sides' files. @param {readonly import('../chaosNode.mjs').ChaosNode[]} nodes @param {Set<string>} into */
export function collectSecrets(nodes, into) {
  for (const { dataDir } of nodes) {
    const folder = join(dataDir, 'secrets')
    if (!existsSync(folder)) continue
    for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.json'))) {
      try {
        collect(JSON.parse(readFileSync(join(folder, name), 'utf8')), into)
      } catch {
        // It was replaced or removed in this moment.
      }
    }
  }
}

/** @param {unknown} value @param {Set<string>} into */
function collect(value, into) {
  if (typeof value === 'string' && value.length >= MIN_CHARACTERS) into.add(value)
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) if (!PUBLIC.has(name)) collect(inner, into)
}

/** Files in which no secret may be. @param {readonly string[]} folders @returns {string[]} */
const watched = (folders) =>
  folders.flatMap((folder) =>
    filesBelow(folder).filter((file) => !file.includes('/secrets/') && !/\/(token|node-id|.*\.sock)$/.test(file)),
  )

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
  })
}

/** Sizes by file, to search only what comes later. @param {readonly string[]} folders @returns {Map<string, number>} */
export const sizesOf = (folders) => new Map(watched(folders).map((file) => [file, sizeOf(file)]))

/** @param {string} file */
const sizeOf = (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/**
 * @param {readonly string[]} folders @param {Map<string, number>} before @param {Iterable<string>} secrets @returns {string[]}
 */
export function searchSecrets(folders, before, secrets) {
  const needles = [...secrets]
  return watched(folders).flatMap((file) => {
    const known = before.get(file) ?? 0
    const size = sizeOf(file)
    const bytes = tail(file, size < known ? 0 : Math.max(0, known - 200), size)
    return needles.filter((needle) => bytes.includes(needle)).map((needle) => `${needle.slice(0, 4)}… is in ${file}`)
  })
}

/** @param {string} path @param {number} from @param {number} to */
function tail(path, from, to) {
  try {
    const file = openSync(path, 'r')
    const bytes = Buffer.alloc(Math.max(0, to - from))
    readSync(file, bytes, 0, bytes.length, from)
    closeSync(file)
    return bytes
  } catch {
    return Buffer.alloc(0)
  }
}
