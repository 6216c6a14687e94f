import { expect, test } from 'vitest'
import { joined } from './earlier.mjs'
import { ROWS } from './rows.mjs'

const machine = { processor: 'P', cores: 2, system: 'Linux 6', node: 'v20', commit: 'commit 1' }
const report = (command: string, ids: readonly string[], changes: object = {}) =>
  ({
    machine,
    command,
    isQuick: false,
    results: ids.map((id) => ({ kind: 'goodput', row: ROWS.find((row) => row.id === id), entries: [] })),
    ...changes,
  }) as never
const asRead = (value: unknown) => JSON.parse(JSON.stringify(value))

test('rows that were run before are taken over in their place, with their goals, unless they were run again', () => {
  const { results, command } = joined(report('second', ['veth']), asRead(report('first', ['wan200', 'veth'])))
  expect(results.map(({ row }) => row.id)).toEqual(['veth', 'wan200'])
  expect(command).toBe('first`, `second')
  const taken = results[1]
  expect(taken?.kind === 'goodput' ? taken.row.goals.map(({ isReached }) => isReached({})) : []).toContain(undefined)
})

test('figures of another state are not mixed with those of this one', () => {
  const other = asRead(report('first', ['wan200'], { machine: { ...machine, commit: 'commit 0' } }))
  expect(() => joined(report('second', ['veth']), other)).toThrow(/another commit/)
  expect(() => joined(report('second', ['veth']), asRead(report('first', [], { isQuick: true })))).toThrow(/quick/)
})
