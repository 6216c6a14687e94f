import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NodeSettingsFile } from './nodeSettings.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'godwit-settings-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('what is set is there after a restart, with who set it and when', () => {
  const settings = new NodeSettingsFile(dir, () => 0)
  expect(settings.current).toEqual({ limit: null, maxSending: 16 })
  settings.change({ limit: 5000 }, 'user')
  settings.change({ maxSending: 2 }, 'user')
  expect(new NodeSettingsFile(dir).current).toEqual({ limit: 5000, maxSending: 2 })
  const path = join(dir, 'settings.json')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(JSON.parse(readFileSync(path, 'utf8')).changes).toEqual([
    { at: '1970-01-01T00:00:00.000Z', by: 'user', settings: { limit: 5000, maxSending: 16 } },
    { at: '1970-01-01T00:00:00.000Z', by: 'user', settings: { limit: 5000, maxSending: 2 } },
  ])
})

test('a damaged file counts as the defaults', () => {
  writeFileSync(join(dir, 'settings.json'), '{"limit":')
  expect(new NodeSettingsFile(dir).current).toEqual({ limit: null, maxSending: 16 })
})
