/** How fast a transfer went over time: its windows spread over a fixed number of slices. Pure. */
import type { Sample } from './history'

export interface FlowPoint {
  /** The middle of the slice, milliseconds since 1970. */
  readonly atMs: number
  /** Bytes a second, of all receivers together. */
  readonly rate: number
  /** Smoothed round trip, milliseconds; null where nothing was measured. */
  readonly rttMs: number | null
}

export interface Flow {
  readonly points: readonly FlowPoint[]
  readonly startMs: number
  readonly endMs: number
  readonly peakRate: number
  readonly meanRate: number
  readonly peakRttMs: number
  readonly meanRttMs: number
}

/** Milliseconds of the first window that are drawn: it began when the receiver was asked, not when data moved. */
const FIRST_WINDOW_MAX_MS = 1000

/** @param slices - at most; fewer for a short transfer, so that a slice is no shorter than a checkpoint. */
export const flowOf = (samples: readonly Sample[], slices: number): Flow | undefined => {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined) return undefined
  const startMs = first.atMs - Math.min(first.sinceMs, FIRST_WINDOW_MAX_MS)
  const endMs = Math.max(startMs + 1, last.atMs)
  const count = Math.max(1, Math.min(slices, Math.floor((endMs - startMs) / 500)))
  const sliceMs = (endMs - startMs) / count
  const bytes = new Float64Array(count)
  const rttSum = new Float64Array(count)
  const rttCount = new Float64Array(count)
  const sliceOf = (ms: number): number => Math.min(count - 1, Math.max(0, Math.floor((ms - startMs) / sliceMs)))
  let totalBytes = 0
  for (const sample of samples) {
    const from = sliceOf(sample.atMs - sample.sinceMs)
    const to = sliceOf(sample.atMs - 1)
    // Evenly over the slices that the window touches.
    for (let slice = from; slice <= to; slice += 1) bytes[slice] = (bytes[slice] ?? 0) + sample.bytes / (to - from + 1)
    if (sample.rttUs > 0) {
      rttSum[to] = (rttSum[to] ?? 0) + sample.rttUs / 1000
      rttCount[to] = (rttCount[to] ?? 0) + 1
    }
    totalBytes += sample.bytes
  }
  const points = Array.from({ length: count }, (_, slice) => ({
    atMs: startMs + (slice + 0.5) * sliceMs,
    rate: ((bytes[slice] ?? 0) * 1000) / sliceMs,
    rttMs: (rttCount[slice] ?? 0) === 0 ? null : (rttSum[slice] ?? 0) / (rttCount[slice] ?? 1),
  }))
  const rtts = points.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]))
  return {
    points,
    startMs,
    endMs,
    peakRate: Math.max(...points.map(({ rate }) => rate)),
    meanRate: (totalBytes * 1000) / (endMs - startMs),
    peakRttMs: Math.max(0, ...rtts),
    meanRttMs: rtts.length === 0 ? 0 : rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length,
  }
}
