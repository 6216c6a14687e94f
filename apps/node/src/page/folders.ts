/**
 * Lists folders of the node's machine for a page that lets its user pick a path: names, kinds and sizes of what this
 * user can see. Links are followed for their kind; what is neither file nor folder is left out.
 */
import { constants } from 'node:fs'
import { access, opendir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { FolderListing } from '@godwit/protocol/api'
import type { Result } from '@godwit/protocol/errors'
import { fail, ok } from '@godwit/protocol/errors'
import { FOLDER_ENTRIES_MAX } from '@godwit/protocol/limits'
import { sourceFailure } from '../files/sourceErrors.js'

const canWrite = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Where a page begins: the user's downloads if there is such a folder, else the home folder. */
const startFolder = async (): Promise<string> => {
  const downloads = join(homedir(), 'Downloads')
  try {
    if ((await stat(downloads)).isDirectory()) return downloads
  } catch {
    // Then the home folder.
  }
  return homedir()
}

/** @param path - absolute; undefined for where a page begins. Folders first, each group by name. */
export const listFolder = async (path: string | undefined): Promise<Result<FolderListing>> => {
  if (path !== undefined && !isAbsolute(path)) return fail('ERR_PATH_NOT_FOUND', 'paths are absolute')
  const folder = path === undefined ? await startFolder() : resolve(path)
  const entries: FolderListing['entries'] = []
  let isCut = false
  try {
    for await (const entry of await opendir(folder)) {
      if (entries.length >= FOLDER_ENTRIES_MAX) {
        isCut = true
        break
      }
      // A name that is no valid Unicode could not be asked for again.
      if (entry.name.includes('\ufffd')) continue
      const below = join(folder, entry.name)
      try {
        const stats = await stat(below)
        if (stats.isDirectory()) entries.push({ name: entry.name, path: below, kind: 'folder', size: 0 })
        else if (stats.isFile()) entries.push({ name: entry.name, path: below, kind: 'file', size: stats.size })
      } catch {
        // A dangling link, or gone meanwhile: not there.
      }
    }
  } catch (error) {
    return { ok: false, failure: sourceFailure(error, folder, 'ERR_PATH_NOT_FOUND') }
  }
  const order = (entry: (typeof entries)[number]): string => `${entry.kind === 'folder' ? 0 : 1}${entry.name}`
  entries.sort((a, b) => order(a).localeCompare(order(b)))
  const parent = dirname(folder)
  return ok({
    type: 'folder',
    path: folder,
    parent: parent === folder ? null : parent,
    isWritable: await canWrite(folder),
    entries,
    isCut,
  })
}
