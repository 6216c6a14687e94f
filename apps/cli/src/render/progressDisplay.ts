/**
 * Shows progress on stderr: one line that is drawn over on a terminal; elsewhere a plain line when the state changes and
 * every few seconds, so that a log stays readable.
 */
import type { TransferProgress } from '@godwit/protocol/api'
import { type CliIo, canAnimate, canColour } from '../io.js'
import { progressText } from './progressText.js'

/** Milliseconds between two plain lines of one state. */
const PLAIN_INTERVAL_MS = 5000

export interface ProgressDisplay {
  update(progress: TransferProgress): void
  /** Writes a line above the progress. */
  note(text: string): void
  /** Takes the line away, for whatever comes next. */
  clear(): void
}

/** Cuts text to the terminal's width: a line that wraps cannot be drawn over. Counts code points, near enough here. */
const cut = (text: string, columns: number): string => {
  const points = [...text]
  return points.length < columns ? text : `${points.slice(0, Math.max(0, columns - 2)).join('')}…`
}

/** `now` is a monotonic clock in milliseconds. */
export const createProgressDisplay = (io: CliIo, now: () => number = () => performance.now()): ProgressDisplay => {
  const isAnimated = canAnimate(io)
  const [bold, plain] = canColour(io, io.stderr) ? ['\u001b[36m', '\u001b[0m'] : ['', '']
  let isDrawn = false
  let lastState = ''
  let lastText = ''
  let lastAt = Number.NEGATIVE_INFINITY

  const clear = (): void => {
    if (!isDrawn) return
    io.stderr.write('\r\u001b[K')
    isDrawn = false
  }
  return {
    update(progress) {
      const text = progressText(progress, isAnimated)
      if (isAnimated) {
        io.stderr.write(`\r${bold}${cut(text, io.stderr.columns())}${plain}\u001b[K`)
        isDrawn = true
        return
      }
      const isNewState = progress.state !== lastState
      if (text === lastText || (!isNewState && now() - lastAt < PLAIN_INTERVAL_MS)) return
      lastState = progress.state
      lastText = text
      lastAt = now()
      io.stderr.write(`${text}\n`)
    },
    note(text) {
      clear()
      io.stderr.write(`${text}\n`)
    },
    clear,
  }
}
