/**
 * The native addon that seals whole trains of packets (apps/node/native), built where a compiler, Python and the headers
 * of this Node.js are. It is worth the second that it takes and no more: where it cannot be built, libsodium does its
 * work, and nobody is bothered. A try that failed is not repeated until the sources or the Node.js change.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findProgram, stepEnvironment } from './paths.mjs'
import { run } from './step.mjs'

const TIMEOUT_MS = 3 * 60_000
const SOURCES = ['packets.c', 'binding.gyp']

/** @param {string} root */
const folderOf = (root) => join(root, 'apps', 'node', 'native')

/**
 * @param {string} root
 * @returns {string} the stamp of a try: of the sources, of what they are built for, and of whether they can be: a compiler
 * that comes later is used.
 */
export function nativeStamp(root) {
  const target = `${process.version} ${process.platform} ${process.arch} ${canBuildNative()}`
  const hash = createHash('sha256').update(target)
  for (const name of SOURCES) hash.update(readFileSync(join(folderOf(root), name)))
  return hash.digest('hex')
}

/** @returns {string | undefined} the folder above `include/node` of this very Node.js: node-gyp would download it. */
function headersFolder() {
  const folders = [process.execPath, realpathSync(process.execPath)].map((file) => join(dirname(file), '..'))
  return folders.find((folder) => existsSync(join(folder, 'include', 'node', 'node_api.h')))
}

export const canBuildNative = () =>
  headersFolder() !== undefined &&
  findProgram('python3') !== undefined &&
  findProgram('make') !== undefined &&
  ['c++', 'g++', 'clang++'].some((name) => findProgram(name) !== undefined)

/** @param {string} root @param {string} logFile @returns {Promise<boolean>} whether the addon is there now. */
export function buildNative(root, logFile) {
  const gyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  const args = [gyp, 'rebuild', '--directory', folderOf(root), `--nodedir=${headersFolder()}`]
  return run(process.execPath, args, { cwd: root, env: stepEnvironment(root), logFile, timeoutMs: TIMEOUT_MS })
}
