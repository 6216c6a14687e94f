/** Rate and round trip over time: two charts on one axis of time, one above the other. Told in words beside. */
import { formatDuration } from '@godwit/protocol/duration'
import { formatRate } from '@godwit/protocol/rate'
import { type PointerEvent, useMemo, useState } from 'react'
import { clockOf } from '../ui/words'
import { type Flow, flowOf } from './flow'
import type { TransferHistory } from './history'

const SLICES = 160
const WIDTH = 640
const RATE_HEIGHT = 120
const RTT_HEIGHT = 56

const formatRtt = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`

const xOf = (index: number, count: number): number => (count === 1 ? WIDTH / 2 : (index / (count - 1)) * WIDTH)

const ratePath = ({ points, peakRate }: Flow): string => {
  const line = points.map(
    ({ rate }, index) =>
      `${xOf(index, points.length).toFixed(1)},${(RATE_HEIGHT - (rate / Math.max(1, peakRate)) * (RATE_HEIGHT - 4)).toFixed(1)}`,
  )
  if (points.length === 1) return `M0,${line[0]?.split(',')[1]}H${WIDTH}V${RATE_HEIGHT}H0Z`
  return `M0,${RATE_HEIGHT}L${line.join('L')}L${WIDTH},${RATE_HEIGHT}Z`
}

const rttPath = ({ points, peakRttMs }: Flow): string => {
  let path = ''
  points.forEach(({ rttMs }, index) => {
    if (rttMs === null) return
    const y = RTT_HEIGHT - (rttMs / Math.max(0.001, peakRttMs)) * (RTT_HEIGHT - 4)
    path += `${path === '' ? 'M' : 'L'}${xOf(index, points.length).toFixed(1)},${y.toFixed(1)}`
  })
  return path
}

export const FlowChart = ({ history, revision }: { readonly history: TransferHistory; readonly revision: number }) => {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the history is one object that moves on with its revision
  const flow = useMemo(() => flowOf(history.samples, SLICES), [history, revision])
  const [pointed, setPointed] = useState<number>()
  if (flow === undefined) {
    return (
      <section className="panel" aria-labelledby="flow-title">
        <h2 id="flow-title">Speed</h2>
        <p className="muted">Nothing has moved yet.</p>
      </section>
    )
  }
  const point = (event: PointerEvent<HTMLElement>): void => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    const index = Math.round(((event.clientX - left) / width) * (flow.points.length - 1))
    setPointed(Math.max(0, Math.min(flow.points.length - 1, index)))
  }
  const at = pointed === undefined ? undefined : flow.points[pointed]
  const words = `Mean rate ${formatRate(Math.round(flow.meanRate))}, peak ${formatRate(Math.round(flow.peakRate))}; mean round trip ${formatRtt(flow.meanRttMs)}, longest ${formatRtt(flow.peakRttMs)}.`
  const line = pointed === undefined ? undefined : xOf(pointed, flow.points.length)
  return (
    <section className="panel" aria-labelledby="flow-title">
      <div className="panel-head">
        <h2 id="flow-title">Speed</h2>
        <p className="figures muted">
          {at === undefined
            ? `over ${formatDuration((flow.endMs - flow.startMs) / 1000)}`
            : `${clockOf(new Date(at.atMs).toISOString())} · ${formatRate(Math.round(at.rate))}${at.rttMs === null ? '' : ` · ${formatRtt(at.rttMs)}`}`}
        </p>
      </div>
      {/* The figure is for the eye; the words below say the same. */}
      <div className="chart" aria-hidden="true" onPointerMove={point} onPointerLeave={() => setPointed(undefined)}>
        <p className="axis">
          <span>Rate</span>
          <span>{formatRate(Math.round(flow.peakRate))}</span>
        </p>
        <svg aria-hidden="true" viewBox={`0 0 ${WIDTH} ${RATE_HEIGHT}`} preserveAspectRatio="none" height={RATE_HEIGHT}>
          <path className="area" d={ratePath(flow)} />
          {line !== undefined && <path className="pointer" d={`M${line},0V${RATE_HEIGHT}`} />}
        </svg>
        <p className="axis">
          <span>Round trip</span>
          <span>{formatRtt(flow.peakRttMs)}</span>
        </p>
        <svg aria-hidden="true" viewBox={`0 0 ${WIDTH} ${RTT_HEIGHT}`} preserveAspectRatio="none" height={RTT_HEIGHT}>
          <path className="line" d={rttPath(flow)} />
          {line !== undefined && <path className="pointer" d={`M${line},0V${RTT_HEIGHT}`} />}
        </svg>
        <p className="axis time">
          <span>{clockOf(new Date(flow.startMs).toISOString())}</span>
          <span>{clockOf(new Date(flow.endMs).toISOString())}</span>
        </p>
      </div>
      <p className="chart-words">{words}</p>
    </section>
  )
}
