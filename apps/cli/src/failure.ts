/** An expected failure on its way to the user: one sentence and an exit code, never a stack. Bugs are other errors. */
import type { ErrorCode, Failure, Result } from '@godwit/protocol/errors'
import { messageOf } from '@godwit/protocol/errors'

export class CliFailure extends Error {
  override readonly name = 'CliFailure'
  readonly code: ErrorCode
  /** Lines for people below the message: the end of a log. */
  readonly notes: readonly string[]

  constructor(code: ErrorCode, message: string, notes: readonly string[] = []) {
    super(message)
    this.code = code
    this.notes = notes
  }

  static of(failure: Failure, notes: readonly string[] = []): CliFailure {
    return new CliFailure(failure.code, messageOf(failure), notes)
  }
}

/** A refusal of the command's own, with a sentence that says what is wrong with it. */
export const usageFailure = (sentence: string): CliFailure => new CliFailure('ERR_USAGE', sentence)

/** The value, or the failure thrown. */
export const must = <T>(result: Result<T>): T => {
  if (!result.ok) throw CliFailure.of(result.failure)
  return result.value
}
