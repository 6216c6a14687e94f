/** Each checker of the simulator can fail, and a seed is the same whenever it is run. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const SIMULATOR = fileURLToPath(new URL('../../tools/sim/sim.mjs', import.meta.url))

const simulate = (...args: readonly string[]): Promise<{ readonly exitCode: number; readonly text: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [SIMULATOR, ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, text: stdout }),
    )
  })

test.each([
  'filesEqual',
  'noFalseComplete',
  'logWithinDisk',
  'eventsReplayable',
  'nonceUnique',
  'memoryBounded',
  'alwaysEnds',
])('%s fails in a world that is broken for it', async (checker) => {
  const { exitCode, text } = await simulate('--mutation', checker, '--seeds', '5', '--failures', '1')
  expect(text).toMatch(new RegExp(`^seed \\d+ failed \\(commit [^)]+\\): ${checker}: `, 'm'))
  expect(exitCode).toBe(1)
})

test('a seed gives the same trace each time', async () => {
  const [first, second] = await Promise.all([simulate('--seed', '17', '--trace'), simulate('--seed', '17', '--trace')])
  const events = (text: string): string => text.replace(/^.*virtual hours in.*$/m, '')
  expect(first.text).toContain('TransferCompleted')
  expect(events(first.text)).toBe(events(second.text))
})
