/**
 * The `names` record of a staging folder: which final name each top of the transfer gets, and how far the end has come.
 * It is durable before the first name appears in the output folder, so that whoever goes on after a crash knows which
 * of the names there are ours.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '@godwit/protocol/manifest'
import { NUMBERED_NAME_MAX, numberedName } from '@godwit/protocol/namesNumbered'
import type { RangeSet } from '@godwit/protocol/rangeSet'
import { z } from 'zod'
import { DiskRefusal, failedWith } from './diskErrors.js'
import { writeRecord } from './durable.js'
import { shownPath } from './sourceErrors.js'
import { exists } from './stagingDir.js'

const topSchema = z.object({
  kind: z.enum(['file', 'folder']),
  /** As the manifest has it. */
  name: z.string(),
  /** In the output folder; the manifest's name until it is chosen. */
  finalName: z.string(),
  /** Files of the manifest: first file number and how many. */
  firstFile: z.number().int(),
  fileCount: z.number().int(),
  /** Where `link` is not known: an empty file of ours may hold the final name. */
  isClaimed: z.boolean(),
})
const recordSchema = z.object({
  version: z.literal(1),
  /** `building`: parts move into trees, nothing has its name yet. `publishing`: names are chosen and given. */
  phase: z.enum(['building', 'publishing']),
  tops: z.array(topSchema),
  /** Files that get no name, since the sender could not deliver them: `[first, count]` of file numbers. */
  missing: z.array(z.tuple([z.number().int(), z.number().int()])).default([]),
})

/** A file or folder at the top of the transfer. */
export type Top = z.infer<typeof topSchema>
export type NamesRecord = z.infer<typeof recordSchema>

/** The record before anything has happened. @param missing - files that get no name; a folder stays without them. */
export const firstNames = (manifest: Manifest, missing: RangeSet): NamesRecord => {
  const tops: Top[] = []
  let file = 0
  for (const { kind, path } of manifest.entries) {
    const name = path[0] ?? ''
    if (kind === 'file' && path.length === 1 && missing.has(file)) {
      file += 1
      continue
    }
    if (path.length === 1) tops.push({ kind, name, finalName: name, firstFile: file, fileCount: 0, isClaimed: false })
    if (kind === 'folder') continue
    const top = tops[tops.length - 1]
    if (top !== undefined) top.fileCount += 1
    file += 1
  }
  return { version: 1, phase: 'building', tops, missing: missing.toPairs() }
}

/** What an earlier attempt recorded; undefined where none began. */
export const readNames = async (stagingDir: string): Promise<NamesRecord | undefined> => {
  let text: string
  try {
    text = await readFile(join(stagingDir, 'names'), 'utf8')
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
  const record = recordSchema.safeParse(parseJson(text))
  if (!record.success) throw new DiskRefusal('ERR_DISK_IO', `${shownPath(join(stagingDir, 'names'))} is damaged`)
  return record.data
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const writeNames = (stagingDir: string, record: NamesRecord): Promise<void> =>
  writeRecord(stagingDir, 'names', Buffer.from(JSON.stringify(record)))

/** Chooses a name for every top: its own where nothing has it, else the first free ` (1)`, ` (2)` …. */
export const chooseNames = async (outputDir: string, tops: readonly Top[]): Promise<void> => {
  // Every top's own name is reserved, so that one called `a (1)` keeps it when `a` is displaced.
  const taken = new Set(tops.map(({ name }) => name))
  for (const top of tops) {
    top.finalName = top.name
    if (await exists(join(outputDir, top.name))) await chooseNextName(outputDir, taken, top)
  }
}

/** Gives one top the next number that nothing in the output folder has, and nothing in `taken`, where it is added. */
export const chooseNextName = async (outputDir: string, taken: Set<string>, top: Top): Promise<void> => {
  for (let number = 1; number <= NUMBERED_NAME_MAX; number += 1) {
    const name = numberedName(top.name, number, top.kind)
    if (taken.has(name) || (await exists(join(outputDir, name)))) continue
    taken.add(name)
    top.finalName = name
    top.isClaimed = false
    return
  }
  throw new DiskRefusal('ERR_OUTPUT_UNWRITABLE', `${shownPath(join(outputDir, top.name))} has too many copies`)
}
