import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDataDir } from './dataDirLock.js'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'godwit-lock-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('a process of another program holds no lock, though its id is in the file', () => {
  writeFileSync(join(dir, 'rendezvous.lock'), '1')
  expect(lockDataDir(dir)).toMatchObject({ ok: true })
})

test('a lock that a dead process left is taken over, and given up at the end', () => {
  writeFileSync(join(dir, 'rendezvous.lock'), '999999999')
  const first = lockDataDir(dir)
  expect(first.ok).toBe(true)
  if (first.ok) first.value()
  expect(lockDataDir(join(dir, 'new'))).toMatchObject({ ok: true })
})

test('a directory that cannot be made is told', () => {
  writeFileSync(join(dir, 'file'), '')
  expect(lockDataDir(join(dir, 'file'))).toMatchObject({ ok: false, failure: { code: 'ERR_DATA_DIR' } })
})
