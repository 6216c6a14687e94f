/**
 * What the demo says: to a person, or as JSON lines to a script. The story goes to stderr, its result to stdout.
 */
import { formatBytes } from '@godwit/protocol/rate'
import { printableJson } from '../render/printable.js'
import type { DemoFailure } from './demoFailure.js'

/** How far the transfer was when the receiving side was killed. */
export type KilledAt = 'transferring' | 'awaitingAcceptance'

export interface DemoResult {
  readonly bytes: number
  /** From acceptance to the verified files, the outage included. */
  readonly seconds: number
  readonly killedAt: KilledAt
  readonly bytesDoneWhenKilled: number
  /** From SIGKILL until the node answered again, and until chunks moved again (or the offer was taken up again). */
  readonly backAfterSeconds: number
  readonly resumedAfterSeconds: number
  readonly sentAgainBytes: number
  readonly files: readonly { readonly path: string; readonly size: number; readonly blake3: string }[]
}

/** One step of the story: a JSON line of the type `demo.<step>` or the sentence. */
export interface DemoReport {
  step(step: string, fields: Readonly<Record<string, unknown>>, sentence: string): void
  progress(bytesDone: number, bytesTotal: number): void
  completed(result: DemoResult): void
  failed(failure: DemoFailure): void
}

const jsonLine = (value: Readonly<Record<string, unknown>>): void => {
  process.stdout.write(`${printableJson(value)}\n`)
}

export const jsonReport = (): DemoReport => ({
  step: (step, fields) => jsonLine({ type: `demo.${step}`, ...fields }),
  progress: (bytesDone, bytesTotal) => jsonLine({ type: 'demo.progress', bytesDone, bytesTotal }),
  completed: (result) => jsonLine({ type: 'demo.completed', ...result }),
  failed: ({ failure, message }) => jsonLine({ type: 'demo.failed', code: failure.code, message }),
})

const BAR_CELLS = 30
/** Lines of progress where there is no terminal to draw on: one for every fifth of the way. */
const PLAIN_STEPS = 5

export const plainReport = (): DemoReport => {
  const isTerminal = process.stderr.isTTY === true
  let isLineOpen = false
  let lastPlainStep = 0
  const say = (text: string): void => {
    process.stderr.write(`${isLineOpen ? '\n' : ''}${text}\n`)
    isLineOpen = false
  }
  return {
    step: (_step, _fields, sentence) => say(sentence),
    progress: (bytesDone, bytesTotal) => {
      const part = bytesTotal === 0 ? 0 : bytesDone / bytesTotal
      const text = `  ${bar(part)} ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`
      if (isTerminal) {
        process.stderr.write(`\r${text}`.padEnd(78))
        isLineOpen = true
        return
      }
      const plainStep = Math.floor(part * PLAIN_STEPS)
      if (plainStep <= lastPlainStep) return
      lastPlainStep = plainStep
      say(text)
    },
    completed: (result) => {
      say('')
      process.stdout.write(`${summary(result).join('\n')}\n`)
    },
    failed: ({ failure, message }) => say(`\nThe demo failed: ${message} [${failure.code}]${adviceFor(failure.code)}`),
  }
}

/** Below this a rate says more about start-up than about the link. */
const TELLING_BYTES = 8 * 1024 * 1024

const adviceFor = (code: DemoFailure['failure']['code']): string =>
  code === 'ERR_CANCELLED' ? '' : '\nEverything that it started is stopped and removed.'

const bar = (part: number): string => {
  const filled = Math.min(BAR_CELLS, Math.round(part * BAR_CELLS))
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}] ${String(Math.floor(part * 100)).padStart(3)} %`
}

const summary = (result: DemoResult): readonly string[] => {
  const { bytes, seconds, killedAt, files } = result
  const rate = seconds > 0 && bytes >= TELLING_BYTES ? `, ${formatBytes(bytes / seconds)}/s over all` : ''
  const cut =
    killedAt === 'transferring'
      ? `The receiving node and its Redis were killed after ${formatBytes(result.bytesDoneWhenKilled)}.`
      : 'This was too small to be cut in the middle, so the receiving node and its Redis were killed before the files were finalized.'
  const first = files[0]
  return [
    `Delivered ${formatBytes(bytes)} in ${seconds.toFixed(1)} s, outage included${rate}.`,
    cut,
    `The node was back after ${result.backAfterSeconds.toFixed(1)} s and the transfer went on after ${result.resumedAfterSeconds.toFixed(1)} s, with nobody typing anything.`,
    `Sent again: ${result.sentAgainBytes === 0 ? 'nothing' : formatBytes(result.sentAgainBytes)}. Compared with the original byte for byte: identical.`,
    ...(first === undefined
      ? []
      : [`BLAKE3 ${first.blake3}  ${first.path}${files.length > 1 ? ` (and ${files.length - 1} more)` : ''}`]),
    '',
    'Everything is stopped and removed. Now with your own files, on two computers:',
    '  ./godwit send PATH        prints a code',
    '  ./godwit receive CODE     on the other one',
  ]
}
