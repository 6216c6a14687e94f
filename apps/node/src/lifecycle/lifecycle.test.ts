import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dataDirFiles, dataDirFrom, ensureDataDir } from './dataDir.js'
import { createLogger } from './logger.js'
import { readNodeFile, removeNodeFile, writeNodeFile } from './nodeFile.js'
import { writePrivateFile } from './privateFile.js'
import { openRotatingLog } from './rotatingLog.js'
import { loadOrCreateToken } from './token.js'

let folder: string
let dataDir: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-life-'))
  dataDir = join(folder, 'deep', 'data')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('the data directory', () => {
  test('is where GODWIT_DATA_DIR says, else in the XDG data directory, also without HOME', () => {
    expect(dataDirFrom({ GODWIT_DATA_DIR: '/a/b', XDG_DATA_HOME: '/x' })).toBe('/a/b')
    expect(dataDirFrom({ GODWIT_DATA_DIR: '', XDG_DATA_HOME: '/x' })).toBe('/x/godwit')
    expect(dataDirFrom({ XDG_DATA_HOME: 'relative' })).toMatch(/^\/.*\.local\/share\/godwit$/)
  })

  test('is made, parents too, for this user alone', () => {
    expect(ensureDataDir(dataDir).ok).toBe(true)
    expect(modeOf(dataDir)).toBe(0o700)
    chmodSync(dataDir, 0o777)
    expect(ensureDataDir(dataDir).ok).toBe(true)
    expect(modeOf(dataDir)).toBe(0o700)
  })

  test('is refused when it is a file, a link or below a file', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    mkdirSync(join(folder, 'real'))
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    for (const path of [file, join(file, 'below'), join(folder, 'link')]) {
      expect(ensureDataDir(path)).toMatchObject({ ok: false, failure: { code: 'ERR_DATA_DIR' } })
    }
  })
})

describe('the small files', () => {
  const file = { pid: process.pid, supervisorPid: null, url: 'http://127.0.0.1:1', version: '0.1.0', startedAt: 'now' }
  beforeEach(() => ensureDataDir(dataDir))

  test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
    'stay what they were when the disk has no room for what they should become',
    () => {
      const small = join(folder, 'small')
      mkdirSync(small)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small])
      try {
        writePrivateFile(join(small, 'file'), 'before')
        expect(() => writePrivateFile(join(small, 'file'), 'x'.repeat(100_000))).toThrow(/ENOSPC/)
        expect(readFileSync(join(small, 'file'), 'utf8')).toBe('before')
        expect(readdirSync(small)).toEqual(['file'])
      } finally {
        execFileSync('umount', ['--lazy', small])
      }
    },
  )

  test('node.json is private, read back, and removed only by its own process', () => {
    writeNodeFile(dataDir, file)
    expect(modeOf(dataDirFiles(dataDir).nodeFile)).toBe(0o600)
    expect(readNodeFile(dataDir)).toEqual(file)
    removeNodeFile(dataDir, process.pid + 1)
    expect(readNodeFile(dataDir)).toEqual(file)
    removeNodeFile(dataDir)
    expect(readNodeFile(dataDir)).toBeUndefined()
    writeFileSync(dataDirFiles(dataDir).nodeFile, '{"pid":')
    expect(readNodeFile(dataDir)).toBeUndefined()
  })

  test('the token is made once, private, and again when others could have read it', () => {
    const token = loadOrCreateToken(dataDir)
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(modeOf(dataDirFiles(dataDir).token)).toBe(0o600)
    expect(loadOrCreateToken(dataDir)).toBe(token)
    chmodSync(dataDirFiles(dataDir).token, 0o644)
    expect(loadOrCreateToken(dataDir)).not.toBe(token)
    expect(modeOf(dataDirFiles(dataDir).token)).toBe(0o600)
  })
})

describe('the log', () => {
  beforeEach(() => ensureDataDir(dataDir))

  test('is rotated at its limit, one old file is kept, and no line is torn', () => {
    const { log: path } = dataDirFiles(dataDir)
    const log = openRotatingLog(path, 100)
    for (let index = 0; index < 20; index += 1) log.write(`line ${String(index).padStart(2, '0')}\n`)
    log.close()
    const both = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8')
    expect(statSync(path).size).toBeLessThanOrEqual(100)
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(100)
    expect(both.trimEnd().split('\n').at(-1)).toBe('line 19')
    expect(both).toMatch(/^(line \d\d\n)+$/)
  })

  test('goes on in the file of the run before', () => {
    const { log: path } = dataDirFiles(dataDir)
    writeFileSync(path, 'before\n')
    const log = openRotatingLog(path)
    log.write('after\n')
    log.close()
    expect(readFileSync(path, 'utf8')).toBe('before\nafter\n')
  })

  test('holds no secret that was handed to it by mistake', () => {
    const logger = createLogger({ dataDir, isForeground: false })
    logger.info({ password: 'hunter2', input: { code: '1-maple-orbit-velvet' }, authorization: 'Bearer k' }, 'oops')
    const text = readFileSync(dataDirFiles(dataDir).log, 'utf8')
    expect(text).toContain('oops')
    for (const secret of ['hunter2', 'maple', 'Bearer']) expect(text).not.toContain(secret)
  })
})
