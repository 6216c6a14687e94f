/** Makes files and trees to send, and compares what arrived with what was sent. */
import { execFileSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

const BLOCK_BYTES = 4 * 1024 * 1024

/** Writes a file of random bytes, block by block. @returns its path. */
export const randomFile = (path: string, bytes: number): string => {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'w')
  const block = new Uint8Array(BLOCK_BYTES)
  for (let done = 0; done < bytes; done += block.length) {
    randomFillSync(block)
    writeSync(file, block, 0, Math.min(block.length, bytes - done))
  }
  closeSync(file)
  return path
}

/** One entry of a tree to make: text for a file, undefined for an empty folder. */
export interface TreeEntry {
  readonly path: string
  readonly text?: string
  readonly mode?: number
  readonly mtime?: Date
}

/** Makes a tree below `folder`. Times are set from the deepest entry up, since making an entry changes its folder's. */
export const makeTree = (folder: string, entries: readonly TreeEntry[]): void => {
  mkdirSync(folder, { recursive: true })
  for (const { path, text, mode } of entries) {
    const target = join(folder, path)
    if (text === undefined) mkdirSync(target, { recursive: true })
    else {
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, text, { mode: mode ?? 0o644 })
    }
  }
  for (const { path, mtime } of [...entries].reverse()) {
    if (mtime !== undefined) utimesSync(join(folder, path), mtime, mtime)
  }
}

/** What of a tree must arrive: kinds, sizes, contents, executable bits and, in whole milliseconds, times. */
export const describeTree = (path: string): Record<string, string> => {
  const described: Record<string, string> = {}
  const visit = (relative: string): void => {
    const target = join(path, relative)
    const stat = lstatSync(target)
    const time = Math.floor(stat.mtimeMs)
    if (stat.isDirectory()) {
      described[`${relative}/`] = `folder, modified ${time}`
      for (const name of readdirSync(target)) visit(join(relative, name))
    } else if (stat.isFile()) {
      const executable = (stat.mode & 0o100) === 0 ? '' : ', executable'
      described[relative] = `${stat.size} bytes ${blake3(target)}, modified ${time}${executable}`
    }
  }
  visit('')
  return described
}

/** The hash of a file as `b3sum` prints it. */
export const blake3 = (path: string): string =>
  execFileSync('b3sum', ['--no-names', '--', path], { encoding: 'utf8' }).trim()

/** Whether two files hold the same bytes. */
export const isSameFile = (left: string, right: string): boolean => blake3(left) === blake3(right)

export const textOf = (path: string): string => readFileSync(path, 'utf8')
