/**
 * Stands in for `node:fs` in a simulation: the synchronous calls that the node makes, on the disk of the process that
 * makes them. They take no time, and the process may die before and after each.
 */
import { constants } from 'node:fs'
import type { Inode } from './disk.js'
import {
  bytesOfContent,
  contentsOf,
  makeFolder,
  movePath,
  namesIn,
  openInode,
  ownDisk,
  removePath,
  writeInode,
} from './files.js'
import { ownProcess } from './kernel.js'

export { constants }

/** A step of a synchronous call: throws when the process dies of it, as nothing else can stop the caller. */
const step = <T>(name: string, act: () => T): T => {
  const process = ownProcess()
  process.onStep(name)
  ownProcess()
  const value = act()
  process.onStep(`${name} done`)
  ownProcess()
  return value
}

const open = new Map<number, Inode>()
let nextDescriptor = 1000

/** A simulation is over: what processes that died had open is let go of. */
export const forgetDescriptors = (): void => open.clear()

export const mkdirSync = (path: string, options: { readonly recursive?: boolean; readonly mode?: number } = {}): void =>
  step(`mkdir ${path}`, () => makeFolder(path, options.mode ?? 0o777, options.recursive === true))

export const readdirSync = (path: string): string[] => namesIn(path)

export const readFileSync = (path: string, encoding?: 'utf8'): Buffer | string => {
  ownProcess()
  const bytes = contentsOf(path)
  return encoding === undefined ? bytes : bytes.toString(encoding)
}

export const rmSync = (path: string, options: { readonly recursive?: boolean; readonly force?: boolean } = {}): void =>
  step(`rm ${path}`, () => removePath(path, options))

export const renameSync = (from: string, to: string): void => step(`rename ${from} ${to}`, () => movePath(from, to))

export const openSync = (path: string, flags: string, mode = 0o666): number => {
  const inode = step(`open ${path}`, () => openInode(path, flags, mode))
  const descriptor = nextDescriptor++
  open.set(descriptor, inode)
  return descriptor
}

export const closeSync = (descriptor: number): void => void open.delete(descriptor)

export const fsyncSync = (descriptor: number): void => {
  const inode = open.get(descriptor)
  if (inode !== undefined) step('fsync', () => ownDisk().sync(inode))
}

export const writeFileSync = (file: number, content: string | Uint8Array): void => {
  const inode = open.get(file)
  if (inode !== undefined) step('write', () => writeInode(inode, bytesOfContent(content), 0))
}
