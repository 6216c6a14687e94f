/**
 * The command line's entry: the launcher calls `main`; run as a program, this file calls it itself.
 *
 * The very first thing is the process title: a code that was typed as an argument leaves the process list with it.
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EXIT } from '@godwit/protocol/errors'
import { processIo } from './io.js'
import { runProgram } from './program.js'

process.title = 'godwit'

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    if (stream.destroyed) resolve()
    else stream.write('', () => resolve())
  })

/** Runs one command line and gives its exit code when everything it wrote is out. The caller ends the process. */
export const main = async (argv: readonly string[]): Promise<number> => {
  process.title = 'godwit'
  const interrupt = new AbortController()
  const onInterrupt = (): void => {
    // Twice means at once.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
    interrupt.abort()
  }
  const ignore = (): void => {}
  const takeInterrupt = (): void => {
    // Never without a listener: in between, the default would end the process.
    process.on('SIGINT', ignore)
    process.off('SIGINT', onInterrupt)
  }
  // Whoever read our output has gone (`godwit list | head`): nothing is left to say.
  const onPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    throw error
  }
  process.on('SIGINT', onInterrupt)
  process.stdout.on('error', onPipe)
  process.stderr.on('error', onPipe)
  try {
    const exitCode = await runProgram(argv, processIo(interrupt.signal, takeInterrupt))
    await Promise.all([flushed(process.stdout), flushed(process.stderr)])
    return exitCode
  } finally {
    process.off('SIGINT', onInterrupt)
    process.off('SIGINT', ignore)
  }
}

/** The program may have been named by a symbolic link (a workspace in node_modules is one). */
const isProgram = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
if (isProgram) process.exit(await main(process.argv.slice(2)))
