/** The typed tRPC client of one rendezvous: calls over HTTP, subscriptions over SSE; the token goes in each call's context. */
import type { AppRouter } from '@godwit/rendezvous/api'
import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink, type TRPCClient } from '@trpc/client'
import type { FetchLike } from 'eventsource'
import { boundedEvents } from './boundedEvents.js'
import { ClosableEventSource } from './closableEventSource.js'

/** Bytes of one answer to a call: those of a rendezvous are below 1 KiB. */
const ANSWER_MAX_BYTES = 64 * 1024
/** Bytes of one event of a stream: the largest carries a mailbox message in base64, 11 KiB. */
const EVENT_MAX_BYTES = 16 * 1024

export type RendezvousRpc = TRPCClient<AppRouter>

/** What a call's `context` carries. */
export interface CallContext {
  readonly token?: string
}

/** @param url - `http(s)://host[:port]`, with or without a path that the server is mounted under. */
export const connectRpc = (url: string): RendezvousRpc => {
  const base = `${url.replace(/\/+$/, '')}/trpc`
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (op) => op.type === 'subscription',
        true: httpSubscriptionLink({
          url: base,
          EventSource: ClosableEventSource,
          eventSourceOptions: ({ op }) => ({ fetch: fetchWith(authorizationOf(op.context)) }),
        }),
        false: httpLink({
          url: base,
          headers: ({ op }) => authorizationOf(op.context),
          fetch: boundedFetch,
        }),
      }),
    ],
  })
}

const authorizationOf = (context: Record<string, unknown>): Record<string, string> =>
  typeof context['token'] === 'string' ? { authorization: `Bearer ${context['token']}` } : {}

/** A redirect would carry the token elsewhere: it is refused. */
const fetchWith =
  (headers: Record<string, string>): FetchLike =>
  async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'error', headers: { ...init.headers, ...headers } })
    const { status, redirected, body } = response
    return {
      url: response.url,
      status,
      redirected,
      headers: response.headers,
      body: body === null ? null : boundedEvents(body, EVENT_MAX_BYTES),
    }
  }

type Fetch = NonNullable<Parameters<typeof httpLink>[0]['fetch']>

/** Reads the answer up to a limit, whoever it is that answers. */
const boundedFetch: Fetch = async (input, init) => {
  const { body, signal, ...rest } = init ?? {}
  const response = await fetch(input instanceof URL ? input : String(input), {
    ...rest,
    redirect: 'error',
    ...(typeof body === 'string' ? { body } : {}),
    ...(signal === undefined || signal === null ? {} : { signal }),
  })
  const parts: Uint8Array[] = []
  let bytes = 0
  if (response.body !== null) {
    for await (const part of response.body) {
      bytes += part.length
      if (bytes > ANSWER_MAX_BYTES) throw new Error('the answer is too long')
      parts.push(part)
    }
  }
  return new Response(Buffer.concat(parts), { status: response.status, headers: response.headers })
}
