/**
 * What a command touches of the world: its streams, its surroundings, the interrupt. The program puts the process'
 * own in; tests put in what they can read back.
 */
import { text } from 'node:stream/consumers'

export interface OutputStream {
  readonly isTTY: boolean
  /** Width of the terminal in columns; 80 where it is not known. */
  readonly columns: () => number
  write(text: string): void
}

export interface CliIo {
  readonly env: NodeJS.ProcessEnv
  /** Paths of arguments are relative to it. */
  readonly cwd: string
  /** Results. */
  readonly stdout: OutputStream
  /** Talk, progress, errors. */
  readonly stderr: OutputStream
  readonly stdin: { readonly isTTY: boolean; readAll(): Promise<string> }
  /** Aborted by Ctrl-C. */
  readonly interrupt: AbortSignal
  /** For a command that answers Ctrl-C itself, however long that takes: `interrupt` stays silent from here on. */
  takeInterrupt(): void
}

const outputOf = (stream: NodeJS.WriteStream): OutputStream => ({
  isTTY: stream.isTTY === true,
  columns: () => stream.columns || 80,
  write: (written) => void stream.write(written),
})

/** The world of this process. */
export const processIo = (interrupt: AbortSignal, takeInterrupt: () => void): CliIo => ({
  env: process.env,
  cwd: process.cwd(),
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
  stdin: { isTTY: process.stdin.isTTY === true, readAll: () => text(process.stdin) },
  interrupt,
  takeInterrupt,
})

/** Whether lines may be drawn over: a terminal that can move its cursor. */
export const canAnimate = (io: CliIo): boolean => {
  const { TERM: term } = io.env
  return io.stderr.isTTY && term !== 'dumb'
}

/** Whether colours are welcome on a stream: https://no-color.org. */
export const canColour = (io: CliIo, stream: OutputStream): boolean => {
  const { NO_COLOR: noColour, TERM: term } = io.env
  return stream.isTTY && (noColour === undefined || noColour === '') && term !== 'dumb'
}
