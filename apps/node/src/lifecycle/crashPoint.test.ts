import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CrashPoint, crashPoint, createCrashPoint } from './crashPoint.js'

let folder: string
let plan: string
let crashes: number
let pass: (point: CrashPoint) => void

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-crash-'))
  plan = join(folder, 'plan')
  crashes = 0
  pass = createCrashPoint(plan, () => {
    crashes += 1
  })
})
afterEach(() => rmSync(folder, { recursive: true }))

test('crashes at the planned pass of the planned point, once', () => {
  writeFileSync(plan, JSON.stringify({ point: 'partsSynced', passes: 2 }))
  pass('chunkWritten')
  pass('partsSynced')
  expect(crashes).toBe(0)
  pass('partsSynced')
  expect(crashes).toBe(1)
  expect(existsSync(plan)).toBe(false)
  expect(JSON.parse(readFileSync(`${plan}.done`, 'utf8'))).toEqual({ point: 'partsSynced', passes: 1 })
  pass('partsSynced')
  expect(crashes).toBe(1)
})

test('a plan that is not one, or names no crash point, is left alone', () => {
  for (const text of ['', '{', '{"point":"nowhere","passes":1}', '{"point":"partsSynced","passes":0}']) {
    writeFileSync(plan, text)
    pass('partsSynced')
    expect(readFileSync(plan, 'utf8')).toBe(text)
  }
  expect(crashes).toBe(0)
})

test('a process that was started without a plan passes every point', () => {
  expect(process.env['GODWIT_CRASH_PLAN']).toBeUndefined()
  expect(crashPoint('partsSynced')).toBeUndefined()
})
