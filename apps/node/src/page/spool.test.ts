/** What becomes of files that were dropped on a page. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  SPOOL_FAILED_MS,
  SPOOL_FILES_MAX,
  SPOOL_IDLE_MS,
  SPOOL_PIECES_AT_ONCE_MAX,
  SPOOLS_MAX,
} from '@godwit/protocol/limits'
import { beforeEach, expect, test } from 'vitest'
import { useTempDirs } from '../files/testing/tempDir.js'
import type { TransferRecord } from '../records/transferRecord.js'
import { Spool } from './spool.js'

type Ended = TransferRecord['ended']

const makeDir = useTempDirs()
let dir: string
let now: number
let records: Map<string, { submissionId: string; ended: Ended }>

const recordOf = (transferId: string): TransferRecord | undefined => {
  const record = records.get(transferId)
  // The spool looks at these two fields of a record alone.
  return record === undefined ? undefined : ({ transferId, ...record } as TransferRecord)
}

const spoolNow = (): Spool =>
  new Spool({
    dir: join(dir, 'spool'),
    now: () => now,
    records: {
      get: recordOf,
      findBySubmission: (submissionId) =>
        [...records.keys()].map(recordOf).find((record) => record?.submissionId === submissionId),
    },
  })

let spool: Spool

beforeEach(async () => {
  dir = await makeDir()
  now = Date.now()
  records = new Map()
  spool = spoolNow()
})

const begin = async (): Promise<string> => {
  const begun = await spool.begin(1, 3)
  if (!begun.ok) throw new Error(begun.failure.code)
  return begun.value.spoolId
}
const filesOf = (spoolId: string): string => join(dir, 'spool', spoolId, 'files')
const bytesOf = (text: string): Uint8Array => Buffer.from(text)
const piece = (path: string, text: string, offset = 0, endsWithMtime: number | undefined = 1_000_000_000_000) => ({
  path,
  offset,
  bytes: bytesOf(text),
  endsWithMtime,
})

test('a file is put together from its pieces, with its time and for this user alone', async () => {
  const id = await begin()
  expect(await spool.write(id, piece('a/b.txt', 'one ', 0, undefined))).toEqual({
    ok: true,
    value: { size: 4, isTaken: true },
  })
  expect(await spool.write(id, piece('a/b.txt', 'two', 4))).toEqual({ ok: true, value: { size: 7, isTaken: true } })
  const file = join(filesOf(id), 'a', 'b.txt')
  expect(readFileSync(file, 'utf8')).toBe('one two')
  expect(statSync(file).mtimeMs).toBe(1_000_000_000_000)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(filesOf(id)).mode & 0o777).toBe(0o700)
})

test('a piece that comes again is not written again, and the answer says where to go on', async () => {
  const id = await begin()
  await spool.write(id, piece('f', 'abc', 0, undefined))
  expect(await spool.write(id, piece('f', 'abc', 0, undefined))).toEqual({
    ok: true,
    value: { size: 3, isTaken: false },
  })
  spool = spoolNow()
  expect(await spool.write(id, piece('f', 'x', 9))).toEqual({ ok: true, value: { size: 3, isTaken: false } })
  expect(readFileSync(join(filesOf(id), 'f'), 'utf8')).toBe('abc')
})

test('no name leads out of the spool, and none that cannot be sent comes in', async () => {
  const id = await begin()
  for (const path of [
    '../out',
    'a/../../out',
    '/etc/passwd',
    'a//b',
    '',
    '.',
    'a\u202etxt.exe',
    'line\nbreak',
    'x'.repeat(256),
  ]) {
    expect(await spool.write(id, piece(path, 'x'))).toMatchObject({
      ok: false,
      failure: { code: 'ERR_NAME_UNSENDABLE' },
    })
  }
  expect(readdirSync(filesOf(id))).toEqual([])
  for (const unknown of ['spaaaaaaaaaaaaaaaa', '..', '../spool', '']) {
    expect(await spool.write(unknown, piece('f', 'x'))).toMatchObject({
      ok: false,
      failure: { code: 'ERR_SPOOL_GONE' },
    })
  }
})

test('what is too much is refused before anything is written', async () => {
  expect(await spool.begin(SPOOL_FILES_MAX + 1, 1)).toMatchObject({ failure: { code: 'ERR_MANIFEST_TOO_LARGE' } })
  expect(await spool.begin(1, Number.MAX_SAFE_INTEGER)).toMatchObject({ failure: { code: 'ERR_MANIFEST_TOO_LARGE' } })
  expect(await spool.begin(1, 16 * 1024 ** 4)).toMatchObject({ failure: { code: 'ERR_DISK_FULL' } })
  for (let index = 0; index < SPOOLS_MAX; index += 1) await begin()
  expect(await spool.begin(1, 1)).toMatchObject({ failure: { code: 'ERR_TOO_MANY_TRANSFERS' } })
})

test('no more files are in one spool than it may hold, also when they were not announced', async () => {
  const id = await begin()
  const many = new Spool({
    dir: join(dir, 'spool'),
    now: () => now,
    filesMax: 2,
    records: { get: recordOf, findBySubmission: () => undefined },
  })
  expect(await many.write(id, piece('1', 'x'))).toMatchObject({ ok: true })
  expect(await many.write(id, piece('2', 'x'))).toMatchObject({ ok: true })
  expect(await many.write(id, piece('3', 'x'))).toMatchObject({
    ok: false,
    failure: { code: 'ERR_MANIFEST_TOO_LARGE' },
  })
})

test('no more pieces are written at once than may be', async () => {
  const id = await begin()
  const answers = await Promise.all(
    Array.from({ length: SPOOL_PIECES_AT_ONCE_MAX + 1 }, (_, index) => spool.write(id, piece(`f${index}`, 'x'))),
  )
  expect(answers.filter(({ ok }) => !ok)).toHaveLength(1)
})

test('a submission gets the paths at the top; an empty spool and one that is gone have none', async () => {
  const id = await begin()
  expect(await spool.claim(id, 'one')).toMatchObject({ failure: { code: 'ERR_NOTHING_TO_SEND' } })
  await spool.write(id, piece('b/c', 'x'))
  await spool.write(id, piece('a', 'x'))
  expect(await spool.claim(id, 'one')).toEqual({ ok: true, value: [join(filesOf(id), 'a'), join(filesOf(id), 'b')] })
  spool.claimed(id, 'one', 'tr1')
  expect(await spool.claim(id, 'one')).toMatchObject({ ok: true })
  expect(await spool.claim(id, 'two')).toMatchObject({ failure: { code: 'ERR_SPOOL_GONE' } })
  await spool.drop(await begin())
  expect(await spool.claim('spaaaaaaaaaaaaaaaa', 'one')).toMatchObject({ failure: { code: 'ERR_SPOOL_GONE' } })
})

test.each<{ ended: Ended; afterMs: number; stays: boolean }>([
  { ended: null, afterMs: 100 * SPOOL_FAILED_MS, stays: true },
  { ended: 'completed', afterMs: 0, stays: false },
  { ended: 'cancelled', afterMs: 0, stays: false },
  { ended: 'failed', afterMs: SPOOL_FAILED_MS - 60_000, stays: true },
  { ended: 'failed', afterMs: SPOOL_FAILED_MS + 60_000, stays: false },
])('a spool of a transfer that is $ended stays $stays after $afterMs ms', async ({ ended, afterMs, stays }) => {
  const id = await begin()
  await spool.write(id, piece('f', 'x'))
  records.set('tr1', { submissionId: 'one', ended })
  spool.claimed(id, 'one', 'tr1')
  now += afterMs
  // Also for a node that was started anew.
  await spoolNow().sweep()
  expect(existsSync(filesOf(id))).toBe(stays)
})

test('a spool of a transfer that was removed goes; one that nobody sends goes after an hour', async () => {
  const removed = await begin()
  spool.claimed(removed, 'one', 'tr1')
  const forgotten = await begin()
  await spool.write(forgotten, piece('f', 'x'))
  now += SPOOL_IDLE_MS - 1000
  await spool.sweep()
  expect([removed, forgotten].map((id) => existsSync(filesOf(id)))).toEqual([false, true])
  now += 2000
  await spool.sweep()
  expect(existsSync(filesOf(forgotten))).toBe(false)
})

test('what is dropped is gone, but not from under its transfer', async () => {
  const id = await begin()
  await spool.drop(id)
  expect(existsSync(filesOf(id))).toBe(false)
  const sent = await begin()
  spool.claimed(sent, 'one', 'tr1')
  await spool.drop(sent)
  expect(existsSync(filesOf(sent))).toBe(true)
})
