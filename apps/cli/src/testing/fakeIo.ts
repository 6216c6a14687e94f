/** A world for one command that a test can read back. */
import type { CliIo } from '../io.js'

export interface FakeIo extends CliIo {
  readonly out: () => string
  readonly err: () => string
  /** The lines of stdout as JSON. */
  readonly lines: () => Record<string, unknown>[]
  /** Resolves when stdout or stderr holds this text. */
  readonly until: (text: string) => Promise<void>
  /** Ctrl-C. */
  readonly pressCtrlC: () => void
}

export interface FakeIoOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly stdin?: string
  /** Whether stderr is a terminal. */
  readonly isTerminal?: boolean
}

export const createFakeIo = (options: FakeIoOptions = {}): FakeIo => {
  const interrupt = new AbortController()
  const written = { out: '', err: '' }
  let wake: () => void = () => {}
  const stream = (name: 'out' | 'err', isTTY: boolean) => ({
    isTTY,
    columns: () => 80,
    write: (text: string) => {
      written[name] += text
      wake()
    },
  })
  return {
    env: options.env ?? {},
    cwd: '/home/user',
    stdout: stream('out', false),
    stderr: stream('err', options.isTerminal === true),
    stdin: { isTTY: false, readAll: async () => options.stdin ?? '' },
    interrupt: interrupt.signal,
    takeInterrupt: () => {},
    out: () => written.out,
    err: () => written.err,
    lines: () =>
      written.out
        .split('\n')
        .filter((line) => line !== '')
        // Each line is an object; its shape is what the tests check.
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    until: async (text) => {
      while (!written.out.includes(text) && !written.err.includes(text)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    pressCtrlC: () => interrupt.abort(),
  }
}
