/** tRPC's builder for this API: its context, its error shape (no stack, no internals) and its SSE settings. */
import { initTRPC } from '@trpc/server'
import type { Spool } from '../page/spool.js'
import type { Tickets } from '../page/tickets.js'
import type { NodeService } from '../service.js'
import { godwitErrorData } from './errors.js'

export interface ApiContext {
  readonly service: NodeService
  readonly tickets: Tickets
  /** Undefined where there is no page. */
  readonly spool: Spool | undefined
  /** Whether the page was built. */
  readonly hasPage: boolean
}

/** Milliseconds between two pings of a silent event stream. */
export const SSE_PING_MS = 2000
/** Milliseconds of silence after which a client takes the connection for dead: four pings and a half. */
export const SSE_SILENCE_MS = 9000

const t = initTRPC.context<ApiContext>().create({
  isDev: false,
  sse: {
    ping: { enabled: true, intervalMs: SSE_PING_MS },
    client: { reconnectAfterInactivityMs: SSE_SILENCE_MS },
  },
  errorFormatter: ({ shape, error }) => {
    const { code, httpStatus, path } = shape.data
    const godwit = godwitErrorData(error)
    // The message of an unexpected error may hold anything, a path or a secret: it goes to the log, not to the client.
    const message = godwit?.message ?? (error.code === 'INTERNAL_SERVER_ERROR' ? 'internal error' : shape.message)
    return { ...shape, message, data: { code, httpStatus, path, ...(godwit === undefined ? {} : { godwit }) } }
  },
})

export const { router, procedure } = t
