/**
 * A map of a transfer's chunks, in reading order: what has arrived fills, what was sent again is marked. Where there
 * are more chunks than cells, a cell stands for several and fills by degrees. Drawn on a canvas, told in words beside.
 */
import { useEffect, useMemo, useRef, useState } from 'react'
import { plural } from '../ui/words'
import type { ReceiverHistory, TransferHistory } from './history'

const CELL_PX = 11
const GAP_PX = 2
const ROWS_MAX = 14

interface MapProps {
  readonly history: TransferHistory
  readonly revision: number
  /** Counts as full: a transfer that is complete. */
  readonly isComplete: boolean
}

interface Cells {
  /** Share of each cell that has arrived, 0 to 1. */
  readonly filled: Float32Array
  readonly resent: Uint8Array
  readonly chunksPerCell: number
}

export const cellsOf = (
  history: TransferHistory,
  receivers: readonly ReceiverHistory[],
  cellsMax: number,
  isComplete: boolean,
): Cells => {
  const { units, unit } = history.resent
  const perCell = Math.max(1, Math.ceil(units / Math.max(1, cellsMax)))
  const cells = Math.ceil(units / perCell)
  const filled = new Float32Array(cells)
  const resent = new Uint8Array(cells)
  for (let cell = 0; cell < cells; cell += 1) {
    const first = cell * perCell
    const count = Math.min(perCell, units - first)
    let arrived = 0
    for (const { acked } of receivers) arrived += acked.countUnits(first, count)
    filled[cell] = isComplete ? 1 : receivers.length === 0 ? 0 : arrived / (count * receivers.length)
    resent[cell] = history.resent.countUnits(first, count) > 0 ? 1 : 0
  }
  return { filled, resent, chunksPerCell: perCell * unit }
}

const useWidth = () => {
  const element = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const { current } = element
    if (current === null) return
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)))
    observer.observe(current)
    return () => observer.disconnect()
  }, [])
  return { element, width }
}

export const ChunkMap = ({ history, revision, isComplete }: MapProps) => {
  const { element, width } = useWidth()
  const canvas = useRef<HTMLCanvasElement>(null)
  const [chosen, setChosen] = useState('')
  const receivers = [...history.receivers.values()]
  const shown = chosen === '' ? receivers : receivers.filter(({ id }) => id === chosen)
  const columns = Math.max(1, Math.floor((width + GAP_PX) / (CELL_PX + GAP_PX)))
  // biome-ignore lint/correctness/useExhaustiveDependencies: the history is one object that moves on with its revision
  const cells = useMemo(
    () => cellsOf(history, shown, columns * ROWS_MAX, isComplete && chosen === ''),
    [history, revision, columns, isComplete, chosen],
  )
  const rows = Math.ceil(cells.filled.length / columns)
  const height = Math.max(0, rows * (CELL_PX + GAP_PX) - GAP_PX)

  useEffect(() => {
    const { current } = canvas
    const context = current?.getContext('2d')
    if (current === null || context === null || context === undefined || width === 0) return
    const scale = devicePixelRatio
    current.width = width * scale
    current.height = height * scale
    context.scale(scale, scale)
    const style = getComputedStyle(current)
    const [empty, full, again] = ['--cell', '--accent', '--again'].map((name) => style.getPropertyValue(name))
    for (let cell = 0; cell < cells.filled.length; cell += 1) {
      const x = (cell % columns) * (CELL_PX + GAP_PX)
      const y = Math.floor(cell / columns) * (CELL_PX + GAP_PX)
      const share = cells.filled[cell] ?? 0
      context.globalAlpha = 1
      context.fillStyle = empty ?? ''
      context.fillRect(x, y, CELL_PX, CELL_PX)
      if (share > 0) {
        context.globalAlpha = 0.25 + 0.75 * share
        context.fillStyle = full ?? ''
        context.fillRect(x, y, CELL_PX, CELL_PX)
      }
      if (cells.resent[cell] === 1) {
        // A mark and no colour alone.
        context.globalAlpha = 1
        context.fillStyle = again ?? ''
        context.beginPath()
        context.moveTo(x, y)
        context.lineTo(x + 6, y)
        context.lineTo(x, y + 6)
        context.fill()
      }
    }
  }, [cells, columns, width, height])

  const total = history.resent.units * Math.max(1, shown.length)
  const arrived = shown.reduce((sum, { acked }) => sum + acked.countUnits(0, acked.units), 0)
  const percent = isComplete && chosen === '' ? 100 : total === 0 ? 0 : Math.floor((arrived / total) * 100)
  const resentCount = history.resent.countUnits(0, history.resent.units)
  const words = `${percent} % of ${plural(history.chunkCount, 'chunk')} arrived, ${resentCount.toLocaleString('en')} sent again.`
  return (
    <section className="panel" aria-labelledby="map-title">
      <div className="panel-head">
        <h2 id="map-title">Chunks</h2>
        {receivers.length > 1 && (
          <label className="inline">
            <span className="visually-hidden">Show the chunks of</span>
            <select value={chosen} onChange={(event) => setChosen(event.target.value)}>
              <option value="">All receivers</option>
              {receivers.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name === '' ? id : name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <div ref={element} className="map">
        <canvas ref={canvas} role="img" aria-label={words} style={{ width, height }} />
      </div>
      <p className="legend">
        <span className="key full">arrived</span>
        <span className="key again">sent again</span>
        <span className="key none">to come</span>
        <span className="muted">
          {cells.chunksPerCell === 1
            ? 'A cell is one chunk of 1 MiB.'
            : `A cell is ${plural(cells.chunksPerCell, 'chunk')} of 1 MiB.`}
        </span>
      </p>
    </section>
  )
}
