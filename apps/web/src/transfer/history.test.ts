/** What a transfer's events become on its page. */
import type { EventLine } from '@godwit/protocol/api'
import { transferEventSchema } from '@godwit/protocol/transferEvents'
import { describe, expect, test } from 'vitest'
import { cellsOf } from './chunkMap'
import { ChunkSet } from './chunkSet'
import { eventText } from './eventText'
import { flowOf } from './flow'
import { TransferHistory } from './history'

const AT = Date.parse('2026-01-02T03:04:05.000Z')

/** Events in order; each a second after the other. */
const log = (...events: readonly (readonly [string, Record<string, unknown>])[]): EventLine[] =>
  events.map(([event, data], index) => ({
    type: 'event',
    id: `trx.${index + 1}`,
    version: index + 1,
    event,
    at: new Date(AT + index * 1000).toISOString(),
    data,
  }))

const enqueued = (chunkCount: number) =>
  ['TransferEnqueued', { role: 'sender', fileCount: 1, totalBytes: chunkCount * 100, chunkCount }] as const
const acked = (receiver: string, first: number, count: number) =>
  [
    'ChunksAcked',
    { receiver, ranges: [[first, count]], bytes: count * 100, sinceMs: 500, rttUs: 20_000, rate: count * 200 },
  ] as const

const historyOf = (...events: readonly (readonly [string, Record<string, unknown>])[]): TransferHistory => {
  const history = new TransferHistory()
  history.take(log(...events))
  return history
}

test('chunks fill as they are acknowledged, and what is asked for again is missing and marked', () => {
  const history = historyOf(
    enqueued(8),
    acked('r', 0, 6),
    ['RetransmitRequested', { receiver: 'r', ranges: [[2, 2]], reason: 'hashMismatch', bytesTakenBack: 200 }],
    acked('r', 2, 1),
  )
  const cells = cellsOf(history, [...history.receivers.values()], 100, false)
  expect([...cells.filled]).toEqual([1, 1, 1, 0, 1, 1, 0, 0])
  expect([...cells.resent]).toEqual([0, 0, 1, 1, 0, 0, 0, 0])
})

test('where there are more chunks than cells, a cell fills by degrees; several receivers are taken together', () => {
  const history = historyOf(enqueued(100), acked('a', 0, 50), acked('b', 0, 25))
  const { filled, chunksPerCell } = cellsOf(history, [...history.receivers.values()], 4, false)
  expect(chunksPerCell).toBe(25)
  expect([...filled]).toEqual([1, 0.5, 0, 0])
})

test('events that come twice count once, and the order of arrival in portions does not matter', () => {
  const events = log(enqueued(4), acked('r', 0, 2), acked('r', 2, 1))
  const history = new TransferHistory()
  history.take(events.slice(0, 2))
  history.take(events.slice(0, 2))
  history.take(events)
  expect(history.samples).toHaveLength(2)
  expect(history.receivers.get('r')?.acked.countUnits(0, 4)).toBe(3)
})

test('a run of checkpoints is one line of the timeline, and what happens in between divides it', () => {
  const history = historyOf(
    enqueued(8),
    acked('r', 0, 1),
    acked('r', 1, 1),
    ['Paused', { reason: 'user', by: 'user' }],
    acked('r', 2, 1),
  )
  expect(history.timeline.map(({ text }) => text)).toEqual([
    'Enqueued: 1 file, 800 B.',
    '200 B arrived and were recorded, in 2 checkpoints.',
    'Paused here.',
    '100 B arrived and was recorded, in one checkpoint.',
  ])
})

test('every event of the log has a sentence, but for those that say nothing to a reader', () => {
  const silent = transferEventSchema.options
    .map(({ shape }) => shape.type.value)
    .filter((event) => eventText({ type: 'event', id: '', version: 1, event, at: '', data: {} }, '') === undefined)
  expect(silent.sort()).toEqual(['ChunksAcked', 'SessionChanged'])
  const raw = transferEventSchema.options
    .map(({ shape }) => shape.type.value)
    .filter(
      (event) =>
        !/[.]$/.test(eventText({ type: 'event', id: '', version: 1, event, at: '', data: {} }, '')?.text ?? '.'),
    )
  expect(raw).toEqual([])
})

test('a device that calls itself by direction marks is shown escaped', () => {
  const told = log(['PeerPaired', { receiver: 'r', name: 'a\u202egpj.exe' }]).map((event) => eventText(event, ''))[0]
  expect(told?.text).toBe('Key agreed with a\\u{202e}gpj.exe.')
})

describe('a set of chunks', () => {
  test('is what a plain set is', () => {
    const set = new ChunkSet(40)
    const plain = new Set<number>()
    for (const [kind, first, count] of [
      ['add', 3, 10],
      ['remove', 5, 2],
      ['add', 30, 20],
      ['add', 0, 1],
    ] as const) {
      set[kind](first, count)
      for (let chunk = first; chunk < Math.min(40, first + count); chunk += 1)
        plain[kind === 'add' ? 'add' : 'delete'](chunk)
    }
    expect(Array.from({ length: 40 }, (_, chunk) => set.hasUnit(chunk))).toEqual(
      Array.from({ length: 40 }, (_, chunk) => plain.has(chunk)),
    )
    expect(set.countUnits(0, 40)).toBe(plain.size)
  })

  test('of a transfer of 16 TiB takes no more than 32 KiB', () => {
    const set = new ChunkSet(16 * 1024 * 1024)
    expect(set.units).toBe(262_144)
    set.add(0, 16 * 1024 * 1024)
    expect(set.countUnits(0, set.units)).toBe(set.units)
  })
})

describe('the flow', () => {
  test('of nothing is nothing', () => {
    expect(flowOf([], 100)).toBeUndefined()
  })

  test('holds the bytes that moved, whatever the slices', () => {
    const samples = Array.from({ length: 50 }, (_, index) => ({
      atMs: 1000 + index * 500,
      sinceMs: 500,
      bytes: 1000 + index,
      rttUs: 10_000,
    }))
    const total = samples.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const slices of [1, 7, 50, 1000]) {
      const flow = flowOf(samples, slices)
      const sliceSeconds = ((flow?.endMs ?? 0) - (flow?.startMs ?? 0)) / 1000 / (flow?.points.length ?? 1)
      const drawn = (flow?.points ?? []).reduce((sum, { rate }) => sum + rate * sliceSeconds, 0)
      expect(Math.round(drawn)).toBe(total)
      expect(flow?.meanRttMs).toBeCloseTo(10)
    }
  })

  test('does not count the time before the first byte', () => {
    const flow = flowOf([{ atMs: 60_000, sinceMs: 59_000, bytes: 1000, rttUs: 0 }], 100)
    expect(flow).toMatchObject({ startMs: 59_000, endMs: 60_000, meanRate: 1000 })
  })
})
