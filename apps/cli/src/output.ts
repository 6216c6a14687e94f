/** How a command speaks: JSON lines or text on stdout, talk on stderr. */
import { exitCodeOf } from '@godwit/protocol/errors'
import type { CliFailure } from './failure.js'
import type { CliIo } from './io.js'
import { printable, printableJson } from './render/printable.js'

export interface Output {
  readonly isJson: boolean
  /** A result: the object as a JSON line, or the text for people. */
  result<T extends { readonly type: string }>(object: T, text: () => string): void
  /** Talk: one line on stderr, for people. */
  say(text: string): void
}

export const createOutput = (io: CliIo, isJson: boolean): Output => ({
  isJson,
  result: (object, text) => io.stdout.write(isJson ? `${printableJson(object)}\n` : `${text()}\n`),
  say: (text) => io.stderr.write(`${text}\n`),
})

/**
 * Tells a failure and gives its exit code. With `--json` it is the last line of stdout: `transfer.failed` where the
 * command is about one transfer's run, else `error`.
 */
export const tellFailure = (io: CliIo, failure: CliFailure, isJson: boolean, isTransferRun: boolean): number => {
  if (isJson) {
    const type = isTransferRun ? 'transfer.failed' : 'error'
    io.stdout.write(`${printableJson({ type, code: failure.code, message: failure.message })}\n`)
  }
  io.stderr.write(`godwit: ${printable(failure.message)} (${failure.code})\n`)
  for (const note of failure.notes) io.stderr.write(`  ${printable(note)}\n`)
  return exitCodeOf(failure.code)
}
