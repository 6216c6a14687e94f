/** Runs another program of Godwit in the foreground of this command and ends with its exit code. */
import type { StdioOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

export interface ChildProgram {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly stdio: StdioOptions
  /** Called with each line of its stdout, where that is a pipe. */
  readonly onLine?: (line: string) => void
}

/** Signals reach the child through us when they are sent to us alone; Ctrl-C reaches it from the terminal as well. */
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/** @returns its exit code; 128 and the signal's number when a signal ended it (POSIX shells' convention). */
export const runChildProgram = async (options: ChildProgram): Promise<number> => {
  const child = spawn(process.execPath, [options.program, ...options.args], { env: options.env, stdio: options.stdio })
  const forwards = FORWARDED.map((signal) => {
    const forward = (): void => void child.kill(signal)
    process.on(signal, forward)
    return () => process.off(signal, forward)
  })
  if (child.stdout !== null && options.onLine !== undefined) {
    const { createInterface } = await import('node:readline')
    createInterface({ input: child.stdout }).on('line', options.onLine)
  }
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  } finally {
    for (const stop of forwards) stop()
  }
}
