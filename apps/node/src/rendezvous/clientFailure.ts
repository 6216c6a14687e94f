/** What went wrong with a call to a rendezvous, as one of our codes. Neither tokens nor what was asked go into it. */
import { type Failure, isErrorCode } from '@godwit/protocol/errors'
import { z } from 'zod'

/** `error.data.godwit` as the rendezvous fills it; its message is our own table's. */
const godwitData = z.object({ data: z.object({ godwit: z.object({ code: z.string() }) }) })

/**
 * The code that the rendezvous gave, or ERR_RENDEZVOUS_UNREACHABLE for no answer and for one that is not a rendezvous'.
 * @param host - `host:port`, for the user.
 */
export const clientFailureOf = (error: unknown, host: string): Failure => {
  const parsed = godwitData.safeParse(error)
  const code = parsed.success ? parsed.data.data.godwit.code : undefined
  if (!isErrorCode(code) || code === 'ERR_RENDEZVOUS_UNREACHABLE') {
    return { code: 'ERR_RENDEZVOUS_UNREACHABLE', detail: host }
  }
  return code === 'ERR_RENDEZVOUS_REFUSED' ? { code, detail: host } : { code }
}
