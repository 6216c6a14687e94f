/** Why the demo ends early: an operating failure in the terms of the error table, never a bug. */
import { type ErrorCode, type Failure, isErrorCode, messageOf } from '@godwit/protocol/errors'
import type { CommandResult, JsonLine } from './godwitCommand.js'

/** Thrown between the steps of the demo and turned into its last line and exit code at one place. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure'
  readonly failure: Failure

  constructor(failure: Failure, message = messageOf(failure)) {
    super(message)
    this.failure = failure
  }
}

/** What a command that failed has said about it, as a failure of the demo. `fallback` where it said nothing. */
export const failureOf = (result: CommandResult, fallback: ErrorCode): DemoFailure => {
  const line = result.lines.findLast(isFailedLine)
  const code = line?.['code']
  const message = line?.['message']
  if (isErrorCode(code) && typeof message === 'string') return new DemoFailure({ code }, message)
  const detail = result.stderr.trim().split('\n').at(-1)
  return new DemoFailure(detail === undefined || detail === '' ? { code: fallback } : { code: fallback, detail })
}

const isFailedLine = ({ type }: JsonLine): boolean =>
  type === 'error' || (typeof type === 'string' && type.endsWith('.failed'))
