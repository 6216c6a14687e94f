import { expect, test } from 'vitest'
import { selfTimes, selfTimesText } from './cpuProfile.mjs'

const node = (id: number, functionName: string, url = '', lineNumber = -1) => ({
  id,
  callFrame: { functionName, url, lineNumber },
})
const profile = {
  nodes: [
    node(1, '(root)'),
    node(2, '(idle)'),
    node(3, 'seal', 'file:///home/somebody/godwit/apps/node/dist/seal.js', 9),
    node(4, 'seal', 'file:///home/somebody/godwit/apps/node/dist/seal.js', 9),
    node(5, '', 'node:dgram', 0),
  ],
  samples: [2, 3, 4, 5, 3],
  timeDeltas: [5000, 1000, 2000, 500, -30],
}

test('self time is summed by function and place over the tree and over profiles, without the idle time', () => {
  const times = selfTimes([profile, profile], '/home/somebody/godwit')
  expect(times.idleMs).toBe(10)
  expect(times.busyMs).toBe(7)
  expect(times.functions).toEqual([
    { name: 'seal', place: 'apps/node/dist/seal.js:10', milliseconds: 6 },
    { name: '(anonymous)', place: 'node:dgram:1', milliseconds: 1 },
  ])
})

test('the text names the functions with the most time and their share of the busy time', () => {
  const lines = selfTimesText(selfTimes([profile], '/home/somebody/godwit'), 1).split('\n')
  expect(lines).toEqual(['busy 4 ms, idle 5 ms', '       3 ms  85.7 %  seal  apps/node/dist/seal.js:10'])
})
