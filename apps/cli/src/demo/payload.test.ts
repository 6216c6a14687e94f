import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { filesBelow, firstDifference, makeRandomFile } from './payload.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-payload-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const tree = (name: string, files: Readonly<Record<string, string>>): string => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, path, '..'), { recursive: true })
    writeFileSync(join(folder, name, path), text)
  }
  return join(folder, name)
}

describe('firstDifference', () => {
  test('finds none between equal trees and between equal files', async () => {
    const [left, right] = [tree('l', { a: 'x', 'b/c': '' }), tree('r', { a: 'x', 'b/c': '' })]
    expect(await firstDifference(left, right)).toBeUndefined()
    expect(await firstDifference(join(left, 'a'), join(right, 'a'))).toBeUndefined()
  })

  test.each([
    ['another byte', { a: 'y' }, 'a'],
    ['another length', { a: 'xx' }, 'a'],
    ['a file too many', { a: 'x', b: '' }, 'b'],
    ['a file too few', {}, 'a'],
  ])('names %s', async (_name, files: Record<string, string>, expected) => {
    const original = tree('l', { a: 'x' })
    mkdirSync(join(folder, 'r'))
    expect(await firstDifference(original, tree('r', files))).toBe(expected)
  })

  test('sees a difference behind the first block', async () => {
    const path = join(folder, 'big')
    await makeRandomFile(path, 9 * 1024 * 1024 + 3)
    const copy = join(folder, 'copy')
    const { copyFileSync, openSync, writeSync, closeSync } = await import('node:fs')
    copyFileSync(path, copy)
    expect(await firstDifference(path, copy)).toBeUndefined()
    const file = openSync(copy, 'r+')
    writeSync(file, new Uint8Array(1024), 0, 1024, 9 * 1024 * 1024 - 1021)
    closeSync(file)
    expect(await firstDifference(path, copy)).toBe('')
  })

  test('takes a copy that is missing as a difference', async () => {
    expect(await firstDifference(tree('l', { a: 'x' }), join(folder, 'nowhere'))).toBe('a')
  })
})

test('filesBelow counts regular files only', async () => {
  const path = tree('t', { a: '12', 'deep/b': '345' })
  symlinkSync('/etc/passwd', join(path, 'link'))
  expect([...(await filesBelow(path))].sort()).toEqual([
    ['a', 2],
    [join('deep', 'b'), 3],
  ])
})

test('makeRandomFile makes exactly as many bytes and never overwrites', async () => {
  const path = join(folder, 'random')
  await makeRandomFile(path, 5_000_001)
  expect([...(await filesBelow(path))]).toEqual([['', 5_000_001]])
  await expect(makeRandomFile(path, 1)).rejects.toThrow('EEXIST')
})
