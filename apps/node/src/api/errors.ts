/**
 * The one place where refusals become answers of the API: every one carries `data.godwit = {code, message}`; a bug
 * carries nothing but that it was one.
 */
import type { ErrorCode, Failure, Result } from '@godwit/protocol/errors'
import { ERRORS, messageOf } from '@godwit/protocol/errors'
import { TRPCError } from '@trpc/server'
import { ZodError } from 'zod'

/** What a client finds in `data.godwit`. */
export interface GodwitErrorData {
  readonly code: ErrorCode
  /** The sentence for the user. Holds no secret and repeats no input. */
  readonly message: string
}

/** Carries a failure through tRPC; never shown itself. */
class FailureCause extends Error {
  override readonly name = 'FailureCause'
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.code)
    this.failure = failure
  }
}

/** Turns a failure into tRPC's error with the HTTP status of the table. */
export const godwitError = (failure: Failure): TRPCError =>
  new TRPCError({ code: ERRORS[failure.code].trpc, message: failure.code, cause: new FailureCause(failure) })

/** The value of a result; its failure is thrown as the API's error. */
export const valueOrThrow = <T>(result: Result<T>): T => {
  if (!result.ok) throw godwitError(result.failure)
  return result.value
}

/** What went wrong with an input, by the field's name only: its value may be a secret. */
const inputDetail = (error: ZodError): string => {
  const issue = error.issues[0]
  const field = issue?.path.map(String).join('.') ?? ''
  return field === '' ? 'the request is not understood' : `the field ${field} is not as it should be`
}

/** Finds the refusal in an error of tRPC's; undefined for a bug. */
export const godwitErrorData = (error: TRPCError): GodwitErrorData | undefined => {
  if (error.cause instanceof FailureCause) {
    return { code: error.cause.failure.code, message: messageOf(error.cause.failure) }
  }
  if (error.cause instanceof ZodError) {
    return { code: 'ERR_USAGE', message: messageOf({ code: 'ERR_USAGE', detail: inputDetail(error.cause) }) }
  }
  return undefined
}
