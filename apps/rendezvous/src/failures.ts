/**
 * Refusals and operating failures at this boundary: a failure becomes a TRPCError whose answer carries
 * `data.godwit = { code, message }`. What is no failure of ours (input that does not parse, a bug) is given a code here
 * too, so that a node never has to guess from a text.
 */
import { ERRORS, type ErrorCode, type Failure, messageOf, type Result } from '@godwit/protocol/errors'
import { TRPCError } from '@trpc/server'

/** What a client finds in `error.data.godwit`. */
export interface GodwitErrorData {
  readonly code: ErrorCode
  readonly message: string
}

/** Carries a failure through tRPC; never seen by a user. */
class FailureCause extends Error {
  override readonly name = 'FailureCause'
  readonly failure: Failure

  constructor(failure: Failure) {
    super(messageOf(failure))
    this.failure = failure
  }
}

/** The error to throw in a procedure. Its stack is that of the refusal, which is of no use, and is not sent. */
export const trpcErrorOf = (failure: Failure): TRPCError =>
  new TRPCError({
    code: ERRORS[failure.code].trpc,
    message: messageOf(failure),
    cause: new FailureCause(failure),
  })

/** The value, or the failure thrown. */
export const valueOrThrow = <T>(result: Result<T>): T => {
  if (!result.ok) throw trpcErrorOf(result.failure)
  return result.value
}

/** The failure behind an error; undefined for a bug. */
export const failureOf = (error: TRPCError): Failure | undefined => {
  if (error.cause instanceof FailureCause) return error.cause.failure
  if (error.code === 'INTERNAL_SERVER_ERROR') return undefined
  if (error.code === 'UNAUTHORIZED') return { code: 'ERR_UNAUTHORIZED' }
  return { code: 'ERR_USAGE' }
}

/** What the error formatter adds: the failure's code and message; for a bug, that the rendezvous is not usable. */
export const godwitDataOf = (error: TRPCError): GodwitErrorData => {
  const failure = failureOf(error) ?? { code: 'ERR_RENDEZVOUS_UNREACHABLE' }
  return { code: failure.code, message: messageOf(failure) }
}
