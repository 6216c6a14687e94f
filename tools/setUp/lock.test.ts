import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from './lock.mjs'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-lock-'))
  file = join(folder, 'deeper', 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const NOBODY = 2 ** 22 + 1
const ignore = () => {}

test('two who want it have it one after the other', async () => {
  const order: string[] = []
  const first = withLock(file, ignore, async () => {
    order.push('first in')
    await new Promise((resolve) => setTimeout(resolve, 50))
    order.push('first out')
  })
  const waits: string[] = []
  await withLock(
    file,
    () => waits.push('waiting'),
    async () => void order.push('second'),
  )
  await first
  expect(order).toEqual(['first in', 'first out', 'second'])
  expect(waits).toEqual(['waiting'])
  expect(existsSync(file)).toBe(false)
})

test('it is given back when the work fails', async () => {
  await expect(withLock(file, ignore, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await withLock(file, ignore, async () => 'again')).toBe('again')
})

test('what a dead process left is taken over', async () => {
  await withLock(file, ignore, async () => {})
  writeFileSync(file, JSON.stringify({ pid: NOBODY, host: hostname() }))
  expect(await withLock(file, ignore, async () => 'taken')).toBe('taken')
})

test('what has not been touched for long is taken over, whoever holds it', async () => {
  await withLock(file, ignore, async () => {})
  writeFileSync(file, JSON.stringify({ pid: process.pid, host: 'another' }))
  const longAgo = new Date(Date.now() - 3_600_000)
  utimesSync(file, longAgo, longAgo)
  expect(await withLock(file, ignore, async () => 'taken')).toBe('taken')
})
