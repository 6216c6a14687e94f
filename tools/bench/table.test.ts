import { expect, test } from 'vitest'
import { between, markdownTable } from './table.mjs'

test('a table escapes what would end a cell', () => {
  expect(markdownTable(['a', 'b'], [['1', 'x|y']])).toBe('| a | b |\n|---|---|\n| 1 | x\\|y |')
})

test('what stands between the markers is replaced, and nothing else', () => {
  const document = 'before\n<!-- bench begin -->\nold\n<!-- bench end -->\nafter\n'
  const once = between(document, 'bench', 'new')
  expect(once).toBe('before\n<!-- bench begin -->\n\nnew\n\n<!-- bench end -->\nafter\n')
  expect(between(once, 'bench', 'new')).toBe(once)
  expect(() => between('nothing', 'bench', 'new')).toThrow(/no markers/)
})
