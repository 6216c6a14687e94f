import { expect, test } from 'vitest'
import { mediansOf, reportText } from './report.mjs'
import { ROWS } from './rows.mjs'

const rowOf = (id: string) => {
  const row = ROWS.find((one) => one.id === id)
  if (row === undefined) throw new Error(`no row ${id}`)
  return row
}

const side = (cpuSeconds: number) => ({ cpuSeconds, redisCpuSeconds: 0.1, peakRssBytes: 200 * 2 ** 20 })
const transfer = {
  bytes: 400e6,
  seconds: 20,
  isCut: false,
  send: side(1),
  receive: side(2),
  retransmittedBytes: 4e6,
  lostPackets: 0,
  corruptedPackets: 0,
  session: { mtu: 1472, trains: true, lanes: 2 },
  rttUs: [],
}
const run = (bytes: number, seconds: number, changes: object = {}) => ({
  bytes,
  seconds,
  isCut: false,
  sent: { packets: 1000, bytes: 1.02e9, lost: 10, dropped: 0, least: 1e9 },
  queue: { medianMs: 12, p95Ms: 40, mostMs: 60 },
  ...changes,
})
const entry = (name: string, label: string, runs: object[], failures: string[] = []) => ({
  name,
  label,
  fileBytes: 400e6,
  runs,
  failures,
})
const machine = {
  processor: 'P',
  cores: 2,
  memoryGib: 4,
  system: 'Linux 6',
  node: 'v20',
  commit: 'commit 1',
  date: '2026-01-01',
}
const report = (results: object[], changes: object = {}) =>
  // The tests make only what the text reads.
  reportText({
    machine,
    command: 'npm run bench:net',
    runs: 3,
    isQuick: false,
    versions: ['iperf 3.12'],
    leftOut: [],
    results,
    ...changes,
  } as never)

test('goals are judged by rates of all runs and by everything else of complete ones', () => {
  const runs = [run(100e6, 1), run(200e6, 1), run(1e6, 1, { isCut: true, sent: undefined })]
  const medians = mediansOf([entry('godwit', 'Godwit', runs)] as never)
  expect(medians['godwit']).toEqual({ bytesPerSecond: 100e6, seconds: 1, sentRatio: 1.02, queueMs: 12 })
  expect(mediansOf([entry('udx', 'udx', [])] as never)['udx']).toEqual({})
})

test('a row tells medians, what was sent and waited, who was left out, what failed, and what was wanted', () => {
  const godwit = entry('godwit', 'Godwit', [run(400e6, 16, { godwit: transfer }), run(400e6, 20, { godwit: transfer })])
  const scp = entry('scp-bbr', 'scp, BBR', [run(50e6, 40, { isCut: true })], ['it broke.\nmore'])
  const absent = [{ label: 'uftp', why: 'uftp is not installed' }]
  const text = report([{ kind: 'goodput', row: rowOf('wan200'), entries: [godwit, scp], absent }])
  expect(text).toContain('### `wan200`: 200 Mbit/s, 100 ms, 1 % loss, queue 2.50 MB')
  expect(text).toContain('| Godwit | 400 MB | 22.5 (20.0 to 25.0) | 1.020 | 12.0 (95 %: 40.0) |')
  expect(text).toContain('| scp, BBR | 400 MB | 1.25† (1.25 to 1.25) |  | 12.0 (95 %: 40.0) |')
  expect(text).toContain('scp, BBR failed: it broke.')
  expect(text).toContain('Left out: uftp (uftp is not installed).')
  expect(text).toContain('Wanted: godwit at least 22.3 MB/s: reached;')
  expect(text).toContain(
    '| wan200: Godwit | 400 MB | 1.00 | 2.00 | 0.200 | 200 | 200 | 1.00 % | 1,472 B in trains, 2 lanes |',
  )
})

test('a small file is told in round trips', () => {
  const text = report([
    { kind: 'goodput', row: rowOf('small'), entries: [entry('godwit', 'Godwit', [run(1e6, 1.1)])], absent: [] },
  ])
  expect(text).toContain('| Godwit | 400 MB | 11.0 (11.0 to 11.0) |')
  expect(text).toContain('godwit within 12 round trips: reached')
})

test('shares and memory are told with what was wanted, or with why they were not measured', () => {
  const shares = { sharePercent: 45, utilisationPercent: 98, queueMs: 20 }
  const text = report([
    { kind: 'share', row: rowOf('cubic'), runs: [shares], failures: [], absent: undefined },
    { kind: 'share', row: rowOf('background'), runs: [], failures: [], absent: 'no --profile' },
    { kind: 'memory', row: rowOf('memory'), run: { ...transfer, seconds: 21 }, failure: undefined, absent: undefined },
  ])
  expect(text).toContain('| 45 % (45 to 45) | 98 % | 20.0 | 30 to 70 %: reached |')
  expect(text).toContain('| no --profile |  |  | 0 to 20 %: not measured |')
  expect(text).toContain("the receiver's 200 MiB (wanted: 300 MiB: reached), at 19.0 MB/s. One run.")
})

test('a quick look and rows that could not be run are named as such', () => {
  const text = report([], { isQuick: true, leftOut: ['wan200 (no C compiler)'] })
  expect(text).toContain('**A quick look')
  expect(text).toContain('Rows left out: wan200 (no C compiler).')
})
