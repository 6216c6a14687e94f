import { expect, test } from 'vitest'
import { linksimOptions, linkText, quickened, ROWS } from './rows.mjs'

test('rows have names of their own', () => {
  expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length)
})

test('a link is told in one line, and to the emulator in its own units', () => {
  const link = {
    kind: 'emulated' as const,
    mtu: 1500,
    rateMbit: 200,
    rttMs: 100,
    lossPercent: 1,
    queueBytes: 2_560_000,
  }
  expect(linkText(link)).toBe('200 Mbit/s, 100 ms, 1 % loss, queue 2.56 MB')
  expect(linksimOptions(link, 100, 7)).toEqual(['rate=200', 'delay=50', 'loss=1', 'queue=2500', 'sample=100', 'seed=7'])
})

test('a goal is judged by the medians, and not at all without them', () => {
  const row = ROWS.find(({ id }) => id === 'veth')
  const judged = (medians: object) =>
    row?.kind === 'goodput' ? row.goals.map((goal) => goal.isReached({ ...medians })) : []
  expect(judged({})).toEqual([undefined, undefined, undefined, undefined])
  const scp = { bytesPerSecond: 350e6 }
  expect(judged({ godwit: { bytesPerSecond: 340e6 }, 'scp-cubic': scp }).slice(0, 2)).toEqual([false, true])
  expect(judged({ 'godwit-1lane': { cpuSendSeconds: 2.1, cpuReceiveSeconds: 2.9 } }).slice(2)).toEqual([true, false])
})

test('a quick look has smaller files, but for those that are small already', () => {
  const bytes = (id: string) =>
    ROWS.filter((row) => row.id === id).map((row) => ('bytes' in row ? [row.bytes, quickened(row)] : []))
  expect(bytes('small')[0]?.[1]).toMatchObject({ bytes: 1_000_000 })
  expect(bytes('wan200')[0]).toMatchObject([400_000_000, { bytes: 50_000_000, peerBytes: 12_500_000 }])
})
