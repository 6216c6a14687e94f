import { expect, test } from 'vitest'
import { flowsBetween, leastBytes, queueOf, sampleAt, sentBetween, steadyOf } from './linkSamples.mjs'

const direction = (changes: object) => ({
  seen: 0,
  seenBytes: 0,
  lost: 0,
  dropped: 0,
  passed: 0,
  passedBytes: 0,
  queueMeanMs: 0,
  queueMaxMs: 0,
  flows: [],
  ...changes,
})
const sample = (seconds: number, ab: object) => ({ seconds, ab: direction(ab), ba: direction({}) })
const udp = (from: number, bytes: number) => ({ protocol: 'udp' as const, from, to: 9, packets: bytes / 1000, bytes })

test('what was sent is the difference of two samples', () => {
  const before = sample(1, { seen: 10, seenBytes: 15_000, lost: 1 })
  const after = sample(2, { seen: 110, seenBytes: 165_000, lost: 3, dropped: 4 })
  expect(sentBetween(before, after)).toEqual({ packets: 100, bytes: 150_000, lost: 2, dropped: 4 })
})

test('the least is full packets, and each lost one once more', () => {
  expect(leastBytes(1_440_000, { packets: 0, lost: 0 })).toBe(1_500_000)
  expect(leastBytes(1_440_000, { packets: 1000, lost: 100 })).toBeCloseTo(1_500_000 / 0.9)
})

test('the queue is that of samples in which something was sent', () => {
  const samples = [
    sample(0, { seen: 0 }),
    sample(1, { seen: 5, queueMeanMs: 10, queueMaxMs: 30 }),
    sample(2, { seen: 5, queueMeanMs: 0, queueMaxMs: 0 }),
    sample(3, { seen: 9, queueMeanMs: 20, queueMaxMs: 25 }),
  ]
  expect(queueOf(samples)).toEqual({ medianMs: 15, p95Ms: 19.5, mostMs: 30 })
  expect(queueOf([sample(0, {})])).toBeUndefined()
})

test('the steady state leaves out the talk before and after, the beginning and the end', () => {
  const talk = Array.from({ length: 50 }, (_, i) => sample(i, { seenBytes: i }))
  const run = Array.from({ length: 100 }, (_, i) => sample(50 + i, { seenBytes: (i + 1) * 1000 }))
  const after = Array.from({ length: 20 }, (_, i) => sample(150 + i, { seenBytes: 100_000 + i }))
  const steady = steadyOf([...talk, ...run, ...after])
  expect(steady.map(({ seconds }) => seconds)).toEqual(Array.from({ length: 65 }, (_, i) => 80 + i))
  expect(steadyOf([])).toEqual([])
  expect(steadyOf(talk.slice(0, 1))).toEqual([])
})

test('flows are told apart by protocol and ports, and one that came back counts anew', () => {
  const before = sample(1, { flows: [udp(1, 5000), udp(2, 9000)] })
  const after = sample(2, { flows: [udp(1, 8000), udp(2, 1000), { ...udp(1, 400), protocol: 'tcp' }] })
  expect(flowsBetween(before, after).map(({ protocol, from, bytes }) => [protocol, from, bytes])).toEqual([
    ['udp', 1, 3000],
    ['udp', 2, 1000],
    ['tcp', 1, 400],
  ])
})

test('a moment after the last sample has the last one', () => {
  const samples = [sample(1, {}), sample(2, {})]
  expect(sampleAt(samples, 1.5)?.seconds).toBe(2)
  expect(sampleAt(samples, 9)?.seconds).toBe(2)
})
