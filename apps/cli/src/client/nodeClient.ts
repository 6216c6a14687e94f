/** The typed client of one running node: plain HTTP calls, and SSE for the event streams. */
import type { AppRouter } from '@godwit/node/api'
import { isErrorCode } from '@godwit/protocol/errors'
import type { TRPCClient } from '@trpc/client'
import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink, TRPCClientError } from '@trpc/client'
import { CliFailure } from '../failure.js'
import { ClosableEventSource } from './closableEventSource.js'

export type NodeClient = TRPCClient<AppRouter>

export const createNodeClient = (url: string, token: string): NodeClient => {
  const authorization = `Bearer ${token}`
  const endpoint = `${url}/trpc`
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        true: httpSubscriptionLink({
          url: endpoint,
          EventSource: ClosableEventSource,
          eventSourceOptions: {
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, authorization } }),
          },
        }),
        false: httpLink({ url: endpoint, headers: { authorization } }),
      }),
    ],
  })
}

/** The refusal in an error of a call; undefined for a broken connection or a bug of the node's. */
export const failureIn = (error: unknown): CliFailure | undefined => {
  if (!(error instanceof TRPCClientError)) return undefined
  const data: unknown = error.data
  if (typeof data !== 'object' || data === null || !('godwit' in data)) return undefined
  const { godwit } = data
  if (typeof godwit !== 'object' || godwit === null || !('code' in godwit) || !('message' in godwit)) return undefined
  return isErrorCode(godwit.code) ? new CliFailure(godwit.code, String(godwit.message)) : undefined
}

/** Whether an error means that nobody answered, rather than that the node refused or failed. */
export const isConnectionLost = (error: unknown): boolean =>
  error instanceof TRPCClientError && error.shape === undefined && failureIn(error) === undefined
